"""The API: /api/v1/, described at /api/v1/openapi.json and to read at /api/v1/reference."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from evalplatform.api.api import api
from evalplatform.api.pages import openapi_json, reference
from evalplatform.core.problems import problem

View = Callable[..., HttpResponseBase]


def _spoken(view: View) -> View:
    """Answer a method that a route does not take as a problem, and let nobody keep an answer."""

    @csrf_exempt  # a token needs none; a session's is asked for by the route
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if response.status_code == 405:
            taken = response.headers.get("Allow", "")
            said = f"{request.method} does nothing here; this route takes {taken}."
            return problem("method-not-allowed", said, headers={"Allow": taken})
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return wrapped


def _routes() -> list[URLPattern]:
    found = [each for each in api.urls[0] if isinstance(each, URLPattern)]
    for each in found:
        assert each.callback is not None
        each.callback = _spoken(each.callback)
    return [each for each in found if each.name != "api-root"]


app_name = "api"
urlpatterns = [
    path("openapi.json", openapi_json, name="openapi"),
    path("reference", reference, name="reference"),
    *_routes(),
]
