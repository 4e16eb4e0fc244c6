"""How much likelier a ring makes what accounts answered than honest people do, in nats.

In a ring each member gives, with probability rho, the answer the ring agreed on for an item, and
else an answer of their own; what the ring agreed on is as its members' answers usually are. Honest
people are those of `honest_model`; *like-minded* honest people answer as each other besides with a
probability of up to kappa. The ratio of both is a ring's evidence on the items that at least two
of its members judged; on others there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..inference.clustering import FloatArray
from ..votes.chunking import CHUNK, row_sums
from ..votes.columns import IntColumn
from .honest_model import HonestModel, count_labels
from .leave_one_out import sums_by
from .saddlepoint import upper_tails

RHO = 0.85  # for pairs, and for one account beside its ring
_RHOS = (0.7, 0.9, 0.97)  # for a whole ring: the mean of all
_MOST_COMPARED = 50  # votes of one item; of more the first ones
_LEAST_KAPPA = 0.05
_MOST_KAPPA = 0.9
_KAPPA_SDS = 2.0


def vote_pairs(item: IntColumn) -> Iterator[tuple[IntColumn, IntColumn]]:
    """The two votes of every pair of votes on one item, some 65,000 pairs at a time."""
    order = np.argsort(item, kind="stable")
    _, first, sizes = np.unique(item[order], return_index=True, return_counts=True)
    sizes = np.minimum(sizes, _MOST_COMPARED)
    for n in np.unique(sizes[sizes > 1]).tolist():
        i, j = np.triu_indices(n, 1)
        starts = first[sizes == n][:, None]
        held = max(1, CHUNK // len(i))
        for at in range(0, len(starts), held):
            rows = starts[at : at + held]
            yield order[(rows + i).ravel()], order[(rows + j).ravel()]


@dataclass(frozen=True, eq=False)
class PairTerms:
    """Of pairs of votes on one item: whose, and how probable by each account."""

    one: IntColumn
    other: IntColumn
    same: np.ndarray
    log_ring: FloatArray
    first: FloatArray
    second: FloatArray
    expected_same: FloatArray

    def evidence(self, kappa: float) -> FloatArray:
        honest = (1.0 - kappa) * self.second + kappa * self.same
        evidence: FloatArray = self.log_ring - np.log(self.first * honest)
        return evidence


def pair_terms(model: HonestModel, left: IntColumn, right: IntColumn) -> PairTerms:
    """Honest people: the second account answers knowing no more than the first one's vote tells."""
    answers, rows = model.answers, np.arange(len(left))
    v, w = answers.label[left], answers.label[right]
    seen = model.seen(left)
    seen[rows, w] -= 1.0
    p = model.chances(left, seen)
    before = model.weights(right, seen)
    after = model.weights(right, seen + 1.0)  # the weight of a label once it was given
    total = row_sums(before)
    grown = total[:, None] - before + after  # the sum of weights once a label was given
    same = v == w
    second = np.where(same, after[rows, w], before[rows, w]) / grown[rows, v]
    q = before / total[:, None]
    agreed = (p + q) / 2.0
    first, alone = p[rows, v], q[rows, w]
    ring = (
        (1.0 - RHO) ** 2 * first * second
        + RHO * (1.0 - RHO) * (agreed[rows, v] * alone + agreed[rows, w] * first)
        + RHO**2 * same * agreed[rows, v]
    )
    return PairTerms(
        one=answers.who[left],
        other=answers.who[right],
        same=same,
        log_ring=np.log(ring),
        first=first,
        second=second,
        expected_same=row_sums(p * after / grown),
    )


def _terms(model: HonestModel) -> Iterator[PairTerms]:
    """Of all pairs of votes by two accounts that are compared."""
    who = model.answers.who
    for left, right in vote_pairs(model.answers.item):
        both = (who[left] < model.answers.n_compared) & (who[right] < model.answers.n_compared)
        yield pair_terms(model, left[both], right[both])


def like_mindedness(model: HonestModel) -> float:
    """kappa: twice the standard deviation over pairs of accounts of how alike they answer.

    Of a pair that shares items, x is whether both say the same less the probability of it, and q
    what is left to certainty. (sum x)^2 - sum x^2 over (sum q)^2 - sum q^2 has the square of the
    pair's kappa as its mean; over all pairs that is the variance, taken one standard error
    lower, since noise would else pass for tastes people share and hide a ring.
    """
    n = model.answers.n_compared
    sums = np.zeros((4, n * n))
    for terms in _terms(model):
        low, high = np.minimum(terms.one, terms.other), np.maximum(terms.one, terms.other)
        x, q = terms.same - terms.expected_same, 1.0 - terms.expected_same
        for row, value in enumerate((x, x**2, q, q**2)):
            sums[row] += np.bincount(low * n + high, value, n * n)
    product, scale = sums[0] ** 2 - sums[1], float((sums[2] ** 2 - sums[3]).sum())
    if scale < 1e-9:
        return _LEAST_KAPPA
    variance = (product.sum() - np.sqrt((product**2).sum())) / scale
    return float(np.clip(_KAPPA_SDS * np.sqrt(max(variance, 0.0)), _LEAST_KAPPA, _MOST_KAPPA))


def pair_evidence(model: HonestModel, kappa: float) -> FloatArray:
    """Accounts x accounts: the evidence that both are in one ring, summed over shared items."""
    n = model.answers.n_compared
    total = np.zeros(n * n)
    for terms in _terms(model):
        total += np.bincount(terms.one * n + terms.other, terms.evidence(kappa), n * n)
    table = total.reshape(n, n)
    evidence: FloatArray = table + table.T
    return evidence


def ring_evidence(model: HonestModel, members: IntColumn, kappa: float) -> float:
    """The evidence that these accounts are one ring, every item of theirs taken once."""
    answers = model.answers
    inside = np.zeros(answers.n_annotators, dtype=np.bool_)
    inside[members] = True
    votes = np.flatnonzero(inside[answers.who])
    votes = votes[np.argsort(answers.item[votes], kind="stable")]
    item, first, sizes = np.unique(answers.item[votes], return_index=True, return_counts=True)
    item, first, sizes = item[sizes > 1], first[sizes > 1], sizes[sizes > 1]
    if not len(item):
        return 0.0
    base = model.alpha[answers.kind[votes[first]]] + model.counts[item]
    turns = [(np.flatnonzero(sizes > turn), turn) for turn in range(int(sizes.max()))]
    for rows, turn in turns:
        base[rows, answers.label[votes[first[rows] + turn]]] -= 1.0
    given = np.zeros_like(base)
    agreed, honest = np.zeros_like(base), np.zeros(len(item))
    alike = [np.ones_like(base) for _ in _RHOS]
    for rows, turn in turns:
        vote = votes[first[rows] + turn]
        label = answers.label[vote]
        p = model.chances(vote, base[rows] + given[rows])[np.arange(len(rows)), label]
        if turn:
            p = (1.0 - kappa) * p + kappa * given[rows, label] / turn
        honest[rows] += np.log(p)
        alone = model.chances(vote, base[rows])
        agreed[rows] += alone / sizes[rows][:, None]
        for rho, product in zip(_RHOS, alike, strict=True):
            chance = np.repeat((1.0 - rho) * alone[np.arange(len(rows)), label][:, None],
                               base.shape[1], axis=1)  # fmt: skip
            chance[np.arange(len(rows)), label] += rho
            product[rows] *= chance
        given[rows, label] += 1.0
    logs = [float((np.log(row_sums(agreed * product)) - honest).sum()) for product in alike]
    return float(np.logaddexp.reduce(logs) - np.log(len(logs)))


@dataclass(frozen=True, eq=False)
class BesideRing:
    """Every account beside the other members of one ring, on the items they share.

    Attributes:
        p_value: of answering so like the ring, if the account is honest; 1 where it shares none.
        shared: items that the account and another member judged.
        alike, expected: of these, answered as most of the others of the ring; if honest.
    """

    p_value: FloatArray
    shared: IntColumn
    alike: FloatArray
    expected: FloatArray


def beside_ring(model: HonestModel, members: IntColumn, kappa: float) -> BesideRing:
    answers = model.answers
    inside = np.zeros(answers.n_annotators, dtype=np.bool_)
    inside[members] = True
    own = inside[answers.who]
    ring = count_labels(answers, answers.label, own.astype(np.float64))[answers.item]
    ring[np.arange(len(answers)), answers.label] -= own
    votes = np.flatnonzero(ring.sum(axis=1) > 0.5)
    n, rows = answers.n_annotators, np.arange(len(votes))
    who, label = answers.who[votes], answers.label[votes]
    share = ring[votes]
    share /= row_sums(share)[:, None]
    chance = model.chances(votes, model.seen(votes))
    honest = (1.0 - kappa) * chance + kappa * share
    ratio = np.full_like(honest, 1.0)
    np.divide((1.0 - RHO) * chance + RHO * share, honest, out=ratio, where=honest > 0.0)
    score = np.log(ratio)
    most = share.argmax(axis=1)
    reached = sums_by(who, score[rows, label], n)
    return BesideRing(
        p_value=upper_tails(who, honest, score, reached),
        shared=np.bincount(who, minlength=n),
        alike=sums_by(who, label == most, n),
        expected=sums_by(who, chance[rows, most], n),
    )
