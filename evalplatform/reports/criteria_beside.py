"""One criterion beside another within a campaign: what two arms, or many, are better at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from evalplatform import stats
from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.orders import CLAIM
from evalplatform.reports.stats_votes import of_criterion, pair_votes

DEFINITION = (
    "The net preference in the first criterion less that in the second, in percentage points, with "
    "its 95 % interval: above 0, A stands better in the first. Prompts and people that both "
    "criteria share are accounted for, so judge by this interval, not by whether two nets' "
    "intervals overlap. Holm's p is of no difference, over all pairs of criteria; a claim needs it "
    f"below {CLAIM:g}, and every vote."
)
TURNS = (
    "An order is turned where an arm is ahead of another in one criterion and behind it in the "
    "other, both by the ranks that hold for all arms at once at 95 %; none is named before the "
    "last vote."
)
FEWEST = 2  # criteria that can stand beside each other


@dataclass(frozen=True)
class CriteriaPair:
    """Two criteria on the same two arms."""

    first: str
    first_label: str
    second: str
    second_label: str
    difference: stats.NetDifference
    p_holm: float | None
    is_open: bool = False  # votes are missing

    @property
    def sentence(self) -> str:
        """What may be claimed, of all pairs of criteria at once; before the end nothing."""
        found = self.difference
        if found.low is None or found.high is None:
            return "Whether A stands better in one of them cannot be said."
        if found.low <= 0 <= found.high:
            return f"No difference between {self.first_label} and {self.second_label} is shown."
        if self.is_open:
            return "Not decided yet: votes are missing."
        labels = (self.first_label, self.second_label)
        if self.p_holm is None or self.p_holm >= CLAIM:
            return (
                f"{labels[0]} and {labels[1]} differ by their own interval, but not with all pairs "
                "of criteria counted."
            )
        better, worse = labels if found.low > 0 else labels[::-1]
        return f"A stands better in {better} than in {worse}."


def criteria_beside(
    campaign: Campaign, duels: AnswerColumns, *, is_open: bool
) -> list[CriteriaPair]:
    """Return every two criteria that ask for a pair of just two arms, in their order.

    On all prompts, of the votes that count; ones without a vote are left out.
    """
    asked = [(each, of_criterion(duels, each)) for each in campaign.criteria.all()]
    voted = [(each, pair_votes(votes)) for each, votes in asked if len(votes)]
    nets = {each.pk: stats.win_rates(votes).net for each, votes in voted}
    found = [
        (first, second, stats.compare_nets(
            one, other, names=(first.label, second.label), nets=(nets[first.pk], nets[second.pk])
        ))
        for (first, one), (second, other) in combinations(voted, 2)
    ]  # fmt: skip
    adjusted = _holm([difference.p_value for _, _, difference in found])
    return [
        CriteriaPair(first.slug, first.label, second.slug, second.label, difference, p, is_open)
        for (first, second, difference), p in zip(found, adjusted, strict=True)
    ]


def _holm(given: Sequence[float | None]) -> list[float | None]:
    """Adjust those that are there."""
    there = [p for p in given if p is not None]
    adjusted = iter(stats.holm(there).tolist() if there else [])
    return [None if p is None else float(next(adjusted)) for p in given]


@dataclass(frozen=True)
class Placed:
    """An arm in one criterion: its strength or mean grade, and the ranks that it may have."""

    value: float | None
    low: float | None
    high: float | None
    rank_low: int | None
    rank_high: int | None


@dataclass(frozen=True)
class OrderOfCriterion:
    """Where every arm stands in one criterion on all prompts, by letter."""

    criterion: str
    label: str
    measure: str  # strength or mean grade
    arms: dict[str, Placed]
    is_open: bool = False  # votes are missing


@dataclass(frozen=True)
class TurnedOrder:
    """Two arms whose order two criteria surely turn."""

    first: str
    first_label: str
    second: str
    second_label: str
    ahead_in_first: str
    ahead_in_second: str


def orders_beside(
    galleries: Sequence[GalleryResult], gradings: Sequence[GradeResult]
) -> list[OrderOfCriterion]:
    """Return the arms' places by criterion; nothing where fewer than two criteria order arms."""
    ordered: list[GalleryResult | GradeResult] = [*galleries, *gradings]
    found = [_order(each) for each in ordered if each.depth == 0]
    return found if len(found) >= FEWEST else []


def _order(found: GalleryResult | GradeResult) -> OrderOfCriterion:
    arms: dict[str, Placed] = {}
    if isinstance(found, GalleryResult):
        for each in found.ranking.standings:
            arms[str(each.arm)] = Placed(
                each.value, each.low, each.high, each.rank_low, each.rank_high
            )
        return OrderOfCriterion(
            found.criterion, found.criterion_label, "strength", arms, found.is_open
        )
    for rated in found.ratings.ratings:
        mean = rated.mean
        arms[str(rated.arm)] = Placed(
            mean.value, mean.low, mean.high, rated.rank_low, rated.rank_high
        )
    return OrderOfCriterion(
        found.criterion, found.criterion_label, "mean grade", arms, found.is_open
    )


def turned_orders(orders: Sequence[OrderOfCriterion]) -> Iterator[TurnedOrder]:
    """Yield every two arms that are surely turned between two criteria; none before the end."""
    for first, second in combinations([each for each in orders if not each.is_open], 2):
        for one, other in combinations(sorted({*first.arms} & {*second.arms}), 2):
            ahead = [_ahead(order, one, other) for order in (first, second)]
            if all(ahead) and ahead[0] != ahead[1]:
                yield TurnedOrder(
                    first.criterion, first.label, second.criterion, second.label, *ahead
                )


def _ahead(order: OrderOfCriterion, one: str, other: str) -> str:
    """Return which of two arms is surely ahead; "" where neither is."""
    (low, high), (others_low, others_high) = (
        (order.arms[each].rank_low, order.arms[each].rank_high) for each in (one, other)
    )
    if low is None or high is None or others_low is None or others_high is None:
        return ""
    if high < others_low:
        return one
    return other if others_high < low else ""


def beside_json(
    pairs: Sequence[CriteriaPair], orders: Sequence[OrderOfCriterion]
) -> dict[str, Any]:
    """Return both as plain JSON values; strengths and grades stand with `galleries`, `gradings`."""
    return {
        "definition": DEFINITION,
        "pairs": [
            {
                "first": each.first, "second": each.second,
                "net_difference": stats.plain(each.difference), "p_holm": each.p_holm,
                "says": each.sentence,
            }
            for each in pairs
        ],
        "turned_orders": [
            {
                "first": each.first, "second": each.second,
                "ahead_in_first": each.ahead_in_first, "ahead_in_second": each.ahead_in_second,
            }
            for each in turned_orders(orders)
        ],
    }  # fmt: skip


def beside_records(pairs: Sequence[CriteriaPair]) -> Iterator[dict[str, Any]]:
    """Yield rows of groups.csv: `criterion` is the first, `name` the second of the two."""
    n_tests = sum(each.p_holm is not None for each in pairs)
    for each in pairs:
        found = each.difference
        yield {
            "criterion": each.first, "by": "criterion", "name": each.second,
            "measure": "net_difference", "value": found.value, "se": found.se, "low": found.low,
            "high": found.high, "level": found.level, "df": found.df,
            "n_votes": found.first.n_votes + found.second.n_votes,
            "n_prompts": found.n_shared_prompts, "n_annotators": found.n_shared_annotators,
            "state": found.state.value, "reason": found.reason, "p_value": found.p_value,
            "p_holm": each.p_holm, "tests_in_family": n_tests, "method": found.method,
        }  # fmt: skip
