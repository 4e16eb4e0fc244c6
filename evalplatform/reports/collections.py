"""What the registry's pages of image collections show."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Asking, Role, may, visible_to
from evalplatform.campaigns.selectors import collections_of_no_series
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import collections

_IMAGES = 24  # in the grid
_IMAGES_A_PAGE = 120


def collections_context(request: HttpRequest) -> dict[str, Any]:
    """Return the collections of the person's projects, for the list beside the checkpoints."""
    visible = visible_to(request.user, collections())
    return {"collections": in_current_project(request, collections_of_no_series(visible))}


def collection_context(collection: ImageCollection, user: Asking) -> dict[str, Any]:
    """Return all that is known of one collection."""
    counts = collection.images.aggregate(prompts=Count("prompt", distinct=True))
    prompt_set = collection.prompt_set
    return {
        "collection": collection,
        "may_edit": may(user, collection.project, Role.EDITOR),
        "images": collection.images.select_related("prompt").order_by("position")[:_IMAGES],
        "prompts_with_images": counts["prompts"],
        "prompts_of_the_set": prompt_set.prompts.count() if prompt_set else 0,
    }


def images_context(collection: ImageCollection, page: str) -> dict[str, Any]:
    """Return one page of its images; what is no page's number is the nearest."""
    images = collection.images.select_related("prompt").order_by("position")
    return {"collection": collection, "page": Paginator(images, _IMAGES_A_PAGE).get_page(page)}
