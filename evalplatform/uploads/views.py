"""Files over tus, to be taken up by a build from a log or an import of images."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from evalplatform.accounts.access import token_or_session
from evalplatform.accounts.projects import (
    Role,
    is_operator,
    project_to_create_in,
    require_role,
    visible_to,
)
from evalplatform.accounts.tokens import Scope
from evalplatform.core.errors import NotAllowedError
from evalplatform.uploads import services, tus
from evalplatform.uploads.models import SentFile


@token_or_session(Scope.MODELS)
@require_http_methods(["OPTIONS", "POST"])
@tus.tus
def files(request: HttpRequest) -> HttpResponse:
    """Say what is spoken here, or begin a file."""
    if request.method == "OPTIONS":
        return tus.spoken()
    told = tus.metadata(request)
    file = services.begin_file(
        project=project_to_create_in(request.user, told.get("project", "")),
        file_name=told.get("filename", ""),
        size_bytes=tus.number(request, "Upload-Length"),
        user=request.user,  # type: ignore[arg-type]  # signed in
        now=timezone.now(),
    )
    return HttpResponse(status=201, headers={"Location": reverse("uploads:file", args=[file.pk])})


@token_or_session(Scope.MODELS)
@require_http_methods(["HEAD", "PATCH", "DELETE"])
@tus.tus
def file(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """Say how much has arrived, take the next part, or forget it all."""
    file = get_object_or_404(visible_to(request.user, SentFile.objects.all()), pk=identifier)
    if request.method != "DELETE" and not file.path.exists():
        return tus.refusal(410, "what had arrived is gone, as after a restore; begin anew")
    if request.method == "HEAD":
        return tus.arrived(200, file.received_bytes, file.size_bytes)
    require_role(request.user, file.project, Role.EDITOR)
    if file.created_by_id != request.user.pk and not is_operator(request.user):
        raise NotAllowedError("Another person began this upload, and goes on with it.")
    if request.method == "DELETE":
        services.forget_file(file=file)
        return HttpResponse(status=204)
    if not tus.is_part(request):
        return tus.no_part()
    there = services.receive_file(
        file=file, offset=tus.number(request, "Upload-Offset"), body=request,
        length=tus.number(request, "Content-Length"),
    )  # fmt: skip
    return tus.arrived(204, there, file.size_bytes)
