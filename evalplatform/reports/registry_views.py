"""The registry of checkpoints, as a signed-in researcher reads it."""

import logging

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.checkpoints import services
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.sending import send_stored
from evalplatform.core.thumbnails import thumbnail
from evalplatform.generation.models import Sample
from evalplatform.generation.overview import visible_samples
from evalplatform.reports.collections import collections_context
from evalplatform.reports.registry import checkpoint_context, registry_context, samples_context
from evalplatform.reports.side_by_side import side_by_side_context

logger = logging.getLogger(__name__)


@require_safe
@login_required
@ensure_csrf_cookie
def models(request: HttpRequest) -> HttpResponse:
    """Every checkpoint and image collection, and the way to upload a checkpoint.

    `?model=checkpoint:NAME&model=collection:NAME` shows those side by side.
    """
    if "model" in request.GET:
        return render(request, "reports/side_by_side.html", side_by_side_context(request))
    return render(
        request,
        "reports/models.html",
        registry_context(request) | collections_context(request),
    )


@require_safe
@login_required
def checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """One checkpoint: lineage, provenance, model card, samples, campaigns."""
    found = _named_or_404(request, name)
    context = checkpoint_context(found, request.user)
    return render(request, "reports/checkpoint.html", context)


@require_safe
@login_required
def samples(request: HttpRequest, name: str) -> HttpResponse:
    """All samples of one checkpoint, page by page."""
    found = _named_or_404(request, name)
    context = samples_context(found, request.user, request.GET.get("page", "1"))
    return render(request, "reports/checkpoint_samples.html", context)


@require_POST
@login_required
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Take a checkpoint out of use; asked twice, the first stays who and when."""
    found = steered_or_404(request.user, Checkpoint.objects.all(), Role.EDITOR, name=name)
    services.retire_checkpoint(checkpoint=found, user=request.user, now=timezone.now())  # type: ignore[arg-type]  # signed in
    return redirect("registry:checkpoint", name)


@require_POST
@login_required
def restore(request: HttpRequest, name: str) -> HttpResponse:
    """Take a retired checkpoint back into use."""
    found = steered_or_404(request.user, Checkpoint.objects.all(), Role.EDITOR, name=name)
    services.restore_checkpoint(checkpoint=found)
    return redirect("registry:checkpoint", name)


@require_safe
@login_required
def sample_image(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """One sample's image, for researchers: annotators have addresses of their own."""
    return _whole(_made_or_404(request, identifier))


@require_safe
@login_required
def sample_thumbnail(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """The same, small: for pages that show many."""
    return _small(_made_or_404(request, identifier))


def _whole(picture: Sample) -> HttpResponseBase:
    try:
        return send_stored(picture.image)
    except FileNotFoundError as error:
        raise Http404 from error


def _small(picture: Sample) -> HttpResponseBase:
    try:
        return send_stored(thumbnail(picture.image))
    except OSError as error:
        logger.warning("no thumbnail of %s: %s", picture.image, error)
        raise Http404 from error


def _named_or_404(request: HttpRequest, name: str) -> Checkpoint:
    known = Checkpoint.objects.select_related("project", "retired_by")
    return get_object_or_404(visible_to(request.user, known), name=name)


def _made_or_404(request: HttpRequest, identifier: int) -> Sample:
    made = Sample.objects.filter(status=Sample.Status.READY)
    return get_object_or_404(visible_samples(request.user, made), pk=identifier)
