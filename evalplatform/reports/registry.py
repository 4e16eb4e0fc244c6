"""What the registry's pages show: a checkpoint, where it came from and what was done with it."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaigns_running_on
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.selectors import tuned_from
from evalplatform.generation.models import Sample
from evalplatform.reports.cards import card_html

_SAMPLES = 24  # in the grid
_SAMPLES_A_PAGE = 120
_UPLOADS = 10  # most recent ones that did not end in a checkpoint
_MAX_CARD_BYTES = 60_000  # rendering a card that was made to be slow takes a second or two


@dataclass(frozen=True)
class Relative:
    """One line of a lineage: how deep it stands, and whether it is the one asked for."""

    checkpoint: Checkpoint | None  # None: not registered, so nothing but its hash is known
    sha256: str
    depth: int
    is_self: bool


def registry_context() -> dict[str, Any]:
    """Return every checkpoint, and the uploads that are not checkpoints (yet)."""
    return {
        "checkpoints": Checkpoint.objects.select_related("parent", "retired_by"),
        "uploads": Upload.objects.exclude(status=Upload.Status.VERIFIED)[:_UPLOADS],
        "roles": Checkpoint.Role.choices,
    }


def checkpoint_context(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return all that is known of one checkpoint."""
    return {
        "checkpoint": checkpoint,
        "lineage": lineage(checkpoint),
        "facts": _facts(checkpoint),
        "card": _card(checkpoint),
        "samples": _latest(checkpoint)[:_SAMPLES],
        "sample_count": _latest(checkpoint).count(),
        "campaigns": Campaign.objects.filter(arms__checkpoint=checkpoint),
        "running": campaigns_running_on(checkpoint),
    }


def samples_context(checkpoint: Checkpoint, page: str) -> dict[str, Any]:
    """Return one page of all the checkpoint's samples; what is no page's number is the nearest."""
    pages = Paginator(_latest(checkpoint), _SAMPLES_A_PAGE)
    return {"checkpoint": checkpoint, "page": pages.get_page(page)}


def _latest(checkpoint: Checkpoint) -> QuerySet[Sample]:
    made = Sample.objects.filter(checkpoint=checkpoint, status=Sample.Status.READY)
    return made.select_related("prompt", "settings").order_by("-generated_at", "-pk")


def lineage(checkpoint: Checkpoint) -> list[Relative]:
    """Return the tree from its oldest known ancestor down, depth first, children by name."""
    root, above = checkpoint, {checkpoint.pk}
    while root.registered_parent and root.registered_parent.pk not in above:
        root = root.registered_parent
        above.add(root.pk)
    found: list[Relative] = []

    def walk(sha256: str, each: Checkpoint | None, depth: int) -> None:
        if sha256 in {relative.sha256 for relative in found}:
            return
        found.append(Relative(each, sha256, depth, each == checkpoint))
        for child in tuned_from(sha256):
            walk(child.sha256, child, depth + 1)

    if root.parent_sha256 and root.registered_parent is None:
        walk(root.parent_sha256, None, 0)
    else:
        walk(root.sha256, root, 0)
    return found


def _facts(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """Return the provenance's plain values as (name, value), in the order they were recorded."""
    facts = []
    for name, value in checkpoint.training.items():
        if isinstance(value, dict) and all(
            not isinstance(each, dict | list) for each in value.values()
        ):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        if isinstance(value, str | int | float):
            facts.append((name.replace("_", " "), str(value)))
    return facts


def _card(checkpoint: Checkpoint) -> SafeString | None:
    """Return the model card as HTML, the beginning of one that is very long, or None."""
    path = checkpoint.directory / "README.md"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return card_html(file.read(_MAX_CARD_BYTES).decode("utf-8", "replace"))
