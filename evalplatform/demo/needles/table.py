"""The end of `make demo-needles`: did tuning on what people picked win, and against what?"""

from collections.abc import Mapping

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.cached import results_of
from evalplatform.reports.cells import percent
from evalplatform.stats import Estimate

SIMULATED = (
    "All reviewers, writers and judges are simulated; reviewers know how good an image is, with "
    "noise, and judges share the curator's taste: a rehearsal, no evidence of quality."
)


def table(campaigns: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return a line a campaign and criterion, with a verdict by the interval, and the caveat.

    `campaigns`: by slug, whom against whom.
    """
    rows = [f"{'campaign':<52}{'criterion':<20}{'net % [95 %]':<24}verdict"]
    for slug, (first, second) in campaigns.items():
        results = results_of(Campaign.objects.get(slug=slug))
        for group in results.groups:
            if group.depth == 0:
                net = group.rates.net
                rows.append(
                    f"{f'{first} against {second}':<52}{group.criterion_label:<20}"
                    f"{percent(net, signed=True):<24}{verdict(net, first)}"
                )
    return [*rows, SIMULATED]


def verdict(net: Estimate, first: str) -> str:
    """Say by the interval whether the first wins."""
    if net.low is None or net.high is None:
        return "too few votes to tell"
    if net.low > 0:
        return f"{first} wins"
    return f"{first} loses" if net.high < 0 else f"{first} is not seen to win"
