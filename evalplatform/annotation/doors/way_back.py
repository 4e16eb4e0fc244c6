"""The way on for who has finished, or cannot begin: to more work, or back to a crowd platform."""

from django.utils.translation import gettext

from evalplatform.annotation.doors.arrivals import Arrival
from evalplatform.annotation.models import CrowdVisit, Enrolment
from evalplatform.campaigns.crowd_rules import CrowdRules, PanelOutcome

# States after which a platform's people have nothing more to do here.
ENDS = ("done", "finished", "waiting", "closed", "disqualified", "screened_out")
_MORE = ("done", "waiting", "closed")  # where another campaign of a series may have something
_SCREENED_OUT = ("disqualified", "screened_out")


def exit_of(enrolment: Enrolment, state: str) -> dict[str, str] | None:
    """Return the way out of an end state: to more work, or back to a platform; else None."""
    if state not in ENDS:
        return None
    if enrolment.campaign.leads_on and state in _MORE:
        return {"url": enrolment.campaign.leads_on, "label": gettext("Go on to more images")}
    visit = enrolment.visits.telling().order_by("-came_at", "-pk").first()
    if visit is None:
        return None
    return way_back(visit, enrolment.campaign.checked_rules.crowd, state, judged=enrolment.judged)


def way_back(
    came: Arrival | CrowdVisit, rules: CrowdRules, state: str, *, judged: int = 0
) -> dict[str, str] | None:
    """Return the `url` and `label` that take somebody who `came` back, after `judged` items.

    The address is the campaign's rules': of what came in the request it holds ids alone, where the
    rules have a place for them. None where the rules have no address for this end.
    """
    for outcome in _outcomes(state, judged):
        url = rules.address(
            outcome, id=_external_id(came), study=came.study_id, session=came.session_id
        )
        if url:
            return {
                "url": url,
                "label": gettext("Return to %(platform)s") % {"platform": rules.label},
            }
    return None


def _outcomes(state: str, judged: int) -> tuple[PanelOutcome, ...]:
    if state in _SCREENED_OUT:
        return (PanelOutcome.SCREENED_OUT,)
    if judged:
        return (PanelOutcome.COMPLETED,)
    # Who came in good faith gets back in any case, and completed it they have not.
    return (PanelOutcome.FULL, PanelOutcome.SCREENED_OUT, PanelOutcome.COMPLETED)


def _external_id(came: Arrival | CrowdVisit) -> str:
    if isinstance(came, Arrival):
        return came.external_id
    return str(came.enrolment.annotator.crowd_identity.external_id)
