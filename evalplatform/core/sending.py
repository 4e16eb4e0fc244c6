"""Sending stored files to people who may see them; who that is, the calling view decides."""

import mimetypes
import re
from collections.abc import Iterator

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase


def send_stored(name: str, *, keep_seconds: int = 7 * 24 * 3600) -> HttpResponseBase:
    """Send a stored object without its name: by the proxy in front where there is one.

    Its content never changes, so a browser may keep it; its ending tells its type. Raises
    `FileNotFoundError` where it is not there, unless the proxy reads it.
    """
    response: HttpResponseBase
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if settings.IMAGE_ACCEL_PREFIX:
        response = HttpResponse(content_type=content_type)
        response["X-Accel-Redirect"] = f"{settings.IMAGE_ACCEL_PREFIX}{name}"
    else:
        response = FileResponse(default_storage.open(name), content_type=content_type)
        del response["Content-Disposition"]
    response["Cache-Control"] = f"private, max-age={keep_seconds}, immutable"
    return response


def pieces_of(name: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Return a stored object, or so many of its bytes from `start`, piece by piece.

    Raises `FileNotFoundError` at once.
    """
    pieces: Iterator[bytes] = default_storage.pieces(name, start, length)  # type: ignore[attr-defined]
    return pieces


def send_download(
    request: HttpRequest, name: str, *, file_name: str, content_type: str, size: int, sha256: str
) -> HttpResponseBase:
    """Send a stored object to be saved; its SHA-256 is its ETag, and a broken download goes on.

    Takes `If-None-Match`, and `Range` of one part, with `If-Range`. Raises `FileNotFoundError`.
    Source: RFC 9110, sections 13 and 14.
    """
    etag = f'"{sha256}"'
    response: HttpResponseBase
    if etag in re.findall(r'(?:W/)?("[^"]*")', request.headers.get("If-None-Match", "")):
        response = HttpResponse(status=304)
    else:
        part = _part(request, etag, size)
        if part is not None and part[0] >= size:
            response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        else:
            response = _streamed(name, content_type, size, part)
            response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    return response


def _streamed(
    name: str, content_type: str, size: int, part: tuple[int, int] | None
) -> StreamingHttpResponse:
    first, last = part or (0, size - 1)
    length = last - first + 1
    response = StreamingHttpResponse(
        pieces_of(name, start=first, length=length), content_type=content_type
    )
    response["Content-Length"] = str(length)
    if part is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    return response


def _part(request: HttpRequest, etag: str, size: int) -> tuple[int, int] | None:
    """Return the first and last byte that are asked for; None for all of them.

    What is no range of one part is not followed, as the RFC allows; one that begins behind the end
    is returned as it is.
    """
    asked = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("Range", ""), re.ASCII)
    if asked is None or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = asked.groups()
    if not first:
        return (max(size - int(last), 0) if int(last) else size, size - 1) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1
