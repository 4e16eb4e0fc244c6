"""How a campaign goes, in words that a page shows again every few seconds."""

from datetime import datetime, timedelta
from typing import Any

from evalplatform.campaigns.models import Campaign
from evalplatform.core.words import counted
from evalplatform.reports.cached import LastResults
from evalplatform.tallies.selectors import LiveNumbers, live_numbers


def live_context(
    standing: LastResults, now: datetime, *, shown: str | None = None
) -> dict[str, Any]:
    """Return what `reports/_live.html` shows.

    `shown`: the mark of the results that the page shows; None where it shows these.
    """
    campaign = standing.campaign
    numbers = live_numbers(campaign, now)
    has_newer = shown is not None and standing.mark not in ("", shown)
    return {
        "live": numbers,
        "standing": standing,
        "shown": standing.mark if shown is None else shown,
        "has_newer": has_newer,
        "pace": _pace(numbers),
        "ends": _ends(numbers),
        "as_of": _as_of(standing),
        "polls": campaign.status == Campaign.Status.OPEN or not standing.is_current,
    }


def _as_of(standing: LastResults) -> str:
    results, campaign = standing.results, standing.campaign
    is_closed = campaign.status == Campaign.Status.CLOSED
    if results is None:
        said = "The first results are being computed"
        return f"{said}: they appear here by themselves."
    votes = f"{counted(results.n_stored, 'vote')}, {results.made_at:%Y-%m-%d %H:%M:%S} UTC"
    if standing.is_final:
        return f"Final results: {votes}."
    if standing.is_current:
        return f"Results of this moment: {votes}."
    if is_closed:
        return f"Not the final results: these are of {votes}. The final ones are being computed."
    return f"Results of {votes}. Newer ones are being computed."


def _pace(numbers: LiveNumbers) -> str:
    if not numbers.per_hour:
        return "no vote in the last hour"
    rate = f"{numbers.per_hour:,.0f}" if numbers.per_hour >= 1 else "less than 1"
    return f"{rate} votes an hour"


def _ends(numbers: LiveNumbers) -> str:
    """Return when the rest is done at the rate of the last hour; empty where it cannot be said."""
    if numbers.is_complete:
        return "all votes are in"
    left = numbers.left
    if left is None:
        return ""
    if left < timedelta(hours=1):
        return f"about {max(1, round(left / timedelta(minutes=1)))} min left at this rate"
    if left < timedelta(days=2):
        return f"about {left / timedelta(hours=1):.0f} h left at this rate"
    return f"about {left / timedelta(days=1):,.0f} days left at this rate"
