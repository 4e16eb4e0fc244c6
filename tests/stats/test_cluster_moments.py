"""Long tables are never made: their moments give the same variance, block by block."""

import numpy as np
import pytest

from evalplatform.stats.inference.clustering import (
    Ratio,
    outcome_table,
    pair_moments,
)
from evalplatform.stats.votes.chunking import blocks, positions

from .crossed_votes import Design, simulate

RATIOS = [
    Ratio((1.0, 0.0, 0.0)),
    Ratio((1.0, 0.0, -1.0)),
    Ratio((1.0, 0.0, 0.0), counted=(1.0, 0.0, 1.0)),
]


def uneven_votes():
    rng = np.random.default_rng(3)
    votes = simulate(Design(40, 12, 9, prompt_sd=0.8, annotator_sd=0.6), rng)
    votes = votes.where(rng.random(len(votes)) < 0.6)
    return votes, rng.random(len(votes))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("block", [20, 1 << 14])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_pairs_give_the_variance_of_their_table(ratio, block, weighted, monkeypatch):
    monkeypatch.setattr("evalplatform.stats.votes.chunking.BLOCK", block)
    votes, weight = uneven_votes()
    weight = weight if weighted else None
    table = outcome_table(votes.by_pair, votes.outcome, weight)
    moments = pair_moments(votes.prompt_codes.codes, votes.annotator_codes, votes.outcome, weight)
    assert moments.patterns.sum() == len(table)
    total = table.sum(axis=0)
    scores = ratio.scores(table, total)
    count = ratio.n_counted(table)
    assert moments.n_counted(ratio) == count
    expected = count / (count - 1) * (scores @ scores)
    assert moments.one_way_variance(ratio, total) == pytest.approx(expected)


@pytest.mark.parametrize("groups", [1, 7, 16])
def test_blocks_hold_whole_clusters_and_every_vote_once(groups, monkeypatch):
    monkeypatch.setattr("evalplatform.stats.votes.chunking.BLOCK", 50)
    monkeypatch.setattr("evalplatform.stats.votes.chunking._GROUPS", groups)
    rng = np.random.default_rng(1)
    codes = np.minimum(rng.integers(0, 30, 1000), rng.integers(0, 60, 1000)).astype(np.uint8)
    codes[codes == 4] = 5  # a code without votes
    seen, clusters = [], []
    for rows in blocks(codes):
        seen += rows.tolist()
        clusters.append(set(codes[rows].tolist()))
    assert sorted(seen) == list(range(1000))
    assert sum(len(one) for one in clusters) == len(set().union(*clusters)) == len(np.unique(codes))
    assert max(len(one) for one in clusters) < 20


def test_positions_are_the_same_by_marking_and_by_sorting():
    ids = np.array([5, -3, 5, 900])
    near, far = positions(ids), positions(np.r_[ids, 10**15])
    assert near[0][0].tolist() == far[0][0][:4].tolist() == [1, 0, 1, 2]
    assert near[1].tolist() == [-3, 5, 900]
    assert far[1].tolist() == [-3, 5, 900, 10**15]
