"""Davidson's model of paired comparisons with ties, fitted to counts.

For arms i and j with strengths theta_i, theta_j (natural log scale) and d = theta_i -
theta_j, the chances of a win of i, a tie and a win of j stand as

    exp(d / 2) : nu : exp(-d / 2).

nu = 0 is the model of Bradley and Terry. The log likelihood is concave in (theta, log nu), so
Newton's method with step halving finds its only maximum. A leading axis of the counts holds
replicates, which are fitted all at once.

References: Davidson (1970), JASA 65:317-328; Bradley and Terry (1952), Biometrika 39:324-345.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..inference.clustering import FloatArray
from ..votes.chunking import CHUNK, chunks
from ..votes.columns import BoolColumn, IntColumn
from ..votes.pairs import PairVotes

Ties = Literal["davidson", "half"]

_MAX_ITERATIONS = 200
_LONGEST_STEP = 2.0  # natural log units; odds that change more than sevenfold are no Newton step
_RIDGE = 1e-13  # of the largest curvature: keeps the system solvable where odds are extreme
_MAX_HALVINGS = 30
_TOLERANCE = 1e-6  # of the last step, on the log scale; what is left is about its square


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Outcomes of every pair of arms that was compared, i < j.

    Attributes:
        first, second: positions i and j, one entry per pair (K).
        counts: wins of i, ties, wins of j: (K, 3), or (replicates, K, 3). May be fractions.
        n_arms: M.
    """

    first: IntColumn
    second: IntColumn
    counts: FloatArray
    n_arms: int

    def has_ties(self) -> bool:
        return bool(self.counts[..., 1].any())

    def with_half_ties(self) -> PairCounts:
        """Each tie as half a win of either side."""
        counts = self.counts.copy()
        counts[..., 0] += counts[..., 1] / 2.0
        counts[..., 2] += counts[..., 1] / 2.0
        counts[..., 1] = 0.0
        return replace(self, counts=counts)


@dataclass(frozen=True, eq=False)
class Fit:
    """Maximum of the likelihood; arrays keep the leading axis of the counts.

    Attributes:
        strengths: theta (..., M), with sum 0.
        log_nu: (...), or None where there is no tie parameter.
        information: minus the second derivatives (..., q, q) in theta, then log nu; q is M or
            M + 1. It is singular along theta + constant.
        converged: whether Newton's steps became small, per replicate.
    """

    strengths: FloatArray
    log_nu: FloatArray | None
    information: FloatArray
    converged: BoolColumn


def pair_counts(votes: PairVotes) -> PairCounts:
    """Count the outcomes of each pair in one pass over the votes."""
    size = votes.n_arms**2 * 3
    table = np.zeros(size, dtype=np.int64)
    for rows in chunks(len(votes), max(CHUNK, size)):
        table += np.bincount(votes.cells(rows), minlength=size)
    return fold(table.astype(np.float64), votes.n_arms)


def fold(table: FloatArray, n_arms: int) -> PairCounts:
    """Pair counts from counts by `PairVotes.cells`, (..., M * M * 3)."""
    square = table.reshape(*table.shape[:-1], n_arms, n_arms, 3)
    first, second = np.triu_indices(n_arms, 1)
    counts = square[..., first, second, :] + square[..., second, first, ::-1]
    seen = counts.any(axis=(*range(counts.ndim - 2), -1))
    return PairCounts(first[seen], second[seen], counts[..., seen, :], n_arms)


def fit(pairs: PairCounts, ties: Ties = "davidson", *, start: Fit | None = None) -> Fit:
    """Fit theta, and log nu where any vote is a tie; `existence` tells if there is a maximum.

    With ties="half" each tie is half a win of either side, so that there is no nu.
    """
    if ties == "half":
        pairs = pairs.with_half_ties()
    model = _Model.of(pairs)
    params = model.start(start)
    state = model.at(params)
    converged = np.zeros(state.loglik.shape, dtype=np.bool_)
    for _ in range(_MAX_ITERATIONS):
        step = newton_step(state.curvature, state.gradient)
        params, state = _climb(model, params, state, step)
        converged = np.abs(step).max(axis=-1) < _TOLERANCE
        if converged.all():
            break
    theta = params[..., : pairs.n_arms]
    return Fit(
        strengths=theta - theta.mean(axis=-1, keepdims=True),
        log_nu=params[..., -1] if model.with_ties else None,
        information=state.information,
        converged=converged,
    )


def newton_step(curvature: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton's step, cut to `_LONGEST_STEP`."""
    size = curvature.shape[-1]
    largest = np.abs(curvature).max(axis=(-2, -1), keepdims=True)
    solvable = curvature + _RIDGE * largest * np.eye(size)
    step = np.linalg.solve(solvable, gradient[..., None])[..., 0]
    longest = np.abs(step).max(axis=-1, keepdims=True)
    return np.asarray(step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300)))


def chances(d: FloatArray, log_nu: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """P(i wins), P(tie), P(j wins) at theta_i - theta_j = d.

    >>> [round(float(p), 3) for p in chances(np.array(np.log(4.0)), np.array(0.0))]
    [0.571, 0.286, 0.143]
    """
    up = np.exp(np.clip(d, -600.0, 600.0) / 2.0)
    nu = 0.0 if log_nu is None else np.exp(log_nu)
    total = up + 1.0 / up + nu
    return up / total, nu / total, 1.0 / (up * total)


@dataclass(frozen=True, eq=False)
class _Point:
    """The log likelihood and its derivatives at one value of the parameters."""

    loglik: FloatArray
    gradient: FloatArray
    information: FloatArray
    curvature: FloatArray  # information, made regular along theta + constant


@dataclass(frozen=True, eq=False)
class _Model:
    """The counts in the form the derivatives need."""

    pairs: PairCounts
    design: FloatArray  # (K, M): +1 for i, -1 for j
    n: FloatArray  # votes per pair
    net: FloatArray  # wins of i less wins of j
    n_ties: FloatArray
    with_ties: bool

    @classmethod
    def of(cls, pairs: PairCounts) -> _Model:
        design = np.zeros((len(pairs.first), pairs.n_arms))
        rows = np.arange(len(pairs.first))
        design[rows, pairs.first], design[rows, pairs.second] = 1.0, -1.0
        wins, ties, losses = (pairs.counts[..., outcome] for outcome in range(3))
        return cls(
            pairs=pairs,
            design=design,
            n=wins + ties + losses,
            net=wins - losses,
            n_ties=ties.sum(axis=-1),
            with_ties=pairs.has_ties(),
        )

    def start(self, fitted: Fit | None) -> FloatArray:
        shape = (*self.n.shape[:-1], self.pairs.n_arms + self.with_ties)
        params = np.zeros(shape)
        if fitted is not None:
            params[..., : self.pairs.n_arms] = fitted.strengths
        if self.with_ties:
            share = np.clip(self.n_ties / self.n.sum(axis=-1), 1e-6, 1.0 - 1e-6)
            params[..., -1] = np.log(2.0 * share / (1.0 - share))  # where all are equally strong
            if fitted is not None and fitted.log_nu is not None:
                params[..., -1] = fitted.log_nu
        return params

    def at(self, params: FloatArray) -> _Point:
        m = self.pairs.n_arms
        log_nu = params[..., m:] if self.with_ties else None
        d = params[..., :m] @ self.design.T
        win, tie, lose = chances(d, log_nu)
        mean = win - lose
        weight = self.n * (win + lose - mean**2) / 4.0
        total = np.logaddexp(d / 2.0, -d / 2.0)
        if log_nu is not None:
            total = np.logaddexp(total, log_nu)
        loglik = (self.net * d / 2.0 - self.n * total).sum(axis=-1)
        gradient = np.zeros_like(params)
        gradient[..., :m] = ((self.net - self.n * mean) / 2.0) @ self.design
        information = self._information(weight, params.shape)
        if log_nu is not None:
            loglik = loglik + self.n_ties * log_nu[..., 0]
            gradient[..., m] = self.n_ties - (self.n * tie).sum(axis=-1)
            cross = (-self.n * mean * tie / 2.0) @ self.design
            information[..., :m, m] = information[..., m, :m] = cross
            information[..., m, m] = (self.n * tie * (1.0 - tie)).sum(axis=-1)
        return _Point(loglik, gradient, information, regular(information, m))

    def _information(self, weight: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """The theta block: a weighted graph Laplacian, filled in without a dense product."""
        m = self.pairs.n_arms
        information = np.zeros((*shape, shape[-1]))
        information[..., self.pairs.first, self.pairs.second] = -weight
        information[..., self.pairs.second, self.pairs.first] = -weight
        diagonal = np.arange(m)
        information[..., diagonal, diagonal] = weight @ np.abs(self.design)
        return information


def regular(information: FloatArray, n_arms: int) -> FloatArray:
    """`information` with curvature along theta + constant, which changes nothing across it."""
    m = n_arms
    scale = np.trace(information[..., :m, :m], axis1=-2, axis2=-1) / m**2
    raised = information.copy()
    raised[..., :m, :m] += np.maximum(scale, 1e-300)[..., None, None]
    return raised


def _climb(
    model: _Model, params: FloatArray, state: _Point, step: FloatArray
) -> tuple[FloatArray, _Point]:
    """Take Newton's step, halved where the likelihood would fall."""
    size = np.ones(state.loglik.shape)
    slack = 1e-10 * (1.0 + np.abs(state.loglik))
    for _ in range(_MAX_HALVINGS):
        there = params + size[..., None] * step
        reached = model.at(there)
        lower = reached.loglik < state.loglik - slack
        if not lower.any():
            break
        size = np.where(lower, size / 2.0, size)
    return there, reached
