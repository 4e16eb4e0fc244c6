"""The figures of a pool: what is left after each stage and of each concept, and how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, Max, Min, Q, QuerySet

from evalplatform import stats
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.annotation.selectors import votes_missing
from evalplatform.campaigns.models import Campaign
from evalplatform.curation.deciding import would_keep
from evalplatform.curation.models import Pool, PoolImage, Promotion, Stage
from evalplatform.curation.selectors import kept_so_far, standing_votes, standing_votes_of

_REPLICATES = 200
_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class FunnelBar:
    """One step of the funnel: how many images of how many it left; `left` None while it is open."""

    name: str
    before: int
    left: int | None
    by_people: bool


@dataclass(frozen=True)
class ConceptLeft:
    """One concept: images of it in the pool, and those that are left."""

    name: str
    images: int
    left: int


@dataclass(frozen=True)
class HeadAgreement:
    """How far people agree that a head fails; `keep` is the answer itself."""

    head: str
    failed: int
    judgements: int
    alpha: stats.AgreementEstimate


@dataclass(frozen=True)
class StagePace:
    """How far a stage is; rates are of the last hour in which somebody judged.

    Attributes:
        seconds_left: at that rate; None where there is none yet.
    """

    done: int
    total: int
    a_minute: float | None
    seconds_left: float | None


def funnel_of(pool: Pool) -> list[FunnelBar]:
    """Return the automatic stages as the pool's funnel says, then people's."""
    bars = list(_automatic(pool))
    left = pool.images.count()
    for stage in pool.stages.select_related("campaign"):
        counts = stage.promotions.aggregate(
            asked=Count("pk"), kept=Count("pk", filter=Q(kept=True))
        )
        before = counts["asked"] if stage.closed_at else left
        kept = counts["kept"] if stage.closed_at else None
        bars.append(FunnelBar(stage.get_kind_display(), before, kept, True))
        left = left if kept is None else kept
    return bars


def _automatic(pool: Pool) -> Iterator[FunnelBar]:
    """Yield the stages of `funnel.json` (docs/curation.md); what does not fit it is left out."""
    before = pool.funnel.get("images")
    stages = pool.funnel.get("stages")
    for each in stages if isinstance(stages, list) else ():
        left = each.get("kept") if isinstance(each, dict) else None
        if isinstance(left, int) and isinstance(before, int):
            yield FunnelBar(str(each.get("stage", "rules")), before, left, False)
            before = left


def concepts_of(pool: Pool) -> list[ConceptLeft]:
    """Return every concept, the most frequent first."""
    every = _by_concept(pool.images.all())
    left = _by_concept(kept_so_far(pool))
    return [ConceptLeft(name, count, left[name]) for name, count in every.most_common()]


def _by_concept(rows: QuerySet[PoolImage]) -> Counter[str]:
    counted = rows.order_by().values_list("concept").annotate(count=Count("pk"))
    return Counter(dict(counted))


def agreement_of(stage: Stage) -> list[HeadAgreement]:
    """Return how far people agree to keep, and on each head; nothing where k is 1.

    Krippendorff's nominal alpha over images with two judgements and more, with a bootstrap
    interval (see `stats.graded_agreement`).
    """
    criterion = stage.campaign.criteria.get()
    votes = standing_votes(stage)
    rows = list(votes.values_list("assignment__item", "annotator", "answer", "marks"))
    if criterion.k < 2 or not rows:
        return []
    items, people = [row[0] for row in rows], [row[1] for row in rows]
    columns = {"keep": [would_keep(row[2], keep=stage.keep) for row in rows]}
    columns |= {head: [head in row[3] for row in rows] for head in criterion.heads}
    found = []
    for name, marked in columns.items():
        alpha = _alpha(items, people, marked)
        if alpha is not None:
            found.append(HeadAgreement(name, sum(marked), len(rows), alpha))
    return found


def _alpha(
    items: Sequence[int], people: Sequence[int], marked: Sequence[bool]
) -> stats.AgreementEstimate | None:
    votes = stats.graded_votes(
        item=items, prompt=items, annotator=people, arm=np.zeros((len(items), 1), dtype=int),
        grade=np.array(marked, dtype=int).reshape(-1, 1),
    )  # fmt: skip
    found = stats.graded_agreement(votes, grades=(0, 1), replicates=_REPLICATES)
    return found[0].alpha if found else None


def pace_of(stage: Stage, now: datetime) -> StagePace:
    """Return how far a stage is and when it will be done if people go on as in the last hour."""
    return campaign_pace(stage.campaign, now)


def campaign_pace(campaign: Campaign, now: datetime) -> StagePace:
    """Return how far a campaign is and when it will be done if people go on as in the last hour."""
    total = Assignment.objects.filter(campaign=campaign).main().count()
    missing = votes_missing(campaign)
    recent = standing_votes_of(campaign).filter(voted_at__gt=now - _WINDOW).aggregate(
        count=Count("pk"), first=Min("voted_at"), last=Max("voted_at")
    )  # fmt: skip
    rate = None
    if recent["count"] > 1 and recent["last"] > recent["first"]:
        minutes = (now - recent["first"]).total_seconds() / 60
        rate = recent["count"] / minutes if minutes > 0 else None
    left = 60 * missing / rate if rate and missing else None
    return StagePace(total - missing, total, rate, left)


def is_simulated(pool: Pool) -> bool:
    """Return whether a vote of any of its stages or captions is simulated."""
    ours = (
        Q(assignment__campaign__stage__pool=pool)
        | Q(assignment__campaign__captions_written__pool=pool)
        | Q(assignment__campaign__captions_approved__pool=pool)
    )
    return Vote.objects.filter(ours, is_simulated=True).exists()


def kept_counts(pools: Iterable[Pool]) -> dict[int, int]:
    """Return how many images each pool's last closed stage kept; pools without one are absent."""
    rows = (
        Promotion.objects.filter(stage__pool__in=list(pools))
        .values_list("stage__pool", "stage__number")
        .annotate(count=Count("pk", filter=Q(kept=True)))
        .order_by("stage__number")
    )
    return {pool: count for pool, _, count in rows}
