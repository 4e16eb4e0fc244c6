"""Image collections, as a signed-in researcher reads them."""

import logging

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.core.sending import send_stored
from evalplatform.core.thumbnails import thumbnail
from evalplatform.images import services
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.selectors import collections
from evalplatform.reports.collections import collection_context, images_context

logger = logging.getLogger(__name__)


@require_safe
@login_required
def collection(request: HttpRequest, name: str) -> HttpResponse:
    """One collection: where it is from, and its first images."""
    return render(
        request,
        "reports/collection.html",
        collection_context(_named_or_404(request, name), request.user),
    )


@require_safe
@login_required
def images(request: HttpRequest, name: str) -> HttpResponse:
    """All images of one collection, page by page."""
    context = images_context(_named_or_404(request, name), request.GET.get("page", "1"))
    return render(request, "reports/collection_images.html", context)


@require_POST
@login_required
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Take a collection out of use; asked twice, the first stays who and when."""
    found = _steered_or_404(request, name)
    services.retire_collection(collection=found, user=request.user, now=timezone.now())  # type: ignore[arg-type]  # signed in
    return redirect("registry:collection", name)


@require_POST
@login_required
def restore(request: HttpRequest, name: str) -> HttpResponse:
    """Take a retired collection back into use."""
    services.restore_collection(collection=_steered_or_404(request, name))
    return redirect("registry:collection", name)


@require_safe
@login_required
def collected_image(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """One image, for researchers: annotators have addresses of their own."""
    try:
        return send_stored(_stored_or_404(request, identifier))
    except FileNotFoundError as error:
        raise Http404 from error


@require_safe
@login_required
def collected_thumbnail(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """The same, small: for pages that show many."""
    name = _stored_or_404(request, identifier)
    try:
        return send_stored(thumbnail(name))
    except OSError as error:
        logger.warning("no thumbnail of %s: %s", name, error)
        raise Http404 from error


def _named_or_404(request: HttpRequest, name: str) -> ImageCollection:
    visible = visible_to(request.user, collections().select_related("project"))
    return get_object_or_404(visible, name=name)


def _steered_or_404(request: HttpRequest, name: str) -> ImageCollection:
    return steered_or_404(request.user, collections(), Role.EDITOR, name=name)


def _stored_or_404(request: HttpRequest, identifier: int) -> str:
    visible = visible_to(request.user, CollectedImage.objects.only("image"), "collection__")
    return get_object_or_404(visible, pk=identifier).image
