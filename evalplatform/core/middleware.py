"""What a browser gets when a part of the platform is away, or when it sends what cannot be read."""

import codecs
from contextlib import suppress

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin

from evalplatform.core.error_pages import explained, wants_json


class ExplainMiddleware(MiddlewareMixin):
    """Answer 503 where database, broker or object store are away, and 400 what none can hold.

    The reason goes to the log.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return explained(request, exception)


class CharsetMiddleware(MiddlewareMixin):
    """Answer 400 to a body in another encoding than UTF-8.

    Django refuses such a form too, but whoever then reads the form again (the page that says so,
    for one) fails: that ends as a server error. It comes before everything that reads forms.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        given = (request.content_params or {}).get("charset")
        if given is None:
            return None
        with suppress(LookupError, ValueError):  # an unknown name means nothing, to Django too
            if codecs.lookup(given).name != "utf-8":
                return _refused(request, f"charset={given[:40]!r} is not read here; send UTF-8.")
            request.encoding = "utf-8"  # also where it was spelt utf8
        return None


def _refused(request: HttpRequest, message: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"error": message}, status=400)
    return HttpResponse(message, content_type="text/plain", status=400)
