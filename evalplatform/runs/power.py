"""What the votes of a draft can find, before there are any."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from math import exp

from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.campaigns.selectors import PlannedSet
from evalplatform.reports.planning import (
    EXPECTED_ANNOTATOR_SHARE,
    EXPECTED_PROMPT_SHARE,
    EXPECTED_TIES,
)
from evalplatform.runs.estimates import PowerEstimate
from evalplatform.stats import (
    Components,
    PlannedPair,
    StatsError,
    detectable_effect,
    expected_intervals,
    stated_components,
)

ASSUMED = (
    f"Assumed: {EXPECTED_TIES:.0%} ties, {EXPECTED_PROMPT_SHARE:.0%} of a vote's variance between "
    f"prompts and {EXPECTED_ANNOTATOR_SHARE:.0%} between annotators; Plan takes a pilot's instead."
)


def power_on(
    campaign: Campaign, criterion: Criterion, sets: Iterable[PlannedSet], annotators: int
) -> PowerEstimate:
    """Return what this criterion's votes can find with so many annotators."""
    shown = [each for each in sets if criterion.shape.takes(len(each.places))]
    try:
        if criterion.shape.most == 1:
            return _single(criterion)
        if campaign.is_duel:
            return _duel(criterion, shown, annotators)
        return _gallery(campaign, criterion, shown, annotators)
    except StatsError as error:
        return PowerEstimate(criterion.slug, f"{criterion.label}: {error}")


def _components() -> Components:
    return stated_components(
        tie=EXPECTED_TIES,
        prompt_share=EXPECTED_PROMPT_SHARE,
        annotator_share=EXPECTED_ANNOTATOR_SHARE,
    )


def _single(criterion: Criterion) -> PowerEstimate:
    return PowerEstimate(
        criterion.slug,
        f"{criterion.label}: images are judged one by one; what so many votes find is not "
        "reckoned here.",
    )


def _duel(criterion: Criterion, sets: list[PlannedSet], annotators: int) -> PowerEstimate:
    prompts = len({each.prompt.pk for each in sets})
    per_prompt = criterion.k * len(sets) // max(1, prompts)
    plan = detectable_effect(
        _components(),
        prompts=prompts,
        annotators=annotators,
        votes_per_prompt=per_prompt,
        people_per_prompt=criterion.k,  # one person may judge several sets of a prompt
    )
    if plan.effect is None:
        return PowerEstimate(criterion.slug, f"{criterion.label}: {plan.reason}")
    floor = f" (never below {100 * plan.floor:.1f} with these people)" if plan.floor else ""
    return PowerEstimate(
        criterion.slug,
        f"{criterion.label}: a lead of {100 * plan.effect:.1f} points of net preference or more is "
        f"found in 80 of 100 such studies{floor}.",
        effect=plan.effect,
    )


def _gallery(
    campaign: Campaign, criterion: Criterion, sets: list[PlannedSet], annotators: int
) -> PowerEstimate:
    votes: defaultdict[tuple[int, int], float] = defaultdict(float)
    prompts: dict[tuple[int, int], set[int]] = {}
    for each in sets:
        for pair in combinations(each.places, 2):
            votes[pair] += criterion.k * 2 / len(each.places)
            prompts.setdefault(pair, set()).add(each.prompt.pk)
    found = expected_intervals(
        [
            PlannedPair(first=pair[0], second=pair[1], prompts=len(prompts[pair]), votes=count)
            for pair, count in votes.items()
        ],
        arms=len(campaign.contenders),
        annotators=annotators,
        components=_components(),
        tie=EXPECTED_TIES,
    )
    wins = 100 / (1 + exp(-found.widest))
    return PowerEstimate(
        criterion.slug,
        f"{criterion.label}: the difference of two strengths is known to about ± "
        f"{found.typical:.2f} log units (widest pair ± {found.widest:.2f}: arms that win "
        f"{wins:.0f} of 100 decided votes or more against each other are told apart).",
        half_width=found.typical,
    )
