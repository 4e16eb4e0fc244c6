"""What a browser gets when a part of the platform is away, or when it sends what cannot be read."""

import codecs
import logging
from contextlib import suppress

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin

from evalplatform.core.object_storage import ObjectStorageError

logger = logging.getLogger(__name__)


class ObjectStorageErrorMiddleware(MiddlewareMixin):
    """Answer 503 where the store of images does not answer: the reason goes to the log alone."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, ObjectStorageError):
            return None
        logger.error("%s", exception)
        return HttpResponse(
            "Images cannot be read at the moment; please try again soon.",
            content_type="text/plain",
            status=503,
            headers={"Retry-After": "5", "Cache-Control": "no-store"},
        )


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
    if request.accepts("application/json") and not request.accepts("text/html"):
        return JsonResponse({"error": message}, status=400)
    return HttpResponse(message, content_type="text/plain", status=400)
