"""Reading flows and what was said of their batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Max, QuerySet

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment, Exclusion
from evalplatform.campaigns.models import Item
from evalplatform.core.errors import BadInputError
from evalplatform.flows.answers import PanelFigures, figures_of
from evalplatform.flows.models import Flow, FlowBatch, FlowConsent
from evalplatform.tallies.folding import fold
from evalplatform.tallies.models import ItemTally
from evalplatform.tallies.selectors import changes_of


@dataclass(frozen=True)
class PanelState:
    """A panel as it was asked, and what was said of it so far."""

    prompt: str
    images: tuple[str, ...]
    k: int
    figures: PanelFigures

    @property
    def is_complete(self) -> bool:
        return self.figures.votes >= self.k


@dataclass(frozen=True)
class BatchState:
    """A batch at one moment; `version` changes whenever anything of it does."""

    batch: FlowBatch
    version: str
    panels: list[PanelState]

    @property
    def votes(self) -> int:
        return sum(each.figures.votes for each in self.panels)

    @property
    def is_final(self) -> bool:
        """Whether no more votes come."""
        return self.batch.status in FlowBatch.ENDED

    @property
    def is_partial(self) -> bool:
        """Whether some panel has fewer than k votes."""
        return not all(each.is_complete for each in self.panels)


def flows() -> "QuerySet[Flow]":
    """Return every flow with its project and how many batches it has."""
    return Flow.objects.select_related("project", "created_by").annotate(
        batch_count=Count("batches"), last_asked_at=Max("batches__asked_at")
    )


def flow_named(name: str) -> Flow:
    """Return the flow of this name. Raises `BadInputError` listing the known ones."""
    found = Flow.objects.filter(slug=name).first()
    if found is None:
        known = ", ".join(Flow.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise BadInputError(
            f"no flow {name!r}; known: {known}. Start one first.",
            by_command="`manage.py flow start` does it.",
        )
    return found


def batches(flow: Flow) -> "QuerySet[FlowBatch]":
    """Return the batches of a flow, the latest first."""
    return flow.batches.select_related("flow", "campaign", "asked_by")


def version_of(batch: FlowBatch) -> str:
    """Return what changes with every vote, undo and change of state: one small sum."""
    changes = 0 if batch.campaign_id is None else changes_of(batch.campaign_id)
    return f"{batch.status}-{changes}"


def state_of(batch: FlowBatch) -> BatchState:
    """Return what was said of a batch, as exact as the votes are: in one reading of the tallies."""
    version = version_of(batch)  # before the tallies: what comes between is news to the next look
    said: dict[int, dict[str, int]] = {}
    if batch.campaign_id is not None:
        fold([batch.campaign_id])
        items = Item.objects.filter(
            image_set__campaign=batch.campaign_id, image_set__purpose="main"
        ).values_list("image_set__prompt__position", "pk")
        tallies = dict(
            ItemTally.objects.filter(campaign=batch.campaign_id).values_list("pk", "said")
        )
        said = {position: tallies.get(item, {}) for position, item in items}
    panels = [
        PanelState(
            prompt=panel["prompt"],
            images=tuple(panel["images"]),
            k=batch.flow.k,
            figures=figures_of(said.get(place, {}), batch.flow.images_per_panel),
        )
        for place, panel in enumerate(batch.panels)
    ]
    return BatchState(batch, version, panels)


def has_agreed(flow: Flow, annotator_id: int) -> bool:
    """Return whether an annotator agreed to take part in a flow."""
    return FlowConsent.objects.filter(flow=flow, annotator=annotator_id).exists()


def is_turned_away(flow: Flow, annotator: Annotator) -> bool:
    """Return whether what somebody did in one batch keeps them from all of the flow."""
    mine = Enrolment.objects.filter(campaign__flow_batch__flow=flow, annotator=annotator)
    disqualified = mine.filter(status=Enrolment.Status.DISQUALIFIED)
    excluded = Exclusion.objects.filter(enrolment__in=mine, revoked_at=None)
    return disqualified.exists() or excluded.exists()


@dataclass(frozen=True)
class BatchTimes:
    """How long a batch took, in seconds; None for what has not come yet.

    `to_open`: from asking until annotators can come. `to_first`, `to_last`: from asking to its
    first and its last vote that counts.
    """

    to_open: float | None
    to_first: float | None
    to_last: float | None
    votes: int


_TIMES = """
SELECT a.campaign_id, count(*), min(v.voted_at), max(v.voted_at)
FROM annotation_vote v JOIN annotation_assignment a ON a.id = v.assignment_id
WHERE a.campaign_id = ANY(%s) AND a.slot IS NOT NULL
  AND v.retracted_at IS NULL AND v.exclusion_id IS NULL
GROUP BY a.campaign_id
"""


def times_of(rows: Sequence[FlowBatch]) -> dict[int, BatchTimes]:
    """Return how long each of some batches took, by key."""
    with connection.cursor() as cursor:
        cursor.execute(_TIMES, [[each.campaign_id for each in rows if each.campaign_id]])
        found = {campaign: rest for campaign, *rest in cursor.fetchall()}
    none = (0, None, None)
    times = {}
    for each in rows:
        votes, first, last = found.get(each.campaign_id, none)
        times[each.pk] = BatchTimes(
            to_open=_seconds(each.asked_at, each.opened_at),
            to_first=_seconds(each.asked_at, first),
            to_last=_seconds(each.asked_at, last),
            votes=votes,
        )
    return times


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else (until - since) / timedelta(seconds=1)
