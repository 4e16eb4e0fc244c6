"""The registry of checkpoints, as a signed-in researcher reads it."""

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from evalplatform.checkpoints import services
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import Sample
from evalplatform.reports.registry import checkpoint_context, registry_context


@require_safe
@login_required
@ensure_csrf_cookie
def checkpoint_list(request: HttpRequest) -> HttpResponse:
    """Every checkpoint, and the way to upload one."""
    return render(request, "reports/checkpoint_list.html", registry_context())


@require_safe
@login_required
def checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """One checkpoint: lineage, provenance, model card, samples, campaigns."""
    found = get_object_or_404(Checkpoint.objects.select_related("parent", "retired_by"), name=name)
    return render(request, "reports/checkpoint.html", checkpoint_context(found))


@require_POST
@login_required
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Take a checkpoint out of use; asked twice, the first stays who and when."""
    found = get_object_or_404(Checkpoint, name=name)
    services.retire_checkpoint(checkpoint=found, user=request.user, now=timezone.now())  # type: ignore[arg-type]  # signed in
    return redirect("registry:checkpoint", name)


@require_POST
@login_required
def restore(request: HttpRequest, name: str) -> HttpResponse:
    """Take a retired checkpoint back into use."""
    services.restore_checkpoint(checkpoint=get_object_or_404(Checkpoint, name=name))
    return redirect("registry:checkpoint", name)


@require_safe
@login_required
def sample_image(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """One sample's image, for researchers: annotators have addresses of their own."""
    sample = get_object_or_404(Sample, pk=identifier, status=Sample.Status.READY)
    try:
        file = default_storage.open(sample.image)
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(file, content_type="image/png")
    response["Cache-Control"] = "private, max-age=3600, immutable"
    return response
