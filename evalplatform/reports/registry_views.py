"""The registry of checkpoints, as a signed-in researcher reads it."""

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

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
    found = get_object_or_404(Checkpoint.objects.select_related("parent"), name=name)
    return render(request, "reports/checkpoint.html", checkpoint_context(found))


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
