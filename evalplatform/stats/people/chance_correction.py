"""Coefficients of agreement from per-item counts: percent, kappa, alpha and AC1.

A table of counts has one row per item and one column per category, in the categories' order. All
coefficients read the items with two or more votes and have one form,

    coefficient = (observed - expected) / (1 - expected)

and differ in what they expect by chance. `Coefficient.of_many` computes one for many weightings of
the rows at once, which is what a bootstrap needs; see `reliability`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ..inference.clustering import FloatArray
from ..votes.chunking import BLOCK, chunks

OfMany = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Coefficient:
    """A chance-corrected coefficient as disagreement seen over disagreement expected.

    `parts(weights, counts)` takes weights (replicates x items) and counts (rows x categories), each
    item having the same number of rows, and returns both disagreements, one of each per
    replicate. Items with fewer than two votes must have weight 0.
    """

    parts: OfMany

    def of_many(self, weights: FloatArray, counts: FloatArray) -> FloatArray:
        """The coefficient of each replicate; those that expect no disagreement are left out."""
        observed, expected = self.parts(weights, counts)
        defined = expected > 0.0
        values: FloatArray = 1.0 - observed[defined] / expected[defined]
        return values


def _percent_parts(weights: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Percent agreement: the chance that two of an item's votes agree, mean over items, in [0, 1].

    Formula. mean over items u of sum_c n_uc (n_uc - 1) / (m_u (m_u - 1)), m_u votes in item u.
    """
    observed = _mean(weights, counts, _disagreement)
    return observed, np.ones_like(observed)


def _fleiss_parts(weights: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fleiss' kappa, at most 1; undefined where all votes are one category.

    Formula. (P - sum_c p_c^2) / (1 - sum_c p_c^2), P the percent agreement and p_c the mean over
    items of the share n_uc / m_u. Fleiss defined it for the same number of votes on each item;
    with different numbers, all 2 or more, this is the generalisation of Gwet (2014), chapter 2.
    Items with one vote are left out of P and of p_c alike; Gwet keeps them in p_c.

    How to read. Chance is a draw from the votes as they are: where one category is common, kappa
    is low however often people agree.

    References. Fleiss (1971), Psychological Bulletin 76:378-382.
    """
    margin = _mean(weights, counts, _shares)
    return _mean(weights, counts, _disagreement), _positive(1.0 - (margin**2).sum(axis=1))


def _ac1_parts(weights: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gwet's AC1, which stays near the percent agreement where one category is common.

    Formula. (P - E) / (1 - E) with E = sum_c p_c (1 - p_c) / (C - 1) over the C columns of
    `counts`, used or not; P and p_c as in Fleiss' kappa. All votes in one category make E = 0 and
    AC1 = P = 1 by definition.

    How to read. Chance is a guess among the categories, made only where an item is hard to tell.
    Where margins are skewed, kappa and alpha may be near 0 beside 95 % agreement; AC1 is not.

    Reference. Gwet (2008), British Journal of Mathematical and Statistical Psychology 61:29-48.
    """
    margin = _mean(weights, counts, _shares)
    chance = (margin * (1.0 - margin)).sum(axis=1) / max(counts.shape[1] - 1, 1)
    return _mean(weights, counts, _disagreement), 1.0 - chance


def _nominal_parts(weights: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Krippendorff's nominal alpha; undefined where all votes are one category.

    Formula. Over items u with m_u >= 2 votes, n votes in all and N_c of them in category c:

        alpha = 1 - (n - 1) * sum_u (m_u^2 - sum_c n_uc^2) / (m_u - 1) / (n^2 - sum_c N_c^2)

    that is 1 - observed / expected disagreement, the expected one from pairing all votes at random.

    Reference. Krippendorff (2011), Computing Krippendorff's alpha-reliability.
    """
    total = _sum(weights, counts, lambda rows: rows)
    n = total.sum(axis=1)
    observed = _sum(weights, counts, lambda rows: rows.sum(axis=1) * _disagreement(rows))
    return (n - 1.0) * observed, n**2 - (total**2).sum(axis=1)


def _ordinal_parts(weights: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Krippendorff's ordinal alpha: A against B disagrees more than A against a tie.

    Formula. As the nominal one with each disagreeing pair weighted by the squared distance

        d(c, k)^2 = (N_c / 2 + N_(c+1) + ... + N_(k-1) + N_k / 2)^2

    that is, by how many of all votes lie between the two categories. The columns of `counts` are
    in order (for votes: A, tie, B).

    Reference. Krippendorff (2011), Computing Krippendorff's alpha-reliability.
    """
    total = _sum(weights, counts, lambda rows: rows)
    place = np.cumsum(total, axis=1) - total / 2.0  # where each category lies among all votes
    first, second = np.triu_indices(counts.shape[1], 1)
    distance = (place[:, second] - place[:, first]) ** 2

    def met_pairs(rows: FloatArray) -> FloatArray:
        others = _at_least_1(rows.sum(axis=1, keepdims=True) - 1.0)
        pairs: FloatArray = rows[:, first] * rows[:, second] / others
        return pairs

    met = _sum(weights, counts, met_pairs)
    expected: FloatArray = (distance * total[:, first] * total[:, second]).sum(axis=1)
    return (total.sum(axis=1) - 1.0) * (distance * met).sum(axis=1), expected


def _mean_parts(weights: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    means = _mean(weights, values, lambda rows: rows)[:, 0]
    return 1.0 - means, np.ones_like(means)


def _disagreement(counts: FloatArray) -> FloatArray:
    """The chance that two votes of an item disagree, per row; 0 where there are no two."""
    size = counts.sum(axis=1)
    ordered_pairs = _at_least_1(size * (size - 1.0))
    chance: FloatArray = (size**2 - np.einsum("ij,ij->i", counts, counts)) / ordered_pairs
    return chance


def _shares(counts: FloatArray) -> FloatArray:
    shares: FloatArray = counts / _at_least_1(counts.sum(axis=1, keepdims=True))
    return shares


def _at_least_1(divisor: FloatArray) -> FloatArray:
    """Rows without two votes have weight 0: what they are divided by must only not be 0."""
    return np.maximum(divisor, 1.0)


def _sum(
    weights: FloatArray, counts: FloatArray, of_rows: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """The weighted sum over items of what `of_rows` makes of their counts, per replicate.

    An item has as many rows, one after another, as there are more rows than weights. Made a part
    of the items at a time, so that nothing as long as the table is held beside it.
    """
    units = _units(weights, counts)

    def of_items(items: slice) -> FloatArray:
        made = of_rows(counts[items.start * units : items.stop * units])
        n_items = items.stop - items.start
        by_item: FloatArray = made.reshape(n_items, units, *made.shape[1:]).sum(axis=1)
        return by_item

    parts = (weights[:, items] @ of_items(items) for items in chunks(weights.shape[1], BLOCK))
    return reduce(np.add, parts)


def _mean(
    weights: FloatArray, counts: FloatArray, of_rows: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    total = _sum(weights, counts, of_rows)
    size = weights.sum(axis=1) * _units(weights, counts)
    means: FloatArray = total / (size if total.ndim == 1 else size[:, None])
    return means


def _units(weights: FloatArray, counts: FloatArray) -> int:
    return len(counts) // weights.shape[1]


def _positive(expected: FloatArray) -> FloatArray:
    """`expected` with what is rounding error beside 1 set to 0: one category only."""
    return np.where(expected > 1e-12, expected, 0.0)


PERCENT = Coefficient(_percent_parts)
FLEISS = Coefficient(_fleiss_parts)
ALPHA_NOMINAL = Coefficient(_nominal_parts)
ALPHA_ORDINAL = Coefficient(_ordinal_parts)
AC1 = Coefficient(_ac1_parts)
MEAN = Coefficient(_mean_parts)
"""Not a chance correction: the mean of one value per item, in [-1, 1], as of tau."""
