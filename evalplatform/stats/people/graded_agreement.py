"""Do annotators agree about the same set of images? For ratings, pairs and rankings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..inference.intervals import check_level
from ..inference.plain import plain
from ..votes.columns import IntColumn
from ..votes.errors import ColumnTypeError
from ..votes.graded import GradedVotes
from .chance_correction import AC1, ALPHA_NOMINAL, ALPHA_ORDINAL, MEAN, PERCENT, Coefficient
from .item_draws import (
    BOOTSTRAP_SEED,
    AgreementEstimate,
    Draws,
    check_replicates,
    estimate,
    undefined,
)


@dataclass(frozen=True, kw_only=True)
class GradedAgreement:
    """Agreement about the items of one size that have two votes or more, see `graded_agreement`.

    Attributes:
        images: n, the number of images of these items.
        percent: the chance that two annotators say the same: of an image the same grade (n = 1),
            of two images the same order or a tie both (n > 1); in [0, 1].
        alpha, gwet_ac1: Krippendorff's nominal alpha and Gwet's AC1 of the same; 1 is perfect, 0
            is chance.
        alpha_ordinal: Krippendorff's ordinal alpha: of grades (n = 1), of first < tie < second
            (n = 2), of places within the ranking (n > 2).
        kendall_w: Kendall's W, mean over items, in [0, 1]; None for n < 3.
        mean_tau: Kendall's tau-b of two annotators, mean over their pairs and then over items, in
            [-1, 1]; None for n < 3.
        n_items, n_votes: items with two votes or more, and these votes.
        n_untied_items: of these, items of which W is defined: not everybody ties all images.
        level, method: of the intervals.
    """

    images: int
    percent: AgreementEstimate
    alpha: AgreementEstimate
    alpha_ordinal: AgreementEstimate
    gwet_ac1: AgreementEstimate
    kendall_w: AgreementEstimate | None
    mean_tau: AgreementEstimate | None
    n_items: int
    n_votes: int
    n_untied_items: int
    level: float
    method: str

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries for JSON, under the names of the fields."""
        made: dict[str, Any] = plain(self)
        return made


def graded_agreement(
    graded: GradedVotes,
    *,
    grades: Sequence[int] | None = None,
    rng: np.random.Generator | None = None,
    replicates: int = 1000,
    level: float = 0.95,
) -> tuple[GradedAgreement, ...]:
    """Agreement of annotators, one result per number of images, the smallest number first.

    Formula. Percent agreement, alpha and AC1 as in `chance_correction`, of each image's grade or
    of each pair of images inside the item. Places within a ranking are mid-ranks, so that tied
    images share a place. Kendall's W of an item with m votes of n images, R_i the sum of the ranks
    of image i and t the size of each tie:

        W = 12 sum_i (R_i - m (n + 1) / 2)^2 / (m^2 (n^3 - n) - m sum (t^3 - t))

    tau-b is the inner product of two votes' signs of all pairs, divided by both lengths; a vote
    that ties all images has none. Intervals: items, with all their images, are drawn again with
    replacement; the annotators are taken as given.

    `grades` is the scale of ratings, by default the grades seen; it decides AC1 alone. Votes count
    as on the same item only where they show the same arms.

    How to read. As in `agreement`: good images divide people. W is high by chance where votes are
    few (1 / m without any agreement), tau is not.

    References. Krippendorff (2011), Computing Krippendorff's alpha-reliability; Kendall and
    Babington Smith (1939), Annals of Mathematical Statistics 10:275-287; Kendall (1945),
    Biometrika 33:239-251, for ties.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=[0, 0, 1, 1], prompt=[0, 0, 1, 1], annotator=[0, 1, 0, 1],
    ...                      arm=[[0, 1, 2]] * 4,
    ...                      grade=[[2, 1, 0], [2, 1, 0], [0, 1, 2], [1, 0, 2]])
    >>> (found,) = graded_agreement(votes)
    >>> round(found.percent.value, 3), found.kendall_w.value, round(found.mean_tau.value, 3)
    (0.833, 0.875, 0.667)
    """
    check_level(level)
    check_replicates(replicates)
    method = f"percentile bootstrap of items; {replicates} draws"
    if rng is None:
        method += f", seed {BOOTSTRAP_SEED}"
    resampling = _Resampling(
        rng or np.random.default_rng(BOOTSTRAP_SEED), replicates, level, method
    )
    sizes = np.unique(graded.sizes)
    return tuple(resampling.agreement(_Sets.of(graded, int(n)), grades) for n in sizes)


@dataclass(frozen=True, eq=False)
class _Sets:
    """Votes of n images on items with two votes or more, images in the order of their arms."""

    item: IntColumn  # (V,) without gaps
    grade: npt.NDArray[Any]  # (V, n)
    n_items: int

    @property
    def n(self) -> int:
        return int(self.grade.shape[1])

    @classmethod
    def of(cls, graded: GradedVotes, n: int) -> _Sets:
        held = np.flatnonzero(graded.sizes == n)
        entry = graded.start[held][:, None] + np.arange(n)
        arm, grade = graded.arm[entry].astype(np.int64), graded.grade[entry]
        order = np.argsort(arm, axis=1)
        arm, grade = (np.take_along_axis(one, order, axis=1) for one in (arm, grade))
        item = graded.item[held].astype(np.int64)
        for place in range(n):  # votes on one item that show other arms are on another item
            item = np.unique(item * graded.n_arms + arm[:, place], return_inverse=True)[1]
        shared = np.bincount(item)[item] > 1
        item, grade = item[shared], grade[shared]
        if not len(item):
            return cls(item, grade, 0)
        return cls(np.unique(item, return_inverse=True)[1], grade, len(np.unique(item)))

    def pair_counts(self) -> FloatArray:
        """(items * pairs, 3): votes for the first, for a tie and for the second of each pair."""
        i, j = np.triu_indices(self.n, 1)
        outcome = 1 + np.sign(self.grade[:, j].astype(np.int64) - self.grade[:, i])
        return self._counts(outcome, 3)

    def grade_counts(self, grades: Sequence[int] | None) -> FloatArray:
        """(items, grades): of ratings."""
        seen = np.unique(self.grade)
        scale = np.unique(seen if grades is None else np.asarray(grades))
        wrong = np.setdiff1d(seen, scale)
        if len(wrong):
            raise ColumnTypeError(f"grade is {wrong[0]}; the scale given has {scale.tolist()}.")
        return self._counts(np.searchsorted(scale, self.grade), max(len(scale), 1))

    def place_counts(self) -> FloatArray:
        """(items * n, 2 n - 1): how often an image had each place, ties between two places."""
        return self._counts((2.0 * self.ranks() - 2.0).astype(np.int64), 2 * self.n - 1)

    def ranks(self) -> FloatArray:
        """(V, n) mid-ranks: 1 for the worst."""
        lower = (self.grade[:, None, :] < self.grade[:, :, None]).sum(axis=2)
        equal = (self.grade[:, None, :] == self.grade[:, :, None]).sum(axis=2)
        ranks: FloatArray = lower + (equal + 1.0) / 2.0
        return ranks

    def _counts(self, category: IntColumn, n_categories: int) -> FloatArray:
        """Votes by (item, column of `category`) and category."""
        units = category.shape[1]
        unit = self.item[:, None] * units + np.arange(units)
        n_units = self.n_items * units
        code = (unit * n_categories + category).ravel()
        counts = np.bincount(code, minlength=n_units * n_categories).astype(np.float64)
        return counts.reshape(n_units, n_categories)

    def kendall_w(self) -> FloatArray:
        """(items,) Kendall's W; NaN where everybody ties all images."""
        ranks, n, m = self.ranks(), self.n, np.bincount(self.item, minlength=self.n_items)
        sums = self._sum(ranks)
        spread = ((sums - m[:, None] * (n + 1) / 2.0) ** 2).sum(axis=1)
        equal = (self.grade[:, None, :] == self.grade[:, :, None]).sum(axis=2)
        tied = (equal**2 - 1.0).sum(axis=1)  # each of t tied images adds t^2 - 1: t^3 - t in all
        most = m**2 * (n**3 - n) - m * self._sum(tied[:, None])[:, 0]
        return np.where(most > 0.0, 12.0 * spread / np.maximum(most, 1.0), np.nan)

    def mean_tau(self) -> FloatArray:
        """(items,) mean tau-b of two votes; NaN where fewer than two votes have an order."""
        i, j = np.triu_indices(self.n, 1)
        signs = np.sign(self.grade[:, i].astype(np.float64) - self.grade[:, j])
        length = np.sqrt((signs**2).sum(axis=1))
        signs = signs / np.maximum(length, 1.0)[:, None]
        m = np.bincount(self.item, length > 0.0, self.n_items)
        total = (self._sum(signs) ** 2).sum(axis=1)  # m and twice the taus of all pairs
        mean = np.clip((total - m) / np.maximum(m * (m - 1.0), 1.0), -1.0, 1.0)
        return np.where(m > 1.0, mean, np.nan)

    def _sum(self, values: FloatArray) -> FloatArray:
        """Sums by item of each column."""
        columns = [np.bincount(self.item, column, self.n_items) for column in values.T]
        return np.stack(columns, axis=1)


@dataclass(frozen=True, eq=False)
class _Resampling:
    rng: np.random.Generator
    replicates: int
    level: float
    method: str

    def agreement(self, sets: _Sets, grades: Sequence[int] | None) -> GradedAgreement:
        if sets.n == 1:
            nominal, units = sets.grade_counts(grades), 1
        else:
            nominal, units = sets.pair_counts(), sets.n * (sets.n - 1) // 2
        draws = self._draws(nominal, units)
        ordinal, w, tau = draws, None, None
        n_untied = 0
        if sets.n > 2:
            ordinal = self._draws(sets.place_counts(), sets.n)
            values = sets.kendall_w()
            n_untied = int(np.isfinite(values).sum())
            w, tau = self._mean(values), self._mean(sets.mean_tau())
        return GradedAgreement(
            images=sets.n,
            percent=self._estimate(PERCENT, draws),
            alpha=self._estimate(ALPHA_NOMINAL, draws),
            alpha_ordinal=self._estimate(ALPHA_ORDINAL, ordinal),
            gwet_ac1=self._estimate(AC1, draws),
            kendall_w=w,
            mean_tau=tau,
            n_items=sets.n_items,
            n_votes=len(sets.item),
            n_untied_items=n_untied,
            level=self.level,
            method=self.method,
        )

    def _draws(self, counts: FloatArray, units: int) -> Draws:
        return Draws.of(counts, self.rng, self.replicates, units)

    def _estimate(self, coefficient: Coefficient, draws: Draws) -> AgreementEstimate:
        return estimate(coefficient, draws, self.level)

    def _mean(self, values: FloatArray) -> AgreementEstimate:
        defined = values[np.isfinite(values)]
        if len(values) and not len(defined):
            return undefined(State.NO_VARIATION, "Too few votes put one image before another.")
        return self._estimate(MEAN, self._draws(defined[:, None], 1))
