"""Reading who came from Prolific."""

from django.db.models import QuerySet

from evalplatform.annotation.models import CrowdVisit
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError


def refuse_other_platforms(campaign: Campaign) -> None:
    """Raise `BadInputError` for a campaign whose people come from elsewhere than Prolific."""
    rules = campaign.checked_rules.crowd
    if rules.platform != "prolific":
        raise BadInputError(
            f"campaign {campaign.slug!r} takes people from {rules.label}; this is for Prolific."
        )


def visits_of(campaign: Campaign) -> QuerySet[CrowdVisit]:
    """Return the visits of a campaign's Prolific people, with who they are, but for erased ones.

    Raises `BadInputError` for a campaign whose people come from elsewhere.
    """
    refuse_other_platforms(campaign)
    return (
        CrowdVisit.objects.telling()
        .filter(enrolment__campaign=campaign, platform=campaign.checked_rules.crowd.slug)
        .exclude(session_id="")
        .select_related("enrolment__annotator__crowd_identity", "enrolment__campaign")
        .order_by("came_at", "pk")
    )


def studies_of(campaign: Campaign) -> list[str]:
    """Return the ids of the Prolific studies whose people have begun in a campaign."""
    studies = visits_of(campaign).exclude(study_id="").values_list("study_id", flat=True)
    return sorted(set(studies.order_by()))
