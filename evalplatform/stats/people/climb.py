"""Expectation-maximisation of Dawid and Skene's model, in longer steps where it is slow.

A round finds class shares and confusions from the chances of each item's classes, and those
chances anew. Its steps point the right way and are often far too short. SQUAREM measures by two
rounds how they shrink and goes on to where they lead; what comes out lower is not taken, so the log
posterior never falls.

Reference. Varadhan and Roland (2008), Scandinavian Journal of Statistics 35:335-353, scheme S3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import inf, sqrt

import numpy as np

from ..inference.clustering import FloatArray
from ..votes.chunking import column_sums
from .item_answers import ItemAnswers

PLAIN_ROUNDS = 80
"""Rounds before steps are made longer: most votes are done by then."""

_TINY = 1e-300  # stands for 0 under a logarithm


@dataclass(frozen=True, eq=False)
class Parameters:
    """Class shares (C) and confusions (annotator x class x label); each row sums to 1."""

    shares: FloatArray
    confusion: FloatArray

    def logs(self) -> FloatArray:
        return np.concatenate([_log(self.shares), _log(self.confusion).ravel()])

    def moved_to(self, logs: FloatArray) -> Parameters:
        """The parameters whose logarithms are these, up to what makes each row sum to 1."""
        n_classes = len(self.shares)
        return Parameters(
            _normalised(logs[:n_classes]),
            _normalised(logs[n_classes:].reshape(self.confusion.shape)),
        )


class Climb:
    """A climb from the shares of votes in each item towards the highest log posterior.

    Attributes:
        at: the parameters reached; `posterior` (I x C) is the chance of each class by them.
        arrived: whether the last step gained no more than was asked.
    """

    at: Parameters

    def __init__(self, seen: ItemAnswers, cell: float, symmetric: bool) -> None:
        self._seen, self._cell, self._symmetric = seen, cell, symmetric
        self.posterior = seen.shares()
        self.arrived = False

    def to_the_top(self, max_rounds: int, least_gain: float) -> list[float]:
        """Climb until a step gains less than `least_gain`, or rounds run out.

        Return the log posterior after each round.
        """
        heights: list[float] = []
        while len(heights) < max_rounds and not self.arrived:
            before = heights[-1] if heights else -inf
            if len(heights) < max(PLAIN_ROUNDS, 1) or max_rounds - len(heights) < 2:
                heights.append(self._go_to(self._maximised()))
            else:
                heights += self._long_step()
            self.arrived = heights[-1] - before < least_gain
        return heights

    def _long_step(self) -> list[float]:
        """Go where two rounds lead; the log posterior after the first of them and at the end."""
        start = self.at.logs()
        first = self._go_to(self._maximised())
        one, second = self.at.logs(), self._maximised()
        step = one - start
        bend = second.logs() - one - step
        size = float(bend @ bend)
        length = max(1.0, sqrt(float(step @ step) / size)) if size > 0.0 else 1.0
        if length > 1.0:
            kept, posterior = self.at, self.posterior.copy()
            height = self._go_to(kept.moved_to(start + 2.0 * length * step + length**2 * bend))
            if height >= first:
                return [first, height]
            self.at, self.posterior = kept, posterior
        return [first, self._go_to(second)]

    def _maximised(self) -> Parameters:
        """The parameters that are the most likely, given the classes of the items."""
        n_classes = self._seen.n_classes
        shares = column_sums(self.posterior) + self._cell
        counted = self._seen.sum_over_items(self.posterior).reshape(-1, n_classes, n_classes)
        counted = counted.transpose(0, 2, 1) + self._cell
        if self._symmetric:
            counted = counted + counted[:, ::-1, ::-1]
        total = counted.sum(axis=2, keepdims=True)
        # A class that no item of this annotator can have tells nothing: every answer is as likely.
        alike = np.full_like(counted, 1 / n_classes)
        confusion = np.divide(counted, total, out=alike, where=total > 0)
        return Parameters(shares / shares.sum(), confusion)

    def _go_to(self, there: Parameters) -> float:
        """Fill in the chances of the items' classes by these parameters; their log posterior."""
        self.at = there
        logs = _log(there.confusion)
        by_answer = np.ascontiguousarray(logs.transpose(0, 2, 1).reshape(-1, len(there.shares)))
        height = 0.0
        for items, table in self._seen.parts:
            chance = table @ by_answer
            chance += _log(there.shares)
            top = reduce(np.maximum, chance.T)  # by column: rows of a few numbers are slow
            chance -= top[:, None]
            np.exp(chance, out=chance)
            total = reduce(np.add, chance.T)
            np.divide(chance, total[:, None], out=self.posterior[items])
            height += float(np.log(total).sum() + top.sum())
        if self._cell:
            height += self._cell * float(_log(there.shares).sum() + logs.sum())
        return height


def _normalised(logs: FloatArray) -> FloatArray:
    raised = np.exp(logs - logs.max(axis=-1, keepdims=True))
    rows: FloatArray = raised / raised.sum(axis=-1, keepdims=True)
    return rows


def _log(values: FloatArray) -> FloatArray:
    logs: FloatArray = np.log(np.maximum(values, _TINY))
    return logs
