"""Results by category and challenge, with the price of looking at many groups paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..inference.multiplicity import holm
from ..votes.columns import BoolColumn, Labels, Votes
from ..votes.errors import EmptyVotesError, LengthMismatchError
from .rates import Estimand, WinRates, win_rates

FEWEST_PROMPTS = 5
"""Groups of fewer prompts are shown without a test: they speak of those prompts alone."""


@dataclass(frozen=True, kw_only=True)
class GroupTest:
    """One group of votes, see `group_tests`.

    Attributes:
        kind, name: e.g. "category" and "Animals".
        rates: the group's `win_rates`, each interval for this group alone.
        p_value: two-sided two-way t test of net = 0 in this group; None if it is not tested.
        p_holm: the same, adjusted for all groups that were tested together; None with it.
        n_tests: how many those were.
        reason: why the group is not tested; empty where it is.
    """

    kind: str
    name: str
    rates: WinRates
    p_value: float | None
    p_holm: float | None
    n_tests: int
    reason: str


def group_tests(
    votes: Votes,
    labels: Mapping[str, Labels | Iterable[str]],
    level: float = 0.95,
    *,
    estimand: Estimand = "votes",
) -> tuple[GroupTest, ...]:
    """Win rates and a test of net = 0 in each group, adjusted by Holm over all groups.

    `labels` gives for each kind of grouping one label per vote, as texts or, where they are many,
    as `Labels`; votes with an empty label are in no group of that kind. Groups come by kind as
    given, by name within it. All groups of all kinds are one family: the chance that any group
    without a preference has p_holm <= 0.05 is at most 5 %, however the groups overlap. Groups of
    fewer than `FEWEST_PROMPTS` prompts, and those of one annotator, are not tested and no members
    of the family.

    How to read. Claim a preference in a group by `p_holm`. That one group passes and another does
    not is no evidence that they differ. Intervals are unadjusted: of twenty, one misses.

    Raises `EmptyVotesError` without a kind, `LengthMismatchError`, and `ColumnTypeError` for a
    label that is no text.

    Reference. Holm (1979), Scandinavian Journal of Statistics 6:65-70; see `win_rates` for the
    rates.

    >>> votes = Votes([0] * 10 + [0, 2], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6], [1, 2] * 6,
    ...               [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])
    >>> for each in group_tests(votes, {"category": ["cat"] * 10 + ["dog"] * 2}):
    ...     print(each.name, each.rates.net.value, each.n_tests, repr(each.reason))
    cat 1.0 1 ''
    dog 0.0 1 '1 prompt; a claim needs 5 or more'
    """
    if not labels:
        raise EmptyVotesError('labels is empty; give e.g. {"category": one label per vote}.')
    found = [
        (kind, name, win_rates(votes.where(members), level, estimand=estimand))
        for kind, column in labels.items()
        for name, members in _named(votes, kind, column)
    ]
    reasons = [_why_untested(rates) for _, _, rates in found]
    p_values = [
        None if why else rates.net.p_value
        for (_, _, rates), why in zip(found, reasons, strict=True)
    ]
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
            reason=why,
        )
        for (kind, name, rates), p, why in zip(found, p_values, reasons, strict=True)
    )


def _named(votes: Votes, kind: str, column: Labels | Iterable[str]) -> list[tuple[str, BoolColumn]]:
    """The groups of this kind by name, each with its votes as a mask."""
    labels = column if isinstance(column, Labels) else Labels.of(column, kind)
    if len(labels) != len(votes):
        raise LengthMismatchError({"votes": len(votes), kind: len(labels)})
    sizes = np.bincount(labels.codes, minlength=len(labels.names))
    return sorted(
        (name, labels.codes == code)
        for code, (name, size) in enumerate(zip(labels.names, sizes, strict=True))
        if name and size
    )


def _why_untested(rates: WinRates) -> str:
    prompts = rates.net.n_prompts or 0
    if prompts < FEWEST_PROMPTS:
        word = "prompt" if prompts == 1 else "prompts"
        return f"{prompts} {word}; a claim needs {FEWEST_PROMPTS} or more"
    return rates.net.reason
