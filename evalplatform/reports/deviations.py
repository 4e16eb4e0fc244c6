"""What was not done as the protocol froze it, as far as the platform knows: for whoever reports."""

from collections.abc import Iterator
from datetime import datetime

from evalplatform.core.words import counted
from evalplatform.quality.services import BY_HAND
from evalplatform.reports.result_types import CampaignResults


def deviations(results: CampaignResults) -> list[str]:
    """Return each known deviation in words; none of votes that were cast elsewhere.

    Others there may be: nobody tells the platform what went otherwise outside of it.
    """
    if results.campaign.imported_from:
        return []
    return [*_amendments(results), *_decisions(results), *_end(results)]


def excluded_by_hand(results: CampaignResults) -> int:
    """Return how many annotators are excluded for a reason that no rule fixed beforehand."""
    return sum(1 for each in results.quality.annotators if each.excluded_by == BY_HAND)


def _amendments(results: CampaignResults) -> Iterator[str]:
    for each in (results.campaign.protocol or {}).get("amendments", []):
        day = datetime.fromisoformat(each["at"]).date()
        yield f"{each['arm']['name']} joined on {day}, after the first vote could be cast"


def _decisions(results: CampaignResults) -> Iterator[str]:
    """What a person decided of annotators, beside the rules."""
    by_hand = excluded_by_hand(results)
    if by_hand:
        yield f"{counted(by_hand, 'annotator')} excluded by hand, by no rule fixed beforehand"
    back = sum(1 for each in results.quality.exclusions if each.revoked_at)
    if back:
        yield f"{counted(back, 'exclusion')} taken back by hand"


def _end(results: CampaignResults) -> Iterator[str]:
    done = results.completeness
    if results.campaign.closed_at and done.votes < done.votes_wanted:
        yield f"closed with {done.votes:,} of {counted(done.votes_wanted, 'vote')}"
