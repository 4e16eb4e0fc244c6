"""Reading an annotator's work."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.campaigns.models import Campaign


@dataclass(frozen=True)
class AnnotatorProgress:
    """Comparisons this annotator has judged, and how many are still there for them."""

    done: int
    remaining: int

    @property
    def total(self) -> int:
        return self.done + self.remaining


def enrolment_of(annotator: Annotator | None, campaign: Campaign) -> Enrolment | None:
    """Return the annotator's enrolment in the campaign, or None before they agreed to take part."""
    if annotator is None:
        return None
    return Enrolment.objects.filter(annotator=annotator, campaign=campaign).first()


def annotator_progress(*, annotator: Annotator, campaign: Campaign) -> AnnotatorProgress:
    """Return the annotator's own progress.

    `remaining` counts comparisons with an unfinished slot that this annotator has not judged; it
    only falls while others work too, so the bar never goes back.
    """
    mine = Assignment.objects.filter(annotator=annotator, campaign=campaign)
    judged = mine.completed().filter(comparison=OuterRef("comparison"))
    open_to_me = (
        Assignment.objects.filter(campaign=campaign)
        .pending()
        .filter(~Exists(judged))
        .values("comparison")
        .distinct()
        .count()
    )
    return AnnotatorProgress(done=mine.completed().count(), remaining=open_to_me)


def held_assignment(*, annotator: Annotator, public_id: str) -> Assignment | None:
    """Return the assignment of this id if it is the annotator's, with its two samples."""
    return (
        Assignment.objects.held_by(annotator)
        .filter(public_id=public_id)
        .select_related("comparison__sample_a", "comparison__sample_b")
        .first()
    )


def votes_missing(campaign: Campaign) -> int:
    """Return how many slots of the campaign have no vote yet."""
    return Assignment.objects.filter(campaign=campaign).pending().count()
