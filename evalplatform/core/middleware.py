"""What a browser gets when a part of the platform is away."""

import logging

from django.http import HttpRequest, HttpResponse
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
