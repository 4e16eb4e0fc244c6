"""Storing the gold of a pool's campaigns, before they open."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.core.files.storage import default_storage

from evalplatform.campaigns.images import Size
from evalplatform.campaigns.models import Campaign
from evalplatform.curation.gold_folder import GoldPicture
from evalplatform.curation.models import PoolImage
from evalplatform.quality.gold import GoldImages
from evalplatform.quality.services import store_gold

ORIGIN = "curation"


@contextmanager
def deleted_on_failure() -> Iterator[list[str]]:
    """Give a list for names of stored files, and delete those it holds where the block fails."""
    stored: list[str] = []
    try:
        yield stored
    except BaseException:
        for name in stored:
            default_storage.delete(name)
        raise


def store_pictures(
    campaign: Campaign,
    gold: Sequence[GoldPicture],
    *,
    beside: Sequence[PoolImage],
    stored: list[str],
) -> None:
    """Store gold of a campaign of one criterion; append the names of its files to `stored`.

    Where all the images `beside` which it is shown have one size, gold is fitted to it.
    """
    criterion, size = campaign.criteria.get(), _one_size(beside)
    for each in gold:
        origin = {"kind": ORIGIN, "folder": each.kind, "sha256": each.sha256}
        images = GoldImages(each.caption, (each.open(size),), (each.grade,), each.why, origin)
        stored += store_gold(campaign, criterion, each.purpose, images).files


def _one_size(images: Sequence[PoolImage]) -> Size | None:
    """Return the size of all images; None where sizes differ anyway."""
    sizes = {(each.image.width, each.image.height) for each in images}
    return sizes.pop() if len(sizes) == 1 else None
