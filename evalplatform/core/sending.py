"""Sending stored images to people who may see them; who that is, the calling view decides."""

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase


def send_stored(
    name: str, content_type: str, *, keep_seconds: int = 7 * 24 * 3600
) -> HttpResponseBase:
    """Send a stored object without its name: by the proxy in front where there is one.

    Its content never changes, so a browser may keep it. Raises `FileNotFoundError` where it is not
    there, unless the proxy reads it.
    """
    response: HttpResponseBase
    if settings.IMAGE_ACCEL_PREFIX:
        response = HttpResponse(content_type=content_type)
        response["X-Accel-Redirect"] = f"{settings.IMAGE_ACCEL_PREFIX}{name}"
    else:
        response = FileResponse(default_storage.open(name), content_type=content_type)
        del response["Content-Disposition"]
    response["Cache-Control"] = f"private, max-age={keep_seconds}, immutable"
    return response
