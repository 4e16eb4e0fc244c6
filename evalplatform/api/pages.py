"""What describes the API: its schema, and a reference to read."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalplatform.accounts.models import ApiToken
from evalplatform.api.openapi import schema
from evalplatform.api.reading import operations_by_tag
from evalplatform.core.problems import CODES


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    """The schema, as OpenAPI 3.1, for everybody: it holds nothing of anybody."""
    response = JsonResponse(schema(), json_dumps_params={"indent": 1})
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """The same to read, made here: no script of another host is needed, or allowed."""
    context = {
        "groups": operations_by_tag(),
        "scopes": ApiToken.Scope.choices,
        "problems": [(code, *told) for code, told in CODES.items()],
    }
    return render(request, "api/reference.html", context)
