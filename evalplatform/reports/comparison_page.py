"""The page of two campaigns side by side: the same figures, and what else differs between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import visible_to
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.core.components import ForestRow
from evalplatform.core.errors import BadInputError
from evalplatform.reports.cells import p_value, percent, percent_interval
from evalplatform.reports.comparison import Comparison, CriterionComparison, quick_comparison
from evalplatform.stats import Estimate, NetDifference

_FINISHED = (Campaign.Status.OPEN, Campaign.Status.PAUSED, Campaign.Status.CLOSED)
_SAME = (
    ("question", "The questions differ"),
    ("instructions", "The instructions differ"),
    ("form", "The answers offered differ"),
    ("shows_prompt", "The prompt was shown in one of them alone"),
    ("k", "The votes wanted on an item differ"),
)


def comparison_context(request: HttpRequest) -> dict[str, Any]:
    """Return what `reports/compare.html` shows: `?first=SLUG&second=SLUG`, each one's own A and B.

    What cannot be compared is said in `problem`.
    """
    visible = visible_to(request.user, Campaign.objects.filter(status__in=_FINISHED))
    names = [request.GET.get(each, "")[:80].replace("\0", "") for each in ("first", "second")]
    found = {each.slug: each for each in visible.filter(slug__in=names)}
    listed = in_current_project(request, visible).values_list("slug", flat=True)
    context: dict[str, Any] = {
        "names": names,
        "choices": list(dict.fromkeys([*listed.order_by("-created_at"), *found])),
        "problem": "",
    }
    unknown = [name for name in names if name and name not in found]
    if unknown:
        context["problem"] = f"No campaign {unknown[0]!r} with votes is in your projects."
    if unknown or not all(names):
        return context
    try:
        return context | _compared(*(found[name] for name in names), request=request)
    except BadInputError as error:
        return context | {"problem": str(error)}


def _compared(first: Campaign, second: Campaign, *, request: HttpRequest) -> dict[str, Any]:
    comparison = quick_comparison(first, second)
    return {
        "campaigns": (first, second),
        "stamp": comparison.simulated_stamp,
        "imported": comparison.imported_notes,
        "criteria": [_criterion(comparison, each) for each in comparison.criteria],
        "settings_differ": first.settings != second.settings,
    }


def _criterion(comparison: Comparison, each: CriterionComparison) -> dict[str, Any]:
    found = each.difference
    both = ((comparison.first, found.first), (comparison.second, found.second))
    interval = percent_interval(found.value, found.low, found.high, found.state, signed=True)
    return {
        "label": each.criterion_label,
        "rows": [_row(campaign, net, each.criterion) for campaign, net in both],
        "difference": interval,
        "p": p_value(found.p_value),
        "reason": found.reason,
        "says": _says(found),
        "caveats": list(caveats(comparison.first, comparison.second, each)),
    }


def _row(campaign: Campaign, net: Estimate, criterion: str) -> ForestRow:
    images = reverse("reports:images", args=[campaign.slug])
    return ForestRow(
        campaign.slug, net.value, net.low, net.high, percent(net, signed=True),
        n=f"{net.n_votes:,}", href=f"{images}?criterion={criterion}",
    )  # fmt: skip


def _says(found: NetDifference) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "Whether A leads by more in one of them cannot be said."
    if found.low <= 0 <= found.high:
        return "No difference shown: the interval of the difference holds 0."
    more = "first" if found.value > 0 else "second"
    return f"A leads B by more in the {more} campaign."


def caveats(first: Campaign, second: Campaign, found: CriterionComparison) -> Iterator[str]:
    """Yield what else than the models may make the difference on one criterion."""
    each = found.difference
    for what, shared, one, two in (
        ("annotators", each.n_shared_annotators, each.first.n_annotators, each.second.n_annotators),
        ("prompts", each.n_shared_prompts, each.first.n_prompts, each.second.n_prompts),
    ):
        if shared != one or shared != two:
            yield f"Other {what}: {shared:,} are in both, of {one or 0:,} and {two or 0:,}."
    asked = [_asked(campaign, found.criterion) for campaign in (first, second)]
    for name, words in _SAME:
        one, two = (getattr(criterion, name) for criterion in asked)
        if one != two:
            told = "" if name == "shows_prompt" else f": “{one}” and “{two}”"
            yield f"{words}{told}."


def _asked(campaign: Campaign, slug: str) -> Criterion:
    return next(each for each in campaign.criteria.all() if each.slug == slug)
