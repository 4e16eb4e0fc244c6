"""Reading pools: what is left, what was judged, what a stage would decide."""

from collections import defaultdict
from collections.abc import Iterator

from django.db.models import QuerySet

from evalplatform.accounts.models import Project
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.curation.deciding import StageDecision, StageJudgement, decide
from evalplatform.curation.models import Pool, PoolImage, Stage


def pools() -> QuerySet[Pool]:
    """Return every pool by name, with its collection at hand."""
    return Pool.objects.select_related("collection", "project")


def pool_named(name: str, project: Project | None = None) -> Pool:
    """Return the pool of this name. Raises `BadInputError` listing those there are."""
    known = pools() if project is None else pools().filter(project=project)
    found = known.filter(name=name).first()
    if found is None:
        names = ", ".join(known.values_list("name", flat=True)[:20]) or "none yet"
        raise BadInputError(
            f"no pool {name!r}; there are {names}. Bring one first.",
            by_command="`manage.py curation import` does it.",
        )
    return found


def stage_named(pool: Pool, kind: str) -> Stage:
    """Return a pool's stage. Raises `BadInputError` listing those that were opened."""
    found = pool.stages.select_related("campaign").filter(kind=kind).first()
    if found is None:
        kinds = ", ".join(pool.stages.values_list("kind", flat=True)) or "none"
        raise BadInputError(f"pool {pool.name!r} has no stage {kind!r}; opened so far: {kinds}.")
    return found


def kept_so_far(pool: Pool) -> QuerySet[PoolImage]:
    """Return the images that the last stage that decided kept; all before the first."""
    last = pool.stages.filter(closed_at__isnull=False).order_by("-number").first()
    rows = pool.images.select_related("image")
    return rows.filter(promotions__stage=last, promotions__kept=True) if last else rows


def asked_in(stage: Stage) -> QuerySet[PoolImage]:
    """Return the images that a stage asks about."""
    chosen = stage.campaign.chosen.values("image")
    return stage.pool.images.filter(image__in=chosen).select_related("image")


def standing_votes(stage: Stage) -> QuerySet[Vote]:
    """Return the votes of a stage that count, gold aside."""
    return standing_votes_of(stage.campaign)


def standing_votes_of(campaign: Campaign) -> QuerySet[Vote]:
    """Return the votes of a campaign that count, gold aside."""
    return Vote.objects.filter(
        assignment__campaign=campaign,
        assignment__purpose=Assignment.Purpose.MAIN,
        retracted_at__isnull=True,
        exclusion__isnull=True,
    )


def judgements_of(stage: Stage) -> dict[int, list[StageJudgement]]:
    """Return what was said of each image, by the key of its collected image."""
    rows = (
        standing_votes(stage)
        .order_by("pk")
        .values_list("assignment__item__image_set__images__collected", "answer", "marks")
    )
    found: dict[int, list[StageJudgement]] = defaultdict(list)
    for image, answer, marks in rows.iterator():
        found[image].append(StageJudgement(answer, tuple(marks)))
    return found


def decisions_of(stage: Stage) -> Iterator[tuple[PoolImage, StageDecision]]:
    """Yield what a stage decides of each of its images by the votes that stand now."""
    said, k = judgements_of(stage), stage.campaign.criteria.get().k
    for each in asked_in(stage).order_by("pk"):
        yield each, decide(said.get(each.image_id, ()), keep=stage.keep, k=k)


def differing_decisions(stage: Stage) -> list[str]:
    """Return, of a stage that has decided, what its votes say otherwise now; none where all hold.

    Votes of a closed campaign change only where somebody's are excluded afterwards.
    """
    stored = {
        row.pool_image_id: (row.kept, row.why) for row in stage.promotions.iterator(chunk_size=5000)
    }
    return [
        f"{image.image.source_sha256[:12]}: decided {stored.get(image.pk)}, the votes say "
        f"{(decision.kept, decision.why)}"
        for image, decision in decisions_of(stage)
        if stored.get(image.pk) != (decision.kept, decision.why)
    ]
