"""Image collections, as a signed-in researcher reads them."""

import logging

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evalplatform.core.sending import send_stored
from evalplatform.core.thumbnails import CONTENT_TYPE, thumbnail
from evalplatform.images import services
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.images.selectors import collections
from evalplatform.reports.collections import collection_context, images_context

logger = logging.getLogger(__name__)


@require_safe
@login_required
def collection(request: HttpRequest, name: str) -> HttpResponse:
    """One collection: where it is from, and its first images."""
    return render(request, "reports/collection.html", collection_context(_named(name)))


@require_safe
@login_required
def images(request: HttpRequest, name: str) -> HttpResponse:
    """All images of one collection, page by page."""
    context = images_context(_named(name), request.GET.get("page", "1"))
    return render(request, "reports/collection_images.html", context)


@require_POST
@login_required
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Take a collection out of use; asked twice, the first stays who and when."""
    services.retire_collection(collection=_named(name), user=request.user, now=timezone.now())  # type: ignore[arg-type]  # signed in
    return redirect("registry:collection", name)


@require_POST
@login_required
def restore(request: HttpRequest, name: str) -> HttpResponse:
    """Take a retired collection back into use."""
    services.restore_collection(collection=_named(name))
    return redirect("registry:collection", name)


@require_safe
@login_required
def collected_image(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """One image, for researchers: annotators have addresses of their own."""
    try:
        return send_stored(_stored(identifier), "image/png")
    except FileNotFoundError as error:
        raise Http404 from error


@require_safe
@login_required
def collected_thumbnail(request: HttpRequest, identifier: int) -> HttpResponseBase:
    """The same, small: for pages that show many."""
    name = _stored(identifier)
    try:
        return send_stored(thumbnail(name), CONTENT_TYPE)
    except OSError as error:
        logger.warning("no thumbnail of %s: %s", name, error)
        raise Http404 from error


def _named(name: str) -> ImageCollection:
    return get_object_or_404(collections(), name=name)


def _stored(identifier: int) -> str:
    return get_object_or_404(CollectedImage.objects.only("image"), pk=identifier).image
