"""Sending the archive of an export, by the page and by the API alike."""

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from evalplatform.core.sending import send_download
from evalplatform.exports.models import Export


def send_export(request: HttpRequest, export: Export) -> HttpResponseBase:
    """Send an archive, or the rest of it. Raises `Http404` where it is not ready or is removed."""
    if not export.is_ready:
        raise Http404
    try:
        return send_download(
            request, export.file, file_name=export.file_name, content_type="application/zip",
            size=export.size_bytes, sha256=export.sha256,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Http404 from error
