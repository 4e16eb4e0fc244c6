"""The sets of images that a dashboard shows."""

import base64
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db.models import Prefetch
from django.urls import reverse

from evalplatform.campaigns.models import Campaign, Picture, ShownImage
from evalplatform.core.thumbnails import CONTENT_TYPE, thumbnail
from evalplatform.generation.models import Sample

# Sets shown are the first of the campaign's seeded random order: never picked by hand.
SHOWN_SETS = 12


@dataclass(frozen=True)
class Thumbnail:
    """One image of a set, for readers of the dashboard (never for annotators)."""

    arm: str  # its letter
    small: str  # address of its thumbnail, or the thumbnail itself in a file that opens offline
    full: str  # address of the image; empty offline
    width: int
    height: int


@dataclass(frozen=True)
class SetOnPage:
    """The images of one set and their prompt."""

    prompt: str
    images: list[Thumbnail]


def first_sets(campaign: Campaign, *, offline: bool) -> list[SetOnPage]:
    """Return the first sets of the campaign's random order."""
    items = campaign.items.main().filter(criterion=campaign.criteria.first())
    first = items.select_related("image_set").prefetch_related(
        Prefetch(
            "image_set__images", ShownImage.objects.select_related("arm", "sample", "collected")
        )
    )
    return [
        SetOnPage(
            prompt=item.image_set.prompt_text,
            images=[
                _thumbnail(image.arm.letter, image.picture, offline)
                for image in item.image_set.images.all()
                if image.arm and image.picture
            ],
        )
        for item in first.order_by("position")[:SHOWN_SETS]
        if any(image.picture for image in item.image_set.images.all())
    ]


def _thumbnail(letter: str, picture: Picture, offline: bool) -> Thumbnail:
    if offline:
        small, full = _inline(picture.image), ""
    else:
        kind = "sample" if isinstance(picture, Sample) else "collected"
        small = reverse(f"registry:{kind}_thumbnail", args=[picture.pk])
        full = reverse(f"registry:{kind}", args=[picture.pk])
    return Thumbnail(letter, small, full, picture.width or 0, picture.height or 0)


def _inline(name: str) -> str:
    """Return a stored image's thumbnail as a data address."""
    with default_storage.open(thumbnail(name)) as file:
        return f"data:{CONTENT_TYPE};base64," + base64.b64encode(file.read()).decode()
