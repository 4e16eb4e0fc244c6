"""Files over tus, to be taken up by a build from a log or an import of images."""

import uuid
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from evalplatform.accounts.access import token_or_session
from evalplatform.accounts.projects import project_to_create_in, visible_to
from evalplatform.accounts.tokens import Scope
from evalplatform.uploads import services, tus
from evalplatform.uploads.access import require_sender
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
    return tus.begun(reverse("uploads:file", args=[file.pk]))


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
    require_sender(request, file)
    if request.method == "DELETE":
        services.forget_file(file=file)
        return HttpResponse(status=204)
    return tus.taken(request, file.size_bytes, partial(services.receive_file, file=file))
