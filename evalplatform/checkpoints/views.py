"""Uploads of checkpoints over tus, and what has become of them."""

import uuid
from functools import partial

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from evalplatform.accounts.access import token_or_session, unauthorised
from evalplatform.accounts.projects import project_to_create_in, visible_to
from evalplatform.accounts.tokens import Scope
from evalplatform.checkpoints import services
from evalplatform.checkpoints.models import Upload
from evalplatform.core.errors import BadInputError
from evalplatform.uploads import tus
from evalplatform.uploads.access import require_sender


@token_or_session(Scope.MODELS)
@require_http_methods(["OPTIONS", "POST"])
@tus.tus
def uploads(request: HttpRequest) -> HttpResponse:
    """Say what is spoken here, or begin an upload."""
    if request.method == "OPTIONS":
        return tus.spoken()
    told = tus.metadata(request)
    upload = services.begin_upload(
        project=project_to_create_in(request.user, told.get("project", "")),
        file_name=told.get("filename", ""),
        size_bytes=tus.number(request, "Upload-Length"),
        name=told.get("name", ""),
        role=told.get("role", ""),
        into=_part_of_base(told),
        weights=told.get("weights", ""),
        user=request.user,  # type: ignore[arg-type]  # signed in
        now=timezone.now(),
    )
    return tus.begun(reverse("checkpoints:upload", args=[upload.pk]))


@token_or_session(Scope.MODELS)
@require_http_methods(["HEAD", "PATCH", "DELETE"])
@tus.tus
def upload(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """Say how much has arrived, take the next part, or forget it all."""
    upload = get_object_or_404(visible_to(request.user, Upload.objects.all()), pk=identifier)
    if request.method == "DELETE":
        require_sender(request, upload, or_owner=True)
        services.cancel_upload(upload=upload)
        return HttpResponse(status=204)
    if request.method == "HEAD":
        return tus.arrived(200, upload.received_bytes, upload.size_bytes)
    require_sender(request, upload)
    receive = partial(services.receive, upload=upload, now=timezone.now())
    return tus.taken(request, upload.size_bytes, receive)


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
