"""Opening a stage of a pool as a campaign, and closing it with its decisions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.db import transaction

from evalplatform.accounts.models import User
from evalplatform.annotation.models import Invitation
from evalplatform.annotation.selectors import votes_missing
from evalplatform.annotation.services import invite, open_campaign
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.curation.deciding import decisions_hash
from evalplatform.curation.gold_folder import read_gold_folder, refuse_in_pool
from evalplatform.curation.guideline import WORDS, plan_stage
from evalplatform.curation.models import Pool, Promotion, Stage
from evalplatform.curation.selectors import decisions_of, kept_so_far
from evalplatform.curation.services.campaigns import (
    close_for_deciding,
    create_pool_campaign,
    pool_rules,
    refuse_gold_rate,
)
from evalplatform.curation.services.gold import deleted_on_failure, store_pictures

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class StagePlan:
    """What a stage asks and of whom.

    Attributes:
        kind: `Stage.Kind`.
        keep: `any` or `all`; None is the kind's own.
        k: judgements an image; None is the kind's own.
        heads: under which an image can be marked as failed.
        target: how many images are wanted.
        people: labels of those who are invited; nobody else can take part then.
        gold: folder of images that are known to be excellent or bad.
        gold_rate: share of hidden gold among what is shown.
        question: in place of the kind's own.
        grid: images on one screen, each judged by itself; 0: one after another.
        rules: further rules of its campaign.
    """

    kind: str
    keep: str | None = None
    k: int | None = None
    heads: Sequence[str] = ()
    target: int | None = None
    people: Sequence[str] = ()
    gold: Path | None = None
    gold_rate: float = 0.1
    question: str = ""
    grid: int = 0
    rules: dict[str, dict[str, object]] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenedStage:
    """A stage that was opened, with each invitation and its secret."""

    stage: Stage
    invitations: list[tuple[Invitation, str]]


def open_stage(
    *,
    pool: Pool,
    plan: StagePlan,
    now: datetime,
    created_by: User | None = None,
    on_images: Progress = tell_nobody,
    on_slots: Progress = tell_nobody,
) -> OpenedStage:
    """Open a stage over what the one before has kept. All or nothing.

    Its campaign is called POOL-KIND. Raises `BadInputError` while another stage is open, for a
    kind that was opened before, a target above what is left, k above those who are invited, a
    kind that needs experts without people, and gold that is an image of the pool.
    """
    criterion = _checked(plan)
    gold = read_gold_folder(plan.gold) if plan.gold else []
    with deleted_on_failure() as stored, transaction.atomic():
        Pool.objects.select_for_update().get(pk=pool.pk)
        number = _next_number(pool, plan)
        asked = list(kept_so_far(pool))
        _refuse_target(pool, plan, len(asked))
        hashes = set(pool.images.values_list("image__source_sha256", flat=True))
        refuse_in_pool(gold, hashes)
        campaign = create_pool_campaign(
            pool=pool, name=plan.kind, criterion=criterion,
            texts={each.image_id: "" for each in asked}, created_by=created_by,
            rules=pool_rules(
                invited=bool(plan.people), gold_rate=plan.gold_rate if plan.gold else None,
                further={**plan.rules, "annotation": {"grid": plan.grid,
                                                      **plan.rules.get("annotation", {})}},
            ),
        )  # fmt: skip
        store_pictures(campaign, gold, beside=asked, stored=stored)
        stage = Stage.objects.create(
            pool=pool, number=number, kind=plan.kind, campaign=campaign,
            keep=plan.keep or WORDS[plan.kind].keep, target=plan.target,
        )  # fmt: skip
        open_campaign(campaign=campaign, on_images=on_images, on_progress=on_slots)
        labels = list(plan.people)
        invited = invite(campaign=campaign, labels=labels, now=now) if labels else []
    return OpenedStage(stage, invited)


def close_stage(
    *, stage: Stage, now: datetime, closed_by: User | None = None, unfinished: bool = False
) -> Stage:
    """Close a stage's campaign and decide what is kept, both or neither.

    Raises `BadInputError` for a stage that is closed, and while judgements are missing unless
    `unfinished`: what lacks them is then decided by those there are.
    """
    with transaction.atomic():
        Pool.objects.select_for_update().get(pk=stage.pool_id)
        stage = Stage.objects.select_related("campaign", "pool").get(pk=stage.pk)
        if stage.closed_at is not None:
            raise BadInputError(f"stage {stage.kind!r} of {stage.pool} was closed before.")
        missing = votes_missing(stage.campaign)
        if missing and not unfinished:
            raise BadInputError(
                f"stage {stage.kind!r} of {stage.pool}: {missing:,} judgements are missing; wait "
                "for them, or close it unfinished, as it is (an image without enough of them is "
                "not kept by a stage that needs all).",
                by_command="--unfinished closes it so.",
            )
        close_for_deciding(stage.campaign)
        decided = list(decisions_of(stage))
        Promotion.objects.bulk_create(
            (Promotion(stage=stage, pool_image=image, kept=each.kept, why=each.why)
             for image, each in decided),
            batch_size=5000,
        )  # fmt: skip
        stage.closed_at, stage.closed_by = now, closed_by
        stage.decisions_sha256 = decisions_hash(
            (image.image.source_sha256, each.kept, each.why) for image, each in decided
        )
        stage.save(update_fields=["closed_at", "closed_by", "decisions_sha256"])
    return stage


def _checked(plan: StagePlan) -> CriterionPlan:
    """Return the criterion. Raises `BadInputError` for what is wrong whatever the pool."""
    if plan.kind not in WORDS:
        raise BadInputError(f"no stage {plan.kind!r}; accepted are {', '.join(WORDS)}.")
    words = WORDS[plan.kind]
    if plan.keep not in (None, *Stage.Keep.values):
        raise BadInputError(
            f"no way to keep {plan.keep!r}; accepted are {', '.join(Stage.Keep.values)}."
        )
    k = words.k if plan.k is None else plan.k
    criterion = plan_stage(plan.kind, k=k, heads=plan.heads, question=plan.question)
    people = len(set(plan.people))
    if people < len(plan.people):
        raise BadInputError("the people name somebody twice; name each once.")
    if (words.needs_experts or plan.people) and k > people:
        raise BadInputError(
            f"k {k} is above the {people} people who are enrolled for {plan.kind!r}: nobody "
            "judges an image twice. Name at least so many people, or lower k."
        )
    if plan.target is not None and plan.target < 1:
        raise BadInputError(f"the target {plan.target}: give at least 1.")
    if plan.grid and (criterion.heads or criterion.shows_prompt):
        raise BadInputError(
            f"a grid of {plan.grid}: heads and a description speak of one image alone; leave the "
            "grid out for this stage."
        )
    refuse_gold_rate(plan.gold_rate)
    return criterion


def _next_number(pool: Pool, plan: StagePlan) -> int:
    last = pool.stages.order_by("-number").first()
    if last is not None and last.closed_at is None:
        raise BadInputError(
            f"stage {last.kind!r} of {pool} is still open; close it first.",
            by_command=f"`manage.py curation close {pool} --stage {last.kind}` does it.",
        )
    if pool.stages.filter(kind=plan.kind).exists():
        raise BadInputError(f"stage {plan.kind!r} of {pool} was opened before; each is once.")
    return last.number + 1 if last else 1


def _refuse_target(pool: Pool, plan: StagePlan, left: int) -> None:
    if not left:
        raise BadInputError(f"the stage before kept no image of {pool}, so nothing is to be asked.")
    if plan.target is not None and plan.target > left:
        raise BadInputError(
            f"the target {plan.target:,} is above the {left:,} images of {pool} that are left."
        )
