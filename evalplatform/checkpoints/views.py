"""Uploads over the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation
and termination. Any tus client can send a checkpoint and go on after a broken connection, with a
session's cookies or an API token (docs/api.md).
"""

import base64
import binascii
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from evalplatform.accounts.access import token_or_session, unauthorised
from evalplatform.accounts.projects import (
    Role,
    is_operator,
    may,
    project_to_create_in,
    require_role,
    visible_to,
)
from evalplatform.accounts.tokens import Scope
from evalplatform.checkpoints import services
from evalplatform.checkpoints.models import Upload
from evalplatform.core.errors import BadInputError, NotAllowedError

TUS = "1.0.0"
_PART = "application/offset+octet-stream"
View = Callable[..., HttpResponse]


def _tus(view: View) -> View:
    """Speak tus to whoever is signed in: its headers on every answer, refusals as plain text."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = _answer(view, request, *args, **kwargs)
        response["Tus-Resumable"] = TUS
        response["Cache-Control"] = "no-store"
        return response

    return wrapped


def _answer(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    if not request.user.is_authenticated:
        return unauthorised("sign in first, or send Authorization: Bearer TOKEN")
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != TUS:
        return _refusal(412, f"send the header Tus-Resumable: {TUS}")
    try:
        return view(request, *args, **kwargs)
    except NotAllowedError as error:
        return _refusal(403, str(error))
    except BadInputError as error:
        return _refusal(400, str(error))
    except UnreadablePostError:
        return _refusal(400, "the part broke off; what arrived of it is kept")
    except services.OffsetError as error:
        return _refusal(409, str(error))
    except services.BusyError as error:
        return _refusal(423, str(error))


def _refusal(status: int, reason: str) -> HttpResponse:
    return HttpResponse(reason, status=status, content_type="text/plain; charset=utf-8")


@token_or_session(Scope.MODELS)
@require_http_methods(["OPTIONS", "POST"])
@_tus
def uploads(request: HttpRequest) -> HttpResponse:
    """Say what is spoken here, or begin an upload."""
    if request.method == "OPTIONS":
        return HttpResponse(
            status=204,
            headers={
                "Tus-Version": TUS,
                "Tus-Extension": "creation,termination",
                "Tus-Max-Size": str(settings.CHECKPOINT_MAX_BYTES),
            },
        )
    told = _metadata(request.headers.get("Upload-Metadata", ""))
    upload = services.begin_upload(
        project=project_to_create_in(request.user, told.get("project", "")),
        file_name=told.get("filename", ""),
        size_bytes=_number(request, "Upload-Length"),
        name=told.get("name", ""),
        role=told.get("role", ""),
        into=_part_of_base(told),
        weights=told.get("weights", ""),
        user=request.user,  # type: ignore[arg-type]  # signed in
        now=timezone.now(),
    )
    return HttpResponse(
        status=201, headers={"Location": reverse("checkpoints:upload", args=[upload.pk])}
    )


@token_or_session(Scope.MODELS)
@require_http_methods(["HEAD", "PATCH", "DELETE"])
@_tus
def upload(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """Say how much has arrived, take the next part, or forget it all."""
    upload = get_object_or_404(visible_to(request.user, Upload.objects.all()), pk=identifier)
    if request.method == "DELETE":
        _require_sender(request, upload, or_owner=True)
        services.cancel_upload(upload=upload)
        return HttpResponse(status=204)
    if request.method == "HEAD":
        return _offset(200, upload.received_bytes, upload)
    _require_sender(request, upload)
    if request.content_type != _PART:
        return _refusal(415, f"send the part as {_PART}")
    there = services.receive(
        upload=upload,
        offset=_number(request, "Upload-Offset"),
        body=request,
        length=_number(request, "Content-Length"),
        now=timezone.now(),
    )
    return _offset(204, there, upload)


def _require_sender(request: HttpRequest, upload: Upload, *, or_owner: bool = False) -> None:
    """Let an upload alone go on for the editor who began it; operators may too.

    Raises `NotAllowedError` for anybody else, but an owner where they may.
    """
    require_role(request.user, upload.project, Role.EDITOR)
    owns = may(request.user, upload.project, Role.OWNER)
    is_theirs = upload.created_by_id == request.user.pk
    if not is_theirs and not is_operator(request.user) and not (or_owner and owns):
        raise NotAllowedError("Another person began this upload, and goes on with it.")


def _offset(status: int, received: int, upload: Upload) -> HttpResponse:
    headers = {"Upload-Offset": str(received), "Upload-Length": str(upload.size_bytes)}
    return HttpResponse(status=status, headers=headers)


@token_or_session(Scope.MODELS)
@require_safe
@never_cache
def upload_status(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """What has become of an upload, as JSON for the page."""
    if not request.user.is_authenticated:
        return unauthorised("sign in first, or send Authorization: Bearer TOKEN")
    services.wake_stalled_uploads(now=timezone.now())
    uploads = visible_to(request.user, Upload.objects.select_related("checkpoint"))
    upload = get_object_or_404(uploads, pk=identifier)
    return JsonResponse(
        {
            "status": upload.status,
            "received": upload.received_bytes,
            "size": upload.size_bytes,
            "started": upload.started_at is not None,
            "reason": upload.reason,
            "checkpoint": upload.checkpoint.name if upload.checkpoint else None,
        }
    )


def _number(request: HttpRequest, header: str) -> int:
    given = request.headers.get(header, "")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise BadInputError(f"the header {header} is {given[:40]!r}; send a whole number of bytes.")
    return int(given)


def _part_of_base(told: dict[str, str]) -> services.PartOfBase | None:
    """Read what an upload goes into: `base`, and `part` and `scale`, which belong to one."""
    if not told.get("base"):
        if told.get("part"):
            raise BadInputError(
                f"part {told['part'][:40]!r} goes into a base; send its name as base too."
            )
        return None
    scale = told.get("scale") or "1"
    try:
        return services.PartOfBase(told["base"], told.get("part") or "lora", float(scale))
    except ValueError:
        raise BadInputError(f"scale is {scale[:40]!r}; send a number such as 0.8.") from None


def _metadata(header: str) -> dict[str, str]:
    """Read tus' `key base64, key base64`."""
    told = {}
    for part in header.split(","):
        key, _, value = part.strip().partition(" ")
        try:
            told[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadInputError(
                f"the header Upload-Metadata holds {part[:40]!r}; values are base64 of UTF-8."
            ) from error
    return told
