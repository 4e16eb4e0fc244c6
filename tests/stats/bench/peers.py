"""What the peers do, each in the way its own documentation or code does it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

import evalica
import krippendorff
import numpy as np
import pandas as pd
import statsmodels.api as sm
from crowdkit.aggregation import DawidSkene
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from evalplatform.stats import Votes

from .data import CHECKPOINTS, Data

WINNERS = np.array([evalica.Winner.X, evalica.Winner.Draw, evalica.Winner.Y], dtype=object)


class CountedLogit:
    """Bradley-Terry by scikit-learn on counts, as FastChat and its successors fit it.

    Each (pair, outcome) is a row with its count as weight; a tie is half a win of either side.
    """

    def __init__(self) -> None:
        first, second = np.triu_indices(CHECKPOINTS, 1)
        rows = np.arange(len(first))
        half = np.zeros((len(first), CHECKPOINTS))
        half[rows, first], half[rows, second] = 1.0, -1.0
        self.design = np.vstack([half, half])
        self.won = np.repeat([1, 0], len(first))
        self.first, self.second = first, second

    def counts(self, data: Data) -> np.ndarray:
        """Wins of the first, ties and wins of the second of each pair."""
        cell = (data.a.astype(np.int64) * CHECKPOINTS + data.b) * 3 + data.outcome
        table = np.bincount(cell, minlength=CHECKPOINTS**2 * 3)
        table = table.reshape(CHECKPOINTS, CHECKPOINTS, 3)
        return table[self.first, self.second] + table[self.second, self.first][:, ::-1]

    def strengths(self, counts: np.ndarray) -> np.ndarray:
        weight = np.concatenate([counts[:, 0] + counts[:, 1] / 2, counts[:, 2] + counts[:, 1] / 2])
        model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-6)
        fitted = model.fit(self.design, self.won, sample_weight=weight).coef_[0]
        return fitted - fitted.mean()

    def fit(self, data: Data) -> np.ndarray:
        return self.strengths(self.counts(data))

    def bootstrap(self, data: Data, replicates: int) -> np.ndarray:
        """Multinomial draws of all votes over (pair, outcome), refitted one by one."""
        counts = self.counts(data).astype(float)
        rng = np.random.default_rng(1)
        total = int(counts.sum())
        draws = rng.multinomial(total, counts.ravel() / total, size=replicates)
        return np.array([self.strengths(one.reshape(counts.shape)) for one in draws])


def evalica_columns(data: Data) -> tuple[list[int], list[int], list[object]]:
    return data.a.tolist(), data.b.tolist(), WINNERS[data.outcome].tolist()


def evalica_counted(data: Data) -> tuple[list[int], list[int], list[object], list[float]]:
    """Every (pair, outcome) once, with its count as weight."""
    counts = CountedLogit().counts(data)
    first, second = np.triu_indices(CHECKPOINTS, 1)
    a, b = (np.repeat(side, 3).tolist() for side in (first, second))
    winners = WINNERS[np.tile([0, 1, 2], len(first))].tolist()
    return a, b, winners, counts.ravel().astype(float).tolist()


def evalica_fit(columns: tuple) -> np.ndarray:
    weights = columns[3] if len(columns) > 3 else None
    found = evalica.bradley_terry(*columns[:3], weights=weights, tolerance=1e-8, limit=1000)
    strengths = np.log(found.scores.sort_index().to_numpy())
    return strengths - strengths.mean()


def evalica_bootstrap(columns: tuple, replicates: int) -> object:
    return evalica.bootstrap(
        evalica.bradley_terry,
        *columns,
        n_resamples=replicates,
        bootstrap_method="percentile",
        random_state=1,
    )


ARENA_RANK = Path(__file__).resolve().parents[3] / "var/arena-rank/venv/bin/python"
ARENA_REPLICATES = 5  # seconds each, as its optimiser compiles anew for every fit


def has_arena_rank() -> bool:
    return ARENA_RANK.exists()


@lru_cache(maxsize=1)
def arena_rank(data: Data) -> dict[str, object]:
    """What arena_rank_child.py measures, in arena-rank's own environment and on our one core."""
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.npz"
        np.savez(path, model_a=data.a, model_b=data.b, winner=data.outcome)
        child = Path(__file__).with_name("arena_rank_child.py")
        done = subprocess.run(
            [ARENA_RANK, child, path, str(ARENA_REPLICATES)],
            env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": one_thread},
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def arena_rank_fit(data: Data) -> tuple[float, np.ndarray]:
    """Seconds from a data frame to strengths, and these."""
    found = arena_rank(data)
    return found["point_fit"], np.array(found["strengths"])


def arena_rank_bootstrap(data: Data) -> tuple[float, None]:
    """Seconds of one replicate of its bootstrap, without the process pool it runs them in."""
    return arena_rank(data)["replicate"], None


def statsmodels_mean(data: Data) -> np.ndarray:
    """Net preference as a regression on a constant, errors clustered two ways: (net, se)."""
    y = 1.0 - data.outcome.astype(float)
    fitted = sm.OLS(y, np.ones(len(y))).fit()
    both, prompt, annotator = cov_cluster_2groups(fitted, data.prompt, data.annotator)
    largest = max(both.item(), prompt.item(), annotator.item())
    return np.array([fitted.params.item(), np.sqrt(largest)])


def statsmodels_strengths(data: Data) -> np.ndarray:
    """Strengths less the first one, by a binomial GLM on decided votes: (value, error)."""
    decided = data.outcome != 1
    a, b, won = data.a[decided], data.b[decided], data.outcome[decided] == 0
    design = np.zeros((len(a), CHECKPOINTS))
    rows = np.arange(len(a))
    design[rows, a], design[rows, b] = 1.0, -1.0
    fitted = sm.GLM(won, design[:, 1:], family=sm.families.Binomial()).fit()
    both, _, _ = cov_cluster_2groups(fitted, data.prompt[decided], data.annotator[decided])
    n, k = len(a), CHECKPOINTS - 1
    return np.array([fitted.params, np.sqrt(np.diag(both) * (n - k) / (n - 1))])


def crowd_kit_posterior(votes: Votes, rounds: int) -> np.ndarray:
    """Items x outcomes, by Dawid and Skene without a prior."""
    frame = pd.DataFrame({"task": votes.item, "worker": votes.annotator, "label": votes.outcome})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its calls of pandas are of older days
        fitted = DawidSkene(n_iter=rounds, tol=-1.0).fit(frame)
    return fitted.probas_.sort_index()[[0, 1, 2]].to_numpy()


def krippendorff_alpha(counts: np.ndarray) -> np.ndarray:
    return np.array(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
