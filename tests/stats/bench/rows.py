"""The rows of the speed table: what we do, what a peer does with the same votes, and a check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalplatform.stats import (
    GradedVotes,
    Votes,
    agreement,
    dawid_skene,
    graded_votes,
    rank_arms,
    win_rates,
)
from evalplatform.stats.inference.clustering import outcome_table
from evalplatform.stats.people.chance_correction import ALPHA_NOMINAL
from evalplatform.stats.ranking.davidson import Ties, fit, pair_counts
from evalplatform.stats.ranking.influence import redrawn_strengths
from evalplatform.stats.ranking.sandwich import clustered_covariance

from . import peers
from .data import Data, make

STATSMODELS_VOTES = 50_000  # the GLM holds a dense votes x arms matrix and copies of it
EVALICA_REPLICATES = 3  # seconds each; its time is scaled to 1000, as its replicates are a loop
REPLICATES = 1000
EM_ROUNDS = 20
MANY_VOTES = 10_000_000
GALLERY_VOTES, GALLERY_ARMS = 500_000, 6
# statsmodels knows G / (G - 1) alone, ours has a divisor for each cluster by its size: they are the
# same where all are of one size (a test holds them to it), and nearly so where they hardly differ.
UNEVEN = 2e-3


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the JSON key, `ratio_<name>`.
        does: what is timed, in words.
        peer_does: who and how; empty where no peer does it.
        prepare: makes what both need from the votes, untimed.
        ours, peer: take what `prepare` made; both are timed.
        peer_apart: instead of `peer`, for one in a process of its own: its seconds and result.
        apart: how far the two results differ, or None where they are random or not comparable.
        allowed: the largest `apart` that is no disagreement.
        size: bytes of the votes that ours reads, for the peak of memory; None for too few votes
            to say something of it (a few megabytes are needed for any number).
        scale: what the peer's time is multiplied with, where it does less work.
        peer_repeats: how often the peer is timed.
    """

    name: str
    does: str
    peer_does: str
    prepare: Callable[[Data], Any]
    ours: Callable[[Any], Any]
    peer: Callable[[Any], Any] | None = None
    peer_apart: Callable[[Any], tuple[float, Any]] | None = None
    apart: Callable[[Any, Any], float] | None = None
    allowed: float = 0.0
    size: Callable[[Any], int] | None = lambda made: made.gallery_bytes
    scale: float = 1.0
    peer_repeats: int = 3


def half_tie_fit(data: Data) -> np.ndarray:
    return fit(pair_counts(data.gallery), "half").strengths


def gap(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


def with_gallery(data: Data) -> Data:
    assert len(data.gallery) == len(data)  # built here, outside the clock
    return data


def with_pair(data: Data) -> Data:
    assert data.pair.n_prompts  # builds the small codes too
    return data


@dataclass(frozen=True)
class WithColumns:
    """Votes beside the lists that evalica takes."""

    data: Data
    columns: tuple

    @property
    def gallery_bytes(self) -> int:
        return self.data.gallery_bytes


def decided_head(data: Data) -> Data:
    return with_gallery(data.head(STATSMODELS_VOTES))


def decided_errors(data: Data) -> np.ndarray:
    """Strengths less the first one and their two-way errors, on decided votes."""
    votes = data.gallery.where(data.gallery.outcome != 1)
    fitted = fit(pair_counts(votes))
    covariance = clustered_covariance(votes, fitted).two_way
    less_first = np.eye(len(covariance))[1:] - np.eye(len(covariance))[0]
    variance = np.diag(less_first @ covariance @ less_first.T)
    return np.array([less_first @ fitted.strengths, np.sqrt(variance)])


def net_and_error(data: Data) -> np.ndarray:
    net = win_rates(data.pair).net
    return np.array([net.value, net.se])


def pair_bytes(data: Data) -> int:
    return votes_bytes(data.pair)


def votes_bytes(votes: Votes) -> int:
    return sum(c.nbytes for c in (votes.outcome, votes.prompt, votes.annotator, votes.item))


def em_posterior(votes: Votes) -> np.ndarray:
    return dawid_skene(
        votes, prior=0.0, symmetric=False, max_rounds=EM_ROUNDS, tolerance=0.0
    ).posterior


def resampled(data: Data, ties: Ties = "half") -> np.ndarray:
    fitted, rng = fit(pair_counts(data.gallery), ties), np.random.default_rng(1)
    return redrawn_strengths(data.gallery, fitted, rng, replicates=REPLICATES, ties=ties)


def nominal_alpha(counts: np.ndarray) -> np.ndarray:
    shared = counts.sum(axis=1) >= 2
    return ALPHA_NOMINAL.of_many(shared[None].astype(np.float64), counts)[0]


def graded_bytes(votes: GradedVotes) -> int:
    names = ("item", "prompt", "annotator", "start", "arm", "grade")
    return sum(int(getattr(votes, name).nbytes) for name in names)


def of_six_arms(data: Data) -> GradedVotes:
    """Up to half a million of the votes as if every sixth checkpoint were the same arm."""
    kept = data.a % GALLERY_ARMS != data.b % GALLERY_ARMS
    a, b, outcome, prompt, annotator = (
        getattr(data, name)[kept][:GALLERY_VOTES] for name in data.__dataclass_fields__
    )
    return graded_votes(
        item=prompt,
        prompt=prompt,
        annotator=annotator,
        arm=np.stack([a, b], axis=1) % GALLERY_ARMS,
        grade=np.array([(1, 0), (0, 0), (0, 1)])[outcome],
    )


def arena_rank_rows(name: str) -> list[Row]:
    """Its row of that name, or none where it is not installed."""
    if not peers.has_arena_rank():
        return []
    rows = [
        Row(
            name="point_fit_arena_rank",
            does="Bradley-Terry, ties as half wins",
            peer_does="arena-rank, PairDataset.from_pandas and fit",
            prepare=with_gallery,
            ours=half_tie_fit,
            peer_apart=peers.arena_rank_fit,
            apart=gap,
            allowed=1e-3,
        ),
        Row(
            name="bootstrap_arena_rank",
            does=f"{REPLICATES} replicates by prompt, ties as half wins",
            peer_does=f"arena-rank, {peers.ARENA_REPLICATES} replicates scaled to {REPLICATES}",
            prepare=with_gallery,
            ours=resampled,
            peer_apart=peers.arena_rank_bootstrap,
            scale=REPLICATES,
        ),
    ]
    return [row for row in rows if row.name == name]


ROWS: list[Row] = [
    Row(
        name="point_fit",
        does="Bradley-Terry, ties as half wins",
        peer_does="scikit-learn LogisticRegression on counts",
        prepare=with_gallery,
        ours=half_tie_fit,
        peer=lambda data: peers.CountedLogit().fit(data),
        apart=gap,
        allowed=1e-3,
        peer_repeats=7,
    ),
    Row(
        name="point_fit_evalica",
        does="Bradley-Terry, ties as half wins",
        peer_does="evalica.bradley_terry, vote by vote",
        prepare=lambda data: WithColumns(with_gallery(data), peers.evalica_columns(data)),
        ours=lambda made: half_tie_fit(made.data),
        peer=lambda made: peers.evalica_fit(made.columns),
        apart=gap,
        allowed=1e-3,
        peer_repeats=1,
    ),
    Row(
        name="point_fit_evalica_counts",
        does="Bradley-Terry, ties as half wins",
        peer_does="evalica.bradley_terry on counts as weights",
        prepare=with_gallery,
        ours=half_tie_fit,
        peer=lambda data: peers.evalica_fit(peers.evalica_counted(data)),
        apart=gap,
        allowed=1e-3,
        peer_repeats=7,
    ),
    *arena_rank_rows("point_fit_arena_rank"),
    Row(
        name="point_fit_davidson",
        does="Davidson with ties, our default",
        peer_does="",
        prepare=with_gallery,
        ours=lambda data: fit(pair_counts(data.gallery)),
    ),
    Row(
        name="two_way_rates",
        does="win rates, two-way intervals",
        peer_does="statsmodels OLS, cov_cluster_2groups (net only)",
        prepare=with_pair,
        ours=net_and_error,
        peer=peers.statsmodels_mean,
        apart=gap,
        allowed=UNEVEN,
        size=pair_bytes,
    ),
    Row(
        name="two_way_rank",
        does="Davidson with ties and its two-way covariance",
        peer_does="",
        prepare=with_gallery,
        ours=lambda data: clustered_covariance(data.gallery, fit(pair_counts(data.gallery))),
    ),
    Row(
        name="rank_arms",
        does=f"all of rank_arms, {GALLERY_ARMS} arms, up to {GALLERY_VOTES:,} pair votes",
        peer_does="",
        prepare=of_six_arms,
        ours=rank_arms,
        size=graded_bytes,
    ),
    Row(
        name="two_way_rank_50k",
        does=f"Bradley-Terry, two-way covariance, {STATSMODELS_VOTES:,} votes",
        peer_does="statsmodels GLM, cov_cluster_2groups",
        prepare=decided_head,
        ours=decided_errors,
        peer=peers.statsmodels_strengths,
        apart=gap,
        allowed=UNEVEN,
        size=None,
    ),
    Row(
        name="bootstrap",
        does=f"{REPLICATES} replicates by prompt, ties as half wins",
        peer_does="FastChat's way: multinomial counts, scikit-learn",
        prepare=with_gallery,
        ours=resampled,
        peer=lambda data: peers.CountedLogit().bootstrap(data, REPLICATES),
        peer_repeats=1,
    ),
    Row(
        name="bootstrap_evalica",
        does=f"{REPLICATES} replicates by prompt, ties as half wins",
        peer_does=f"evalica.bootstrap, {EVALICA_REPLICATES} replicates scaled to {REPLICATES}",
        prepare=lambda data: WithColumns(with_gallery(data), peers.evalica_columns(data)),
        ours=lambda made: resampled(made.data),
        peer=lambda made: peers.evalica_bootstrap(made.columns, EVALICA_REPLICATES),
        scale=REPLICATES / EVALICA_REPLICATES,
        peer_repeats=1,
    ),
    *arena_rank_rows("bootstrap_arena_rank"),
    Row(
        name="bootstrap_davidson",
        does=f"{REPLICATES} replicates by prompt, Davidson with ties",
        peer_does="",
        prepare=with_gallery,
        ours=lambda data: resampled(data, "davidson"),
    ),
    Row(
        name="dawid_skene",
        does=f"{EM_ROUNDS} rounds of Dawid and Skene, no prior",
        peer_does=f"crowd-kit DawidSkene, {EM_ROUNDS} rounds",
        prepare=lambda data: data.items,
        ours=em_posterior,
        peer=lambda votes: peers.crowd_kit_posterior(votes, EM_ROUNDS),
        apart=gap,
        allowed=1e-3,
        size=votes_bytes,
        peer_repeats=1,
    ),
    Row(
        name="dawid_skene_10m",
        does=f"{EM_ROUNDS} rounds of Dawid and Skene, no prior, {MANY_VOTES:,} votes",
        peer_does="",
        prepare=lambda data: make(MANY_VOTES).items,
        ours=em_posterior,
        size=votes_bytes,
    ),
    Row(
        name="alpha",
        does="Krippendorff's nominal alpha from counts by item",
        peer_does="krippendorff.alpha from the same counts",
        prepare=lambda data: outcome_table(data.items.by_item, data.items.outcome),
        ours=nominal_alpha,
        peer=peers.krippendorff_alpha,
        apart=gap,
        allowed=1e-9,
        size=lambda counts: counts.nbytes,
    ),
    Row(
        name="agreement",
        does="five coefficients of agreement from votes, 1000 replicates",
        peer_does="",
        prepare=lambda data: data.items,
        ours=agreement,
        size=votes_bytes,
    ),
]
