"""Counts of pairs and outcomes for parts of a study, by prompt and by annotator, and their fits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.chunking import CHUNK, Codes, chunks
from ..votes.columns import BoolColumn, IntColumn
from ..votes.pairs import PairVotes
from .davidson import Fit, PairCounts, Ties, fit
from .existence import existence

TABLE = 1 << 20  # entries of a table held at once


@dataclass(frozen=True, eq=False)
class Fold:
    """Counts of votes by (pair, outcome): the columns are those of `PairCounts.counts`, flat."""

    votes: PairVotes
    folded: IntColumn  # (pair, outcome) of each of `PairVotes.cells`
    size: int
    table: FloatArray | None  # prompt x (pair, outcome), where it is small

    @classmethod
    def of(cls, votes: PairVotes, pairs: PairCounts) -> Fold:
        m = votes.n_arms
        folded = np.zeros((m, m, 3), dtype=np.int64)
        cells = np.arange(len(pairs.first) * 3).reshape(-1, 3)
        folded[pairs.first, pairs.second] = cells
        folded[pairs.second, pairs.first] = cells[:, ::-1]
        made = cls(votes, folded.ravel(), cells.size, None)
        if len(votes.prompts) * cells.size <= TABLE:
            return replace(made, table=made.by_code(votes.prompt, 0, len(votes.prompts)))
        return made

    def by_prompts(self, weight: FloatArray) -> FloatArray:
        """Counts (replicates, size) where prompt p counts weight[:, p] times."""
        if self.table is not None:
            return np.asarray(weight @ self.table, np.float64)
        counts = np.zeros((len(weight), self.size))
        for part in chunks(weight.shape[1], max(1, TABLE // self.size)):
            counts += weight[:, part] @ self.by_code(self.votes.prompt, part.start, part.stop)
        return counts

    def by_code(self, codes: Codes, low: int, high: int) -> FloatArray:
        """Counts (high - low, size) of the votes with each code from `low` to `high` - 1."""
        table = np.zeros((high - low) * self.size)
        ones = np.ones(CHUNK)
        for rows in chunks(len(codes)):
            code, cells = codes[rows].astype(np.int64), self.votes.cells(rows)
            kept = (code >= low) & (code < high)
            if not kept.all():
                code, cells = code[kept], cells[kept]
            code = (code - low) * self.size + self.folded[cells]
            np.add.at(table, code, ones[: len(code)])  # bincount would make a second table
        return table.reshape(high - low, self.size)


def fit_each(
    drawn: PairCounts, pairs: PairCounts, votes: PairVotes, ties: Ties, start: Fit
) -> tuple[FloatArray, BoolColumn]:
    """Fit several counts, made of parts of the study's votes: strengths, and which have any."""
    fits = _defined(drawn, pairs, votes, ties)
    strengths = np.empty((len(fits), pairs.n_arms))
    for rows in _of_one_model(drawn, fits, ties):
        fitted = fit(replace(drawn, counts=drawn.counts[rows]), ties, start=start)
        strengths[rows], fits[rows] = fitted.strengths, fitted.converged
    return strengths[fits], fits


def _of_one_model(drawn: PairCounts, fits: BoolColumn, ties: Ties) -> list[IntColumn]:
    """The rows that can be fitted together: without any tie there is one parameter less."""
    with_nu = fits & (drawn.counts[..., 1] > 0.0).any(axis=1)
    parts = (fits,) if ties == "half" else (with_nu, fits & ~with_nu)
    return [np.flatnonzero(rows) for rows in parts if rows.any()]


def _defined(drawn: PairCounts, pairs: PairCounts, votes: PairVotes, ties: Ties) -> BoolColumn:
    """Which counts have strengths: only those that lack an outcome of the study can lack them."""
    defined = np.ones(len(drawn.counts), dtype=np.bool_)
    lacking = ((drawn.counts == 0) & (pairs.counts > 0)).any(axis=(1, 2))
    for row in np.flatnonzero(lacking):
        one = replace(drawn, counts=drawn.counts[row])
        seen = one.counts.any(axis=1)
        one = PairCounts(one.first[seen], one.second[seen], one.counts[seen], one.n_arms)
        state, _ = existence(one, votes.arms, ties)
        defined[row] = state is State.DEFINED
    return defined
