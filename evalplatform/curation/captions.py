"""Reading captions: who may still be asked, what was written, what of it was approved."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment, Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.curation.models import Caption, CaptionRound, Pool, PoolImage
from evalplatform.curation.selectors import kept_so_far, standing_votes_of

_IMAGE = "assignment__item__image_set__images__collected"


@dataclass(frozen=True)
class CaptionFigures:
    """How far the captions of a pool are.

    Attributes:
        wanted: images that are kept so far.
        approved: of those, images with an approved caption.
        rejected: captions that were rejected, in all rounds.
    """

    wanted: int
    approved: int
    rejected: int


def without_caption(pool: Pool) -> QuerySet[PoolImage]:
    """Return the images kept so far of which no caption is approved."""
    return kept_so_far(pool).exclude(captions__approved=True)


def open_round(pool: Pool) -> CaptionRound | None:
    """Return the round that goes on."""
    rounds = pool.caption_rounds.select_related("writing", "approval", "pool")
    return rounds.filter(closed_at__isnull=True).first()


def written_in(campaign: Campaign) -> dict[int, Vote]:
    """Return the votes of a campaign that stand, by the key of their collected image."""
    votes = standing_votes_of(campaign).select_related("annotator").order_by("pk")
    keys = dict(votes.values_list("pk", _IMAGE))
    return {keys[vote.pk]: vote for vote in votes}


def people_known(pool: Pool) -> dict[str, Annotator]:
    """Return who took part in the captions of a pool so far, by their invitation's label."""
    ours = Q(campaign__captions_written__pool=pool) | Q(campaign__captions_approved__pool=pool)
    rows = Enrolment.objects.filter(ours, invitation__isnull=False).exclude(invitation__label="")
    return {
        each.invitation.label: each.annotator  # type: ignore[union-attr]
        for each in rows.select_related("invitation", "annotator").order_by("pk")
    }


def approved_captions(images: Iterable[PoolImage]) -> dict[int, Caption]:
    """Return the approved caption of each image that has one, by the image's key."""
    rows = Caption.objects.filter(pool_image__in=list(images), approved=True)
    rows = rows.select_related("round", "written__annotator", "judged__annotator")
    return {each.pool_image_id: each for each in rows}


def caption_figures(pool: Pool) -> CaptionFigures:
    """Return how far the captions of a pool are."""
    wanted = kept_so_far(pool)
    return CaptionFigures(
        wanted=wanted.count(),
        approved=wanted.filter(captions__approved=True).count(),
        rejected=Caption.objects.filter(round__pool=pool, approved=False).count(),
    )


def captions_that_fell(pool: Pool) -> Iterator[str]:
    """Yield captions a vote of which no longer counts, since somebody was excluded."""
    fallen = Q(written__exclusion__isnull=False) | Q(judged__exclusion__isnull=False)
    rows = Caption.objects.filter(fallen, round__pool=pool, approved=True)
    for each in rows.select_related("pool_image__image", "round"):
        yield f"{each.round}: {each.pool_image.image.source_sha256[:12]}"


def can_be_approved_by_others(
    labels: Iterable[str], known: Mapping[str, Annotator], writers: Iterable[int]
) -> bool:
    """Whether for each writer (by key) somebody else is among the labels."""
    people = [known[label].pk if label in known else None for label in labels]
    return all(any(each != writer for each in people) for writer in set(writers))
