"""Arms by the grades of single images: means, shares of each grade, differences, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from ..inference.estimates import Basis, Estimate, State, few_clusters, without_interval
from ..inference.intervals import check_level, t_p_value, t_quantile, wilson
from ..inference.means import ContrastVariance, GradeMeans
from ..inference.multiplicity import holm, joint_draws
from ..pairs.rates import share_of
from ..votes.columns import IntColumn, Outcome, Votes
from ..votes.errors import ColumnTypeError, EmptyVotesError
from ..votes.graded import GradedVotes
from .order import Places
from .rank_sets import DRAWS, chances_of_ranks, critical_value, lead_of
from .rating_results import ArmRating, ArmRatings, RatingDifference
from .results import Lead
from .strengths import ranks_of

RATING_SEED = 20_251_129
"""The seed of the draws for chances of ranks where a caller gives no generator."""


def rate_arms(
    graded: GradedVotes,
    level: float = 0.95,
    *,
    grades: Sequence[int] | None = None,
    rng: np.random.Generator | None = None,
) -> ArmRatings:
    """Compare arms by the grades that single images were given, as ratings or keep / reject.

    Formula. Means and differences of means with two-way clustered variances and t quantiles, see
    `inference.means`; arms rated on the same prompts, or by the same people, are compared within
    these. The interval of a mean is Wilson's for the mean as a share of the scale, so that it
    ends at the ends of the scale; that of a difference is value -+ t se. Shares are those of
    `win_rates`. The rank set of an arm leaves out whoever is told apart from it, all pairs at once
    by Bonferroni, by t with the fewer degrees of freedom of prompts and annotators.

    Units. Grades; `grades` is the scale, (1, 2, 3, 4, 5) or (0, 1, 2) for example, and by default
    the grades seen.

    How to read. A mean takes the steps between grades as equal. `pairs_from_ratings` and
    `rank_arms` read only who got the better grade from one person on one prompt; where both
    readings differ, say so.

    Raises `EmptyVotesError` where no vote has one image, `ColumnTypeError` for a grade outside
    the scale, `UnknownOptionError` for a level outside (0, 1).

    References. ITU-T P.910 (2023) for grades 1 to 5; Cameron, Gelbach and Miller (2011), JBES
    29:238-249.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 1, 2, 3] * 3, prompt=[0, 0, 1, 1] * 3,
    ...     annotator=[0] * 4 + [1] * 4 + [2] * 4, arm=[[0], [1]] * 6,
    ...     grade=[[5], [3], [4], [3], [5], [2], [4], [4], [4], [3], [5], [4]], arms=["x", "y"])
    >>> found = rate_arms(votes, grades=range(1, 6))
    >>> [(one.arm, round(one.mean.value, 2), round(one.mean.low, 2)) for one in found.ratings]
    [('x', 4.5, 1.55), ('y', 3.17, 1.11)]
    >>> found.rating("x").shares[5].value, round(found.differences[0].value, 2)
    (0.5, 1.33)
    """
    check_level(level)
    votes = graded.ratings()
    if votes is None:
        raise EmptyVotesError("No vote has one image. Compare sets of images by rank_arms.")
    scale = _scale(votes, grades)
    return _RatingReport(graded, votes, GradeMeans.of(votes), scale, level).made(
        rng or np.random.default_rng(RATING_SEED)
    )


def _scale(votes: GradedVotes, grades: Sequence[int] | None) -> tuple[int, ...]:
    seen = np.unique(votes.grade)
    scale = tuple(sorted({int(one) for one in (seen if grades is None else grades)}))
    wrong = np.setdiff1d(seen, scale)
    if len(wrong):
        raise ColumnTypeError(f"grade is {wrong[0]}; the scale given has {list(scale)}.")
    return scale


@dataclass(frozen=True, eq=False)
class _RatingReport:
    graded: GradedVotes
    votes: GradedVotes
    means: GradeMeans
    scale: tuple[int, ...]
    level: float

    def made(self, rng: np.random.Generator) -> ArmRatings:
        m = self.votes.n_arms
        states = [self._state(arm) for arm in range(m)]
        state, reason = next((one for one in states if one[0] is not State.DEFINED), states[0])
        differences = self._differences(states)
        ranks = ranks_of(self.means.means)
        places = Places(ranks=ranks)
        if state is State.DEFINED:
            places = self._places(differences, ranks, rng)
        ratings = [self._rating(arm, states[arm], places) for arm in range(m)]
        rated = set(self.votes.arms)
        clusters = "two-way clustered by prompt and annotator, t with Satterthwaite's df"
        return ArmRatings(
            ratings=tuple(sorted(ratings, key=lambda one: one.rank)),
            leads=self._leads(ranks) if state is State.DEFINED else (),
            differences=tuple(differences.values()),
            never_rated=tuple(arm for arm in self.graded.arms if arm not in rated),
            grades=self.scale,
            n_votes=len(self.votes),
            n_items=self.votes.n_items,
            n_prompts=self.votes.n_prompts,
            n_annotators=self.votes.n_annotators,
            level=self.level,
            method=f"mean grade; {clusters}",
            rank_method=places.method,
            state=state,
            reason=reason,
        )

    def _state(self, arm: int) -> tuple[State, str]:
        one, label = self.means.contrast(arm), self.votes.arms[arm]
        held = self.means.prompt.n_held(one), self.means.annotator.n_held(one)
        state, why = few_clusters(f"grades of {label!r}", *held)
        if state is not State.DEFINED:
            return state, why
        if len(self.scale) < 2:
            why = f"Every grade is {self.scale[0]} and no scale is given. Give the grades offered."
            return State.NO_VARIATION, why
        return State.DEFINED, ""

    def _rating(self, arm: int, state: tuple[State, str], places: Places) -> ArmRating:
        rank = places.rank(arm)
        assert rank is not None
        return ArmRating(
            arm=self.votes.arms[arm],
            mean=self._mean(arm, state),
            shares=self._shares(arm),
            rank=rank,
            rank_low=places.low(arm),
            rank_high=places.high(arm),
            tier=places.tier(arm),
            rank_chances=places.chances_of(arm),
        )

    def _mean(self, arm: int, state: tuple[State, str]) -> Estimate:
        one, value = self.means.contrast(arm), float(self.means.means[arm])
        n = int(self.means.n[arm])
        basis = Basis(
            n_votes=n,
            n_prompts=self.means.prompt.n_held(one),
            n_annotators=self.means.annotator.n_held(one),
            estimand="votes",
            level=self.level,
        )
        if state[0] is not State.DEFINED:
            return without_interval(value, *state, basis)
        found = self.means.variance(one)
        low, high = self._within_scale(value, n, found)
        effective = found.independent * n / found.variance
        return Estimate(
            value=value,
            se=sqrt(found.variance),
            low=low,
            high=high,
            df=found.df,
            se_null=None,
            n_effective=effective,
            design_effect=n / effective,
            method=(
                "two-way clustered by prompt and annotator; Wilson interval on the scale; "
                f"t with {found.df:.4g} df (Satterthwaite)"
            ),
            **vars(basis),
        )

    def _within_scale(self, value: float, n: int, found: ContrastVariance) -> tuple[float, float]:
        """Wilson's interval of the mean as a share of the scale, worth y (1 - y) / V votes."""
        worst, length = self.scale[0], self.scale[-1] - self.scale[0]
        share, least = (value - worst) / length, 1.0 / (n + 4.0) / length
        y = min(max(share, least), 1.0 - least)  # at an end: of one vote a grade from it
        worth = y * (1.0 - y) / (found.variance / length**2)
        low, high = wilson(share, worth, t_quantile(self.level, found.df))
        return worst + length * low, worst + length * high

    def _shares(self, arm: int) -> dict[int, Estimate]:
        rows = np.flatnonzero(self.votes.arm == arm)
        columns = {
            "prompt": self.votes.prompt[rows].astype(np.int64),
            "annotator": self.votes.annotator[rows].astype(np.int64),
            "item": self.votes.item[rows].astype(np.int64),
        }
        grade = self.votes.grade[rows]
        return {
            one: share_of(
                Votes(outcome=np.where(grade == one, Outcome.A, Outcome.B), **columns), self.level
            )
            for one in self.scale
        }

    def _differences(
        self, states: list[tuple[State, str]]
    ) -> dict[tuple[int, int], RatingDifference]:
        made, values = {}, self.means.means
        for i in range(len(values)):
            for j in range(i + 1, len(values)):
                defined = states[i][0] is states[j][0] is State.DEFINED
                made[i, j] = self._difference(i, j, defined)
        p_values = {pair: one.p_value for pair, one in made.items() if one.p_value is not None}
        adjusted = dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
        return {
            pair: RatingDifference(**{**vars(one), "p_holm": adjusted.get(pair)})
            for pair, one in made.items()
        }

    def _difference(self, i: int, j: int, defined: bool) -> RatingDifference:
        value = float(self.means.means[i] - self.means.means[j])
        se = low = high = df = p_value = None
        if defined:
            found = self.means.variance(self.means.contrast(i, j))
            se, df = sqrt(found.variance), found.df
            reach = t_quantile(self.level, df) * se
            low, high = value - reach, value + reach
            p_value = t_p_value(value / se, df)
        return RatingDifference(
            arm=self.votes.arms[i],
            other=self.votes.arms[j],
            value=value,
            se=se,
            low=low,
            high=high,
            df=df,
            p_value=p_value,
            p_holm=None,
        )

    def _leads(self, ranks: IntColumn) -> tuple[Lead, ...]:
        means, arms = self.means, self.votes.arms
        first, *others = np.argsort(ranks, kind="stable").tolist()
        return tuple(
            lead_of(
                arms[first],
                arms[at],
                means.means[first] - means.means[at],
                *self._at_once(first, at),
            )
            for at in others
        )

    def _at_once(self, i: int, j: int) -> tuple[float, float]:
        """The standard error of a difference, and how many of it all pairs keep to at once."""
        found = self.means.variance(self.means.contrast(i, j))
        return sqrt(found.variance), critical_value(len(self.means.n), self.level, found.fewest_df)

    def _places(
        self,
        differences: dict[tuple[int, int], RatingDifference],
        ranks: IntColumn,
        rng: np.random.Generator,
    ) -> Places:
        m, means = self.votes.n_arms, self.means
        above = np.zeros((m, m), dtype=np.bool_)
        for (i, j), one in differences.items():
            se, quantile = self._at_once(i, j)
            if abs(one.value) > quantile * se:
                above[(i, j) if one.value > 0.0 else (j, i)] = True
        dfs = [means.variance(means.contrast(arm)).df for arm in range(m)]
        drawn = means.means + joint_draws(means.covariance(), min(dfs), rng, DRAWS)
        method = "all pairs at once by Bonferroni"
        return Places.held(ranks, above, chances_of_ranks(drawn), method)
