"""What an honest annotator is expected to answer, given what all others say of the same item.

An answer is reduced to a *label*: of two or more images the place of the one graded best of all,
or "none" where the best grade is shared; of one image its grade. Labels of one question and one
number of images form a *kind*. For a vote of annotator j on an item whose other votes hold c_v of
label v, with alpha the Dirichlet parameter of the kind and pi its shares,

    P_j(v) ~ ((alpha_v + c_v) / pi_v) ^ t_j * pi_v * m_j(v)

alpha says how far items divide people (fitted to the items' counts: the items' difficulty), t_j
how far j follows what others see (about 1; near 0 for who does not look), and m_j how much more
often than expected j gives labels of one meaning: an arm, "none", a grade. Items being
exchangeable for people, two honest answers to one item are thereby alike as often as its other
votes let expect, and a careless annotator, a lenient one and one who favours an arm are described
by t and m: they are alike with nobody beyond that.

References: Minka (2000), Estimating a Dirichlet distribution, for alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from ..inference.clustering import FloatArray
from ..votes.chunking import row_sums
from ..votes.columns import IntColumn
from ..votes.graded import GradedVotes

_LARGEST_ALPHA = 200.0  # in all: beyond, items do not differ
_FOLLOWING_SD = 0.5  # of t over people, around 1
_OWN_VOTES = 10.0  # at the usual rate, which an annotator's own rates are drawn towards


@dataclass(frozen=True, eq=False)
class Answers:
    """Votes of all questions, entry i of each column describing vote i.

    Attributes:
        item, who, kind, label: codes without gaps.
        arm: votes x labels, the arm that a label favours, -1 for none; for one image its arm.
        meaning: votes x labels, what a label means of its giver's habits, -1 where a kind has no
            such label.
        single: whether the vote grades one image.
        n_annotators, n_items, n_meanings: how many codes there are.
        n_compared: accounts 0 to n_compared - 1 are looked at; the others cast few votes.
    """

    item: IntColumn
    who: IntColumn
    kind: IntColumn
    label: IntColumn
    arm: IntColumn
    meaning: IntColumn
    single: np.ndarray
    n_annotators: int
    n_items: int
    n_meanings: int
    n_compared: int

    def __len__(self) -> int:
        return len(self.item)

    @property
    def n_labels(self) -> int:
        return self.meaning.shape[1]


def labelled(
    questions: Sequence[GradedVotes], people: Sequence[object], n_compared: int
) -> Answers:
    """The votes of all questions as labels; `people` lists every annotator once."""
    place = {who: at for at, who in enumerate(people)}
    tables = [v.where(v.sizes == n) for v in questions for n in np.unique(v.sizes)]
    arms = sorted({one for votes in questions for one in votes.arms}, key=str)
    arm_place = {one: at for at, one in enumerate(arms)}
    nothing = np.zeros(0, dtype=np.int64)
    rated = [table.grade for table in tables if table.sizes[0] == 1]
    grades = np.unique(np.concatenate([nothing, *rated]))
    width = max(len(grades), *(int(t.sizes[0]) + 1 for t in tables))
    parts, n_items, meanings = [], 0, 0
    for kind, table in enumerate(tables):
        n, rows = int(table.sizes[0]), len(table)
        arm_of = np.array([arm_place[one] for one in table.arms])[table.arm].reshape(rows, n)
        arm = np.full((rows, width), -1, dtype=np.int64)
        meaning = arm.copy()
        if n == 1:
            label = np.searchsorted(grades, table.grade)
            arm[:] = arm_of
            meaning[:, : len(grades)] = meanings + np.arange(len(grades))
            meanings += len(grades)
        else:
            given = table.grade.reshape(rows, n)
            best = given == given.max(axis=1, keepdims=True)
            label = np.where(row_sums(best) == 1, best.argmax(axis=1), n)
            arm[:, :n], meaning[:, :n] = arm_of, meanings + arm_of
            meaning[:, n] = meanings + len(arms)
            meanings += len(arms) + 1
        _, item = np.unique(table.item, return_inverse=True)
        who = np.array([place[one] for one in table.annotators])[table.annotator]
        parts.append((item + n_items, who, np.full(rows, kind), label, arm, meaning,
                      np.full(rows, n == 1)))  # fmt: skip
        n_items += int(item.max()) + 1
    item, who, kind_of, label, arm, meaning, single = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Answers(
        item=item,
        who=who,
        kind=kind_of,
        label=label,
        arm=arm,
        meaning=meaning,
        single=single,
        n_annotators=len(people),
        n_items=n_items,
        n_meanings=meanings,
        n_compared=n_compared,
    )


@dataclass(frozen=True, eq=False)
class HonestModel:
    """Fitted to all votes, see this module.

    Attributes:
        counts: items x labels, how often each label was given.
        alpha, share: kinds x labels; share is pi, and 1 where a kind has no such label.
        following: t of each annotator.
        habit: votes x labels, pi m_j without the vote itself; 0 where there is no such label.
    """

    answers: Answers
    counts: FloatArray
    alpha: FloatArray
    share: FloatArray
    following: FloatArray
    habit: FloatArray

    @classmethod
    def of(cls, answers: Answers) -> HonestModel:
        counts = count_labels(answers, answers.label)
        alpha, share = _alphas(answers, counts)
        log_ratio = np.log(others(answers, counts, alpha) / share[answers.kind])
        exists = answers.meaning >= 0
        usual = np.where(exists, share[answers.kind], 0.0)
        following, habit = np.ones(answers.n_annotators), usual
        for rounds in (8, 4, 4):
            following = _following(answers, log_ratio, habit, following, rounds)
            expected = usual * np.exp(log_ratio * _t(answers, following))
            habit = usual * _rates(answers, expected, usual)
        return cls(answers, counts, alpha, share, following, habit)

    def with_labels(self, label: IntColumn) -> HonestModel:
        """The same people and items with other answers; nothing is fitted anew."""
        answers = replace(self.answers, label=label)
        return HonestModel(answers, count_labels(answers, label), self.alpha, self.share,
                           self.following, self.habit)  # fmt: skip

    def weights(self, vote: IntColumn, seen: FloatArray) -> FloatArray:
        """Labels of these votes in proportion to their probability, alpha + c being `seen`."""
        kind, who = self.answers.kind[vote], self.answers.who[vote]
        ratio = seen / self.share[kind]
        ratio **= self.following[who][:, None]
        ratio *= self.habit[vote]
        return ratio

    def chances(self, vote: IntColumn, seen: FloatArray) -> FloatArray:
        """The probability of each label."""
        weight = self.weights(vote, seen)
        weight /= row_sums(weight)[:, None]
        return weight

    def seen(self, vote: IntColumn) -> FloatArray:
        """alpha + c for these votes, c being what all others say of the item."""
        return others(self.answers, self.counts, self.alpha, vote)


def count_labels(
    answers: Answers, label: IntColumn, weight: FloatArray | None = None
) -> FloatArray:
    """Items x labels."""
    cell = answers.item * answers.n_labels + label
    size = answers.n_items * answers.n_labels
    table = np.bincount(cell, weight, size).astype(np.float64)
    return table.reshape(answers.n_items, answers.n_labels)


def others(
    answers: Answers, counts: FloatArray, alpha: FloatArray, vote: IntColumn | None = None
) -> FloatArray:
    at = np.arange(len(answers)) if vote is None else vote
    seen: FloatArray = alpha[answers.kind[at]] + counts[answers.item[at]]
    seen[np.arange(len(at)), answers.label[at]] -= 1.0
    return seen


def _t(answers: Answers, following: FloatArray) -> FloatArray:
    return following[answers.who][:, None]


def _alphas(answers: Answers, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    n_kinds = int(answers.kind.max()) + 1
    kind_of = np.empty(answers.n_items, dtype=np.int64)
    kind_of[answers.item] = answers.kind
    alpha = np.ones((n_kinds, answers.n_labels))
    share = np.ones_like(alpha)
    for kind in range(n_kinds):
        one = int(np.flatnonzero(answers.kind == kind)[0])
        labels = np.flatnonzero(answers.meaning[one] >= 0)
        found = _alpha(counts[kind_of == kind][:, labels])
        alpha[kind, labels] = found
        share[kind, labels] = found / found.sum()
    return alpha, share


def _alpha(counts: FloatArray) -> FloatArray:
    """The Dirichlet parameter of the items' counts by Minka's fixed point."""
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    totals = patterns.sum(axis=1)
    alpha = 3.0 * np.maximum(times @ patterns, 0.5) / (times @ totals)
    for _ in range(60):
        up = times @ (special.digamma(patterns + alpha) - special.digamma(alpha))
        down = times @ (special.digamma(totals + alpha.sum()) - special.digamma(alpha.sum()))
        alpha = np.maximum(alpha * up / max(down, 1e-12), 1e-3)
        alpha *= min(1.0, _LARGEST_ALPHA / alpha.sum())
    return alpha


def _following(
    answers: Answers, log_ratio: FloatArray, habit: FloatArray, start: FloatArray, rounds: int
) -> FloatArray:
    """t of each annotator by Newton steps, drawn towards 1."""
    n, following = answers.n_annotators, start
    said = log_ratio[np.arange(len(answers)), answers.label]
    for _ in range(rounds):
        weight = np.exp(log_ratio * _t(answers, following)) * habit
        weight /= row_sums(weight)[:, None]
        weight *= log_ratio
        mean = row_sums(weight)
        variance = row_sums(weight * log_ratio) - mean**2
        up = np.bincount(answers.who, said - mean, n) - (following - 1.0) / _FOLLOWING_SD**2
        down = np.bincount(answers.who, variance, n) + 1.0 / _FOLLOWING_SD**2
        following = np.clip(following + up / down, 0.0, 3.0)
    return following


def _rates(answers: Answers, weight: FloatArray, usual: FloatArray) -> FloatArray:
    """Votes x labels: how much more often than expected the annotator gives such labels.

    Without the vote itself, so that a vote does not explain itself.
    """
    chance = weight / row_sums(weight)[:, None]
    n, m = answers.n_annotators, answers.n_meanings
    exists = answers.meaning >= 0
    cell = answers.who[:, None] * m + np.where(exists, answers.meaning, 0)
    own = cell[np.arange(len(answers)), answers.label]
    given = np.bincount(own, minlength=n * m).astype(np.float64)
    expected = np.bincount(cell.ravel(), (chance * exists).ravel(), n * m)
    one = np.zeros_like(chance)
    one[np.arange(len(answers)), answers.label] = 1.0
    prior = _OWN_VOTES * np.where(exists, usual, 1.0)
    rates: FloatArray = (given[cell] - one + prior) / (expected[cell] - chance + prior)
    return rates
