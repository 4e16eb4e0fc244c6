"""Captions for what a pool has kept: written by some, approved by others, written anew if not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from django.db import transaction

from evalplatform.accounts.models import User
from evalplatform.annotation.models import Assignment, Invitation, Release
from evalplatform.annotation.selectors import votes_missing
from evalplatform.annotation.services import invite, open_campaign
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign, ImageSet
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.curation.captions import (
    can_be_approved_by_others,
    open_round,
    people_known,
    without_caption,
    written_in,
)
from evalplatform.curation.gold_folder import GoldPicture, read_gold_captions, refuse_in_pool
from evalplatform.curation.models import Caption, CaptionRound, Pool
from evalplatform.curation.services.campaigns import (
    close_for_deciding,
    create_pool_campaign,
    pool_rules,
    refuse_gold_rate,
)
from evalplatform.curation.services.gold import deleted_on_failure, store_pictures

Progress = Callable[[int, int], None]
_IMAGE = "item__image_set__images__collected"


@dataclass(frozen=True)
class CaptionStep:
    """What one step of a pool's captions did.

    Attributes:
        round: the round that it belongs to; None where nothing is left to be done.
        campaign: that was opened; None where a round was closed.
        invitations: each with its secret.
        asked, approved, rejected: images the campaign asks about; what the closed round decided.
    """

    round: CaptionRound | None
    campaign: Campaign | None = None
    invitations: Sequence[tuple[Invitation, str]] = ()
    asked: int = 0
    approved: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class _Opening:
    """What every opening of a campaign needs to know."""

    pool: Pool
    people: Sequence[str]
    now: datetime
    created_by: User | None
    rules: Mapping[str, Mapping[str, object]]
    on_images: Progress
    gold: Path | None
    gold_rate: float
    stored: list[str]  # files of gold, which go where the step fails


def step_captions(
    *,
    pool: Pool,
    people: Sequence[str],
    now: datetime,
    created_by: User | None = None,
    unfinished: bool = False,
    rules: Mapping[str, Mapping[str, object]] | None = None,
    on_images: Progress = tell_nobody,
    gold: Path | None = None,
    gold_rate: float = 0.1,
) -> CaptionStep:
    """Take the next step of a pool's captions; all of it or nothing.

    Without an open round: opens one for the images kept so far that have no approved caption. Once
    all are written: opens their approval, by other people. Once all are judged: closes the round;
    the next call has written anew what was rejected. `people`: labels of who is invited; none are
    those who wrote. With `unfinished` a step is taken while answers are missing: what has none
    waits for the next round. `gold`: a folder of captions known to be right or wrong, of which the
    approval has `gold_rate` mixed in unseen, except images that an earlier approval had.

    Raises `BadInputError` while answers are missing or a stage is open, where nobody but its
    writer could approve a caption, for gold that is an image of the pool or no captions, and for
    gold where the step is no approval.
    """
    if len(set(people)) < len(people):
        raise BadInputError("the people name somebody twice; name each once.")
    refuse_gold_rate(gold_rate)
    with deleted_on_failure() as stored, transaction.atomic():
        opening = _Opening(
            pool, people, now, created_by, rules or {}, on_images, gold, gold_rate, stored
        )
        Pool.objects.select_for_update().get(pk=pool.pk)
        going = open_round(pool)
        _refuse_gold_elsewhere(gold, going)
        if going is None:
            return _open_writing(opening)
        if going.approval is None:
            _refuse_missing(going.writing, "captions", unfinished)
            return _open_approval(opening, going)
        _refuse_missing(going.approval, "approvals", unfinished)
        return _close_round(going, now)


def _open_writing(opening: _Opening) -> CaptionStep:
    pool = opening.pool
    stage = pool.stages.filter(closed_at__isnull=True).first()
    if stage is not None:
        raise BadInputError(
            f"stage {stage.kind!r} of {pool} is still open; close it first: captions are written "
            "of what it keeps."
        )
    images = list(without_caption(pool))
    if not images:
        return CaptionStep(None)
    if not opening.people:
        raise BadInputError(
            "captions are by invitation, so that nobody approves their own; name who writes them.",
            by_command="--people names them.",
        )
    number = pool.caption_rounds.count() + 1
    texts = {each.image_id: "" for each in images}
    campaign, invited = _open(opening, f"captions-{number}", "image_caption", "caption", texts)
    opened = CaptionRound.objects.create(pool=pool, number=number, writing=campaign)
    return CaptionStep(opened, campaign, invited, asked=len(images))


def _open_approval(opening: _Opening, going: CaptionRound) -> CaptionStep:
    close_for_deciding(going.writing)
    written = written_in(going.writing)
    if not written:
        raise BadInputError(f"nothing was written in {going}, so there is nothing to approve.")
    labels = opening.people or list(going.writing.invitations.values_list("label", flat=True))
    writers = {image: vote.annotator_id for image, vote in written.items()}
    if not can_be_approved_by_others(labels, people_known(going.pool), writers.values()):
        raise BadInputError(
            f"nobody but its writer could approve a caption among {', '.join(labels)}; name "
            "somebody else too.",
            by_command="--people names them.",
        )
    texts = {image: vote.answer for image, vote in written.items()}
    name, gold = f"approval-{going.number}", _gold(opening)
    opening = replace(opening, people=labels)
    campaign, invited = _open(opening, name, "caption_truth", "approve", texts, gold)
    _keep_from_writers(campaign, writers)
    going.approval = campaign
    going.save(update_fields=["approval"])
    return CaptionStep(going, campaign, invited, asked=len(texts))


def _gold(opening: _Opening) -> list[GoldPicture]:
    """Return the gold of an approval, without images that somebody may know of an earlier one."""
    if opening.gold is None:
        return []
    pool = opening.pool
    found = read_gold_captions(opening.gold)
    refuse_in_pool(found, set(pool.images.values_list("image__source_sha256", flat=True)))
    earlier = ImageSet.objects.gold().filter(campaign__captions_approved__pool=pool)
    seen = set(earlier.values_list("origin__sha256", flat=True))
    new = [each for each in found if each.sha256 not in seen]
    if not new:
        raise BadInputError(
            f"{opening.gold} has no new gold: earlier approvals of {pool} had all its "
            f"{len(found):,} images with captions, and people would know them again; add others, "
            "or leave the gold out."
        )
    return new


def _open(
    opening: _Opening, name: str, criterion: str, form: str, texts: Mapping[int, str],
    gold: Sequence[GoldPicture] = (),
) -> tuple[Campaign, list[tuple[Invitation, str]]]:  # fmt: skip
    pool = opening.pool
    rate = opening.gold_rate if gold else None
    campaign = create_pool_campaign(
        pool=pool, name=name, criterion=plan_criterion(criterion, 1, form), texts=texts,
        rules=pool_rules(invited=True, gold_rate=rate, further=opening.rules),
        created_by=opening.created_by,
    )  # fmt: skip
    beside = list(pool.images.filter(image__in=texts).select_related("image"))
    store_pictures(campaign, gold, beside=beside, stored=opening.stored)
    open_campaign(campaign=campaign, on_images=opening.on_images)
    known = people_known(pool)
    invited = invite(
        campaign=campaign, labels=list(opening.people), now=opening.now, known=known
    )  # fmt: skip
    return campaign, invited


def _keep_from_writers(campaign: Campaign, writers: Mapping[int, int]) -> None:
    """Let no item be leased to who wrote what it shows."""
    slots = Assignment.objects.filter(campaign=campaign).main().values_list("pk", "item", _IMAGE)
    Release.objects.bulk_create(
        (
            Release(
                assignment_id=slot, item_id=item, annotator_id=writers[image],
                reason=Release.Reason.OWN_WORK,
            )
            for slot, item, image in slots
        ),
        batch_size=5000,
    )  # fmt: skip


def _close_round(going: CaptionRound, now: datetime) -> CaptionStep:
    assert going.approval is not None
    close_for_deciding(going.approval)
    written, judged = written_in(going.writing), written_in(going.approval)
    if not judged:  # such as where the step that opened it was asked for twice
        raise BadInputError(f"nothing was judged in {going}, so there is nothing to decide.")
    images = dict(going.pool.images.filter(image__in=judged).values_list("image", "pk"))
    made = [
        Caption(
            round=going, pool_image_id=images[image], written=written[image], judged=vote,
            approved=vote.answer == "approve",
        )
        for image, vote in judged.items()
        if image in written  # not where its writer was excluded meanwhile
    ]  # fmt: skip
    Caption.objects.bulk_create(made, batch_size=5000)
    going.closed_at = now
    going.save(update_fields=["closed_at"])
    approved = sum(each.approved for each in made)
    return CaptionStep(going, approved=approved, rejected=len(made) - approved)


def _refuse_gold_elsewhere(gold: Path | None, going: CaptionRound | None) -> None:
    if gold is not None and (going is None or going.approval is not None):
        raise BadInputError(
            "gold captions go into an approval, and this step "
            f"{'closes one' if going else 'opens the writing'}; give {gold} with the step that "
            "opens the approval."
        )


def _refuse_missing(campaign: Campaign, what: str, unfinished: bool) -> None:
    missing = votes_missing(campaign)
    if missing and not unfinished:
        raise BadInputError(
            f"{campaign.slug}: {missing:,} {what} are missing; wait for them, or go on "
            "unfinished (what has none waits for the next round).",
            by_command="--unfinished goes on.",
        )
