"""What the registry's pages show: a checkpoint, where it came from and what was done with it."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Asking, Role, may, projects_of, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaigns_running_on
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.selectors import parent_of, tuned_from
from evalplatform.checkpoints.services import can_be_base
from evalplatform.generation.models import Sample
from evalplatform.generation.overview import visible_samples
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


@dataclass(frozen=True)
class RegistryRow:
    """One line of the registry; `parent` where that exists for whoever reads it."""

    checkpoint: Checkpoint
    parent: Checkpoint | None


def registry_context(request: HttpRequest) -> dict[str, Any]:
    """Return the checkpoints of the person's projects, and uploads that are none (yet)."""
    user = request.user
    visible = visible_to(user, Checkpoint.objects.select_related("project", "retired_by"))
    uploads = visible_to(
        user, Upload.objects.exclude(status=Upload.Status.VERIFIED).select_related("base")
    )
    usable = visible.filter(status=Checkpoint.Status.VERIFIED)
    parents = {each.sha256: each for each in visible}
    return {
        "checkpoints": [
            RegistryRow(each, parents.get(each.parent_sha256 or ""))
            for each in in_current_project(request, visible)
        ],
        "uploads": in_current_project(request, uploads)[:_UPLOADS],
        "upload_projects": projects_of(user, Role.EDITOR),
        "roles": Checkpoint.Role.choices,
        "bases": [each for each in usable if can_be_base(each)],
        "parts": Upload.Part.choices,
        "weights": Upload.Weights.choices,
    }


def checkpoint_context(checkpoint: Checkpoint, user: Asking) -> dict[str, Any]:
    """Return all of one checkpoint that somebody may know."""
    samples = _latest(checkpoint, user)
    return {
        "checkpoint": checkpoint,
        "lineage": lineage(checkpoint, user),
        "facts": _facts(checkpoint),
        "card": _card(checkpoint),
        "samples": samples[:_SAMPLES],
        "sample_count": samples.count(),
        "campaigns": visible_to(user, Campaign.objects.filter(arms__checkpoint=checkpoint)),
        "running": campaigns_running_on(checkpoint, user),
        "may_edit": may(user, checkpoint.project, Role.EDITOR),
    }


def samples_context(checkpoint: Checkpoint, user: Asking, page: str) -> dict[str, Any]:
    """Return one page of all the checkpoint's samples; what is no page's number is the nearest."""
    pages = Paginator(_latest(checkpoint, user), _SAMPLES_A_PAGE)
    return {"checkpoint": checkpoint, "page": pages.get_page(page)}


def _latest(checkpoint: Checkpoint, user: Asking) -> QuerySet[Sample]:
    made = Sample.objects.filter(checkpoint=checkpoint, status=Sample.Status.READY)
    return (
        visible_samples(user, made)
        .select_related("prompt", "settings")
        .order_by("-generated_at", "-pk")
    )


def lineage(checkpoint: Checkpoint, user: Asking) -> list[Relative]:
    """Return what somebody may see of the tree, from its oldest ancestor down, children by name."""
    root, above = checkpoint, {checkpoint.pk}
    while (parent := parent_of(root, user)) and parent.pk not in above:
        root = parent
        above.add(root.pk)
    found: list[Relative] = []

    def walk(sha256: str, each: Checkpoint | None, depth: int) -> None:
        if sha256 in {relative.sha256 for relative in found}:
            return
        found.append(Relative(each, sha256, depth, each == checkpoint))
        for child in tuned_from(sha256, user):
            walk(child.sha256, child, depth + 1)

    if root.parent_sha256 and parent is None:
        walk(root.parent_sha256, None, 0)
    else:
        walk(root.sha256, root, 0)
    return found


_NOTHING: tuple[object, ...] = (None, "", [], {})


def _facts(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """Return the provenance's plain values as (name, value), in the order they were recorded.

    What it does not have, such as a LoRA, is left out.
    """
    facts = []
    for name, value in checkpoint.training.items():
        if isinstance(value, dict):
            known = {key: each for key, each in value.items() if each not in _NOTHING}
            if not any(isinstance(each, dict | list) for each in known.values()):
                value = ", ".join(f"{key} {each}" for key, each in known.items())
        if isinstance(value, str | int | float) and value not in _NOTHING:
            facts.append((name.replace("_", " "), str(value)))
    return facts


def _card(checkpoint: Checkpoint) -> SafeString | None:
    """Return the model card as HTML, the beginning of one that is very long, or None."""
    path = checkpoint.directory / "README.md"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return card_html(file.read(_MAX_CARD_BYTES).decode("utf-8", "replace"))
