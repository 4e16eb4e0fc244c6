"""What is true of the images of a campaign, for reviewers who are to know it.

A truth file has a line for each image of a pool: SHA-256 of its source file, quality from 0 to 1,
and, where it fails, the heads under which it does, parted by `;`. Tabs between them; empty lines
and lines that begin with # are passed over. Gold needs no line: its grade says how good it is, or
whether the caption shown with it is right.
"""

from collections.abc import Mapping
from pathlib import Path

from django.core.files.storage import default_storage

from evalplatform.campaigns.models import Campaign, ShownImage
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import text_lines
from evalplatform.core.words import counted
from evalplatform.simulation.behaviour import see
from evalplatform.simulation.reviewers import KnownImage

_GOOD_GOLD, _BAD_GOLD = 0.95, 0.05


def read_truth(path: Path) -> dict[str, KnownImage]:
    """Return a truth file by SHA-256. Raises `BadInputError` naming the line that is wrong."""
    found: dict[str, KnownImage] = {}
    for number, line in enumerate(text_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        sha256, quality, *heads = line.rstrip("\n").split("\t")
        try:
            value = float(quality)
        except ValueError:
            value = -1.0
        if len(sha256) != 64 or not 0 <= value <= 1 or len(heads) > 1:
            raise BadInputError(
                f"{path} line {number}: {line.strip()[:80]!r}; give a SHA-256, a quality from 0 to "
                "1 and, if any, the heads that fail parted by ;, with tabs between."
            )
        failing = tuple(each for each in heads[0].split(";") if each) if heads else ()
        found[sha256] = KnownImage(value, failing)
    return found


def known_images(campaign: Campaign, truth: Mapping[str, KnownImage]) -> dict[bytes, KnownImage]:
    """Return what is true of every image that the campaign shows, by the key of its pixels.

    Raises `BadInputError` where the truth of an image is not known.
    """
    known: dict[bytes, KnownImage] = {}
    unknown: list[str] = []
    rows = ShownImage.objects.filter(image_set__campaign=campaign)
    for each in rows.select_related("image_set__criterion", "collected").iterator():
        true = _true_of(each, truth)
        if true is None:
            unknown.append(each.collected.source_sha256 if each.collected else str(each))
            continue
        with default_storage.open(each.copies[0]) as file:
            known[see(file.read()).key] = true
    if unknown:
        raise BadInputError(
            f"the truth of {counted(len(unknown), 'image')} of {campaign.slug} is not known "
            "(such as "
            f"{unknown[0][:12]}); give a line for each image of the pool."
        )
    return known


def _true_of(image: ShownImage, truth: Mapping[str, KnownImage]) -> KnownImage | None:
    expected = image.image_set.expected
    if expected is not None:
        is_good, asked = bool(expected[image.place]), image.image_set.criterion
        assert asked  # image_set_is_gold_or_not
        if asked.form == "approve":
            return KnownImage(_GOOD_GOLD, is_described=is_good)
        return KnownImage(_GOOD_GOLD if is_good else _BAD_GOLD)
    return truth.get(image.collected.source_sha256) if image.collected else None
