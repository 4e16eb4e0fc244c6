"""The list to review of a campaign's people, with an action suggested for each."""

from django.db.models import Max

from evalplatform.annotation.models import CrowdVisit
from evalplatform.campaigns.models import Campaign
from evalplatform.crowd.review_file import APPROVE, LOOK, NOTHING, ReviewRow
from evalplatform.crowd.selectors import visits_of
from evalplatform.crowd.statuses import AWAITS_REVIEW
from evalplatform.quality.measures import AnnotatorMeasures
from evalplatform.quality.selectors import annotator_measures


def rows_to_review(campaign: Campaign) -> list[ReviewRow]:
    """Return a row for each submission that somebody came for, in the order they came.

    Suggested: `approve` who awaits review and whose votes count; `look` at who was excluded, or
    judged nothing; nothing for the others. Bonuses are empty.
    """
    measures = {each.pseudonym: each for each in annotator_measures(campaign)}
    visits = visits_of(campaign).annotate(last=Max("enrolment__annotator__votes__voted_at"))
    return [_row(visit, measures[visit.enrolment.annotator.pseudonym]) for visit in visits]


def _row(visit: CrowdVisit, measures: AnnotatorMeasures) -> ReviewRow:
    enrolment = visit.enrolment
    gold = measures.gold
    return ReviewRow(
        campaign=enrolment.campaign.slug,
        submission=visit.session_id,
        participant=enrolment.annotator.crowd_identity.external_id,
        pseudonym=enrolment.annotator.pseudonym,
        status=visit.status,
        judged=str(enrolment.judged),
        minutes=_minutes(visit),
        gold_right=f"{gold.hits}/{gold.total}" if gold.total else "",
        excluded_by=measures.excluded_by,
        action=_suggested(visit, measures),
        bonus="",
    )


def _minutes(visit: CrowdVisit) -> str:
    last = getattr(visit, "last", None)
    if last is None or last < visit.came_at:
        return ""
    return f"{(last - visit.came_at).total_seconds() / 60:.1f}"


def _suggested(visit: CrowdVisit, measures: AnnotatorMeasures) -> str:
    if visit.status != AWAITS_REVIEW:
        return NOTHING
    return LOOK if measures.excluded_by or not visit.enrolment.judged else APPROVE
