"""Results by category and challenge, with the price of looking at many groups paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import EmptyVotesError, LengthMismatchError
from .estimates import Estimate
from .intervals import t_p_value
from .multiplicity import holm
from .rates import Estimand, WinRates, win_rates
from .votes import Votes, factorise


@dataclass(frozen=True, kw_only=True)
class GroupTest:
    """One group of votes, see `group_tests`.

    Attributes:
        kind, name: e.g. "category" and "Animals".
        rates: the group's `win_rates`, each interval for this group alone.
        p_value: two-sided two-way t test of net = 0 in this group; None if undefined.
        p_holm: the same, adjusted for all groups that were tested together; None with it.
        n_tests: how many those were.
    """

    kind: str
    name: str
    rates: WinRates
    p_value: float | None
    p_holm: float | None
    n_tests: int


def group_tests(
    votes: Votes,
    labels: Mapping[str, Iterable[str]],
    level: float = 0.95,
    *,
    estimand: Estimand = "votes",
) -> tuple[GroupTest, ...]:
    """Win rates and a test of net = 0 in each group, adjusted by Holm over all groups.

    `labels` gives for each kind of grouping one label per vote; votes with an empty label are in
    no group of that kind. Groups come by kind as given, by name within it. All groups of all
    kinds are one family: the chance that any group without a preference has p_holm <= 0.05 is at
    most 5 %, however the groups overlap. Groups that cannot be tested (one annotator, no
    variation) are no members of the family.

    How to read. Claim a preference in a group by `p_holm`. That one group passes and another does
    not is no evidence that they differ. Intervals are unadjusted: of twenty, one misses.

    Reference. Holm (1979), Scandinavian Journal of Statistics 6:65-70; see `win_rates` for the
    rates.

    >>> votes = Votes([0, 0, 0, 0, 0, 2, 0, 2], [1, 1, 2, 2, 3, 3, 4, 4], [1, 2] * 4,
    ...               [1, 1, 2, 2, 3, 3, 4, 4])
    >>> for each in group_tests(votes, {"category": ["cat"] * 4 + ["dog"] * 4}):
    ...     print(each.name, each.rates.net.value, each.p_value, each.n_tests)
    cat 1.0 None 1
    dog 0.0 1.0 1
    """
    if not labels:
        raise EmptyVotesError('labels is empty; give e.g. {"category": one label per vote}.')
    found: list[tuple[str, str, WinRates]] = []
    for kind, column in labels.items():
        codes, names = factorise(column)
        if len(codes) != len(votes):
            raise LengthMismatchError({"votes": len(votes), kind: len(codes)})
        for name in sorted(str(each) for each in names if each):
            group = votes.where(codes == names.index(name))
            found.append((kind, name, win_rates(group, level, estimand=estimand)))
    p_values = [p_value_of(rates.net) for _, _, rates in found]
    tested = [p for p in p_values if p is not None]
    adjusted = iter(holm(tested).tolist())
    return tuple(
        GroupTest(
            kind=kind,
            name=name,
            rates=rates,
            p_value=p,
            p_holm=None if p is None else next(adjusted),
            n_tests=len(tested),
        )
        for (kind, name, rates), p in zip(found, p_values, strict=True)
    )


def p_value_of(net: Estimate) -> float | None:
    """Two-sided p-value of value = 0 by t = value / se; None without a value or a variation."""
    if net.value is None or net.df is None or not net.se:
        return None
    return t_p_value(net.value / net.se, net.df)
