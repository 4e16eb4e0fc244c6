"""Early looks at each two arms by the grades of single images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray
from ..inference.estimates import Basis, Estimate, State, few_clusters, without_interval
from ..inference.intervals import check_level, t_quantile
from ..inference.means import GradeMeans
from ..pairs.sequential import ConfidenceSequence, confidence_sequence, look_of
from ..votes.columns import IntColumn
from ..votes.errors import ColumnTypeError
from ..votes.graded import GradedVotes
from .two_arms import ArmLook

METHOD = "betting confidence sequence on differences of mean grades of completed prompts"


def rating_looks(
    graded: GradedVotes,
    votes_per_prompt: int | Callable[[int], IntColumn],
    grades: Sequence[int],
    level: float = 0.95,
) -> tuple[ArmLook, ...]:
    """Look at each two arms that are rated, before the end, as often as one likes.

    `graded` is in the order cast. `votes_per_prompt` is what an arm has on a prompt at the end:
    one number, or where prompts differ what gives for an arm's position as many as there are
    `graded.prompts`, 0 where it has none. `grades` is the scale offered.

    Formula. A prompt is complete for two arms once both have all their votes on it. Its value is
    the mean grade of the one less that of the other: of bounded length, so that the bounds of
    `confidence_sequence`, stretched to the scale, hold for the mean over prompts at all times. Who
    rated which image does not matter to that: it only adds spread. For other people stands the
    difference of the means of all votes so far, two-way clustered as in `rate_arms`.

    Rule. As `arm_looks`: `early_look`'s at the level 1 - (1 - level) / pairs, of all pairs of the
    `graded.arms`, so that all bounds of all pairs hold at all times at once.

    Units. Grades. Raises `ColumnTypeError` for a scale of one grade or a grade outside it, and
    `UnknownOptionError` for a level outside (0, 1). Votes on several images are left out.

    >>> from ..votes.graded import graded_votes
    >>> at = np.arange(240)
    >>> votes = graded_votes(item=at // 2, prompt=at // 4, annotator=at % 12,
    ...                      arm=(at // 2 % 2)[:, None], grade=(5 - 2 * (at // 2 % 2))[:, None])
    >>> (found,) = rating_looks(votes, 2, range(1, 6))
    >>> found.look.sequence.value, found.look.sequence.low > 1, found.look.is_claim
    (2.0, True, True)
    """
    check_level(level)
    worst, best = min(grades), max(grades)
    if worst == best:
        raise ColumnTypeError(f"grades has {worst} alone; give the scale offered.")
    single = graded.sizes == 1
    if not single.any():
        return ()
    votes = graded if single.all() else graded.where(single)
    if votes.grade.min() < worst or votes.grade.max() > best:
        raise ColumnTypeError(f"a grade is outside the scale given, {worst} to {best}.")
    m = votes.n_arms
    on_prompts = _OnPrompts.of(votes, votes_per_prompt)
    looks = _Looks(votes, on_prompts, GradeMeans.of(votes), float(best - worst))
    own = 1.0 - (1.0 - level) / max(m * (m - 1) // 2, 1)
    return tuple(
        looks.at(i, j, own)
        for i, j in combinations(range(m), 2)
        if votes.votes_by_arm[i] and votes.votes_by_arm[j]
    )


@dataclass(frozen=True, eq=False)
class _OnPrompts:
    """By prompt and arm, (P, M): mean grade, whether all votes are in, and which came last."""

    mean: FloatArray
    complete: npt.NDArray[np.bool_]
    last: IntColumn

    @classmethod
    def of(
        cls, votes: GradedVotes, votes_per_prompt: int | Callable[[int], IntColumn]
    ) -> _OnPrompts:
        shape = (len(votes.prompts), votes.n_arms)
        cell = votes.prompt.astype(np.int64) * shape[1] + votes.arm
        size = shape[0] * shape[1]
        count = np.bincount(cell, minlength=size).reshape(shape)
        total = np.bincount(cell, votes.grade, size).reshape(shape)
        last = np.zeros(size, dtype=np.int64)
        last[cell] = np.arange(len(votes))  # the last write stays
        if isinstance(votes_per_prompt, int):
            wanted = np.full(shape, votes_per_prompt)
        else:
            wanted = np.stack([votes_per_prompt(arm) for arm in range(shape[1])], axis=1)
        complete = (count >= wanted) & (count > 0)
        return cls(total / np.maximum(count, 1), complete, last.reshape(shape))

    def differences(self, i: int, j: int) -> FloatArray:
        """Of each prompt that is complete for both, in the order in which they became so."""
        both = np.flatnonzero(self.complete[:, i] & self.complete[:, j])
        done = np.maximum(self.last[both, i], self.last[both, j])
        in_order = both[np.argsort(done)]
        found: FloatArray = self.mean[in_order, i] - self.mean[in_order, j]
        return found


@dataclass(frozen=True, eq=False)
class _Looks:
    votes: GradedVotes
    on_prompts: _OnPrompts
    means: GradeMeans
    length: float

    def at(self, i: int, j: int, level: float) -> ArmLook:
        apart = self.on_prompts.differences(i, j) / self.length
        sequence = _stretched(confidence_sequence(apart, level), self.length)
        return ArmLook(
            arm=self.votes.arms[i],
            other=self.votes.arms[j],
            look=look_of(
                sequence,
                level,
                lambda stricter: _difference(self.means, i, j, stricter),
                "difference",
            ),
        )


def _stretched(found: ConfidenceSequence, length: float) -> ConfidenceSequence:
    """A sequence for shares of a scale as one for grades."""
    value, low, high = (
        None if each is None else length * each for each in (found.value, found.low, found.high)
    )
    return replace(
        found, value=value, low=low, high=high, lows=length * found.lows,
        highs=length * found.highs, method=METHOD,
    )  # fmt: skip


def _difference(means: GradeMeans, i: int, j: int, level: float) -> Estimate:
    """The difference of two means with its t interval."""
    contrast = means.contrast(i, j)
    value = float(contrast @ means.means)
    held = means.prompt.n_held(contrast), means.annotator.n_held(contrast)
    basis = Basis(
        n_votes=int(means.n[i] + means.n[j]),
        n_prompts=held[0],
        n_annotators=held[1],
        estimand="votes",
        level=level,
    )
    state, reason = few_clusters("grades of these two", *held)
    if state is not State.DEFINED:
        return without_interval(value, state, reason, basis)
    found = means.variance(contrast)
    se = sqrt(found.variance)
    reach = t_quantile(level, found.df) * se
    return Estimate(
        value=value,
        se=se,
        low=value - reach,
        high=value + reach,
        df=found.df,
        design_effect=found.variance / found.independent if found.independent else None,
        method=(
            f"two-way clustered by prompt and annotator; t with {found.df:.4g} df (Satterthwaite)"
        ),
        **vars(basis),
    )
