"""Each two arms of a gallery by themselves: their groups of prompts, and early looks at them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..inference.intervals import check_level
from ..inference.multiplicity import holm
from ..pairs.groups import GroupTest, group_tests
from ..pairs.sequential import EarlyLook, early_look
from ..votes.columns import IntColumn, Labels, Votes
from ..votes.errors import UnknownOptionError
from ..votes.graded import GradedVotes
from ..votes.pairs import PairVotes


class TwoArms(NamedTuple):
    """The votes that show two arms, by their positions first < second, seen from the first."""

    first: int
    second: int
    votes: Votes


def two_arms(graded: GradedVotes, pairs: PairVotes) -> Iterator[TwoArms]:
    """Yield each two arms that met, in ascending order, with their votes in the order cast."""
    m = graded.n_arms
    low = np.minimum(pairs.first, pairs.second).astype(np.int64)
    code = low * m + np.maximum(pairs.first, pairs.second)
    turned = pairs.first > pairs.second
    outcome = np.where(turned, 2 - pairs.outcome, pairs.outcome)
    order = np.argsort(code, kind="stable")
    met, starts = np.unique(code[order], return_index=True)
    for at, rows in zip(met.tolist(), np.split(order, starts[1:]), strict=True):
        votes = Votes(
            outcome=outcome[rows],
            prompt=pairs.prompt[rows].astype(np.int64),
            annotator=pairs.annotator[rows].astype(np.int64),
            item=graded.item[pairs.vote[rows]].astype(np.int64),
        )
        yield TwoArms(at // m, at % m, votes)


@dataclass(frozen=True, kw_only=True)
class ArmGroupTest:
    """Two arms on one group of prompts, seen from `arm`; see `arm_group_tests`."""

    arm: Hashable
    other: Hashable
    test: GroupTest


def arm_group_tests(
    graded: GradedVotes, labels: Mapping[str, Labels], level: float = 0.95
) -> tuple[ArmGroupTest, ...]:
    """Win rates and a test of net = 0 of each two arms in each group of prompts.

    `labels` gives for each kind of grouping one label for each of `graded.prompts`; see
    `group_tests`, which this is of every two arms that met. All groups of all kinds and all pairs
    of arms are one family for Holm's p: the chance that any two arms of which neither is preferred
    in a group have p_holm <= 0.05 there is at most 5 %. Ratings are read by `pairs_from_ratings`
    first; votes without a pair have no test.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 1, 2, 3, 4] * 2, prompt=[0, 1, 2, 3, 4] * 2,
    ...                      annotator=[0] * 5 + [1] * 5, arm=[[0, 1, 2]] * 10,
    ...                      grade=[[2, 1, 0]] * 10)
    >>> found = arm_group_tests(votes, {"category": Labels.of(["cat"] * 5)})
    >>> [(one.arm, one.other, one.test.rates.net.value, one.test.n_tests) for one in found]
    [(0, 1, 1.0, 3), (0, 2, 1.0, 3), (1, 2, 1.0, 3)]
    """
    pairs = graded.pairs()
    if pairs is None:
        return ()
    found = [
        ArmGroupTest(arm=graded.arms[two.first], other=graded.arms[two.second], test=test)
        for two in two_arms(graded, pairs)
        for test in group_tests(
            two.votes,
            {kind: Labels(of.codes[two.votes.prompt], of.names) for kind, of in labels.items()},
            level,
        )
    ]
    tested = [each.test.p_value for each in found if each.test.p_value is not None]
    adjusted = iter(holm(tested).tolist())
    return tuple(
        replace(
            each,
            test=replace(
                each.test,
                p_holm=None if each.test.p_value is None else next(adjusted),
                n_tests=len(tested),
            ),
        )
        for each in found
    )


@dataclass(frozen=True, kw_only=True)
class ArmLook:
    """Two arms while votes still come in, seen from `arm`; see `arm_looks`."""

    arm: Hashable
    other: Hashable
    look: EarlyLook


def arm_looks(
    graded: GradedVotes,
    votes_per_prompt: int | Callable[[int, int], IntColumn],
    n_pairs: int,
    level: float = 0.95,
) -> tuple[ArmLook, ...]:
    """Look at each two arms that met before the end, as often as one likes.

    `graded` is in the order cast; `votes_per_prompt` is what two arms that meet on a prompt have
    on it at the end: one number, or where prompts differ what gives for two arms by position, the
    lower first, as many as there are `graded.prompts`. `n_pairs` is how many pairs of arms will
    have met at the end, named before the first vote.

    Rule. Each pair is looked at by `early_look` with an equal share of the chance of error, at the
    level 1 - (1 - level) / n_pairs (Bonferroni): all bounds of all pairs hold at all times at once
    with the chance `level`, and so do all claims. How far a pair's bounds are from those of a
    campaign of these two alone is the price of looking at `n_pairs`: with six of them they are
    about 1.23 times as wide.

    Raises `UnknownOptionError` for fewer pairs than have met.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=np.arange(60) // 2, prompt=np.arange(60) // 2,
    ...                      annotator=np.arange(60) % 12, arm=[[0, 1]] * 60, grade=[[1, 0]] * 60)
    >>> (found,) = arm_looks(votes, 2, n_pairs=3)
    >>> found.look.sequence.decided, found.look.is_claim, round(found.look.sequence.level, 3)
    (True, True, 0.983)
    """
    check_level(level)
    pairs = graded.pairs()
    met = [] if pairs is None else list(two_arms(graded, pairs))
    if n_pairs < len(met):
        raise UnknownOptionError(f"n_pairs is {n_pairs}, and {len(met)} pairs of arms have met.")
    own = 1.0 - (1.0 - level) / max(n_pairs, 1)

    def wanted(two: TwoArms) -> int | IntColumn:
        if isinstance(votes_per_prompt, int):
            return votes_per_prompt
        return votes_per_prompt(two.first, two.second)[two.votes.prompt]

    return tuple(
        ArmLook(
            arm=graded.arms[two.first],
            other=graded.arms[two.second],
            look=early_look(two.votes, wanted(two), own),
        )
        for two in met
    )
