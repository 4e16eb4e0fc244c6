"""Confidence sets for ranks: against other roads to the same numbers, and what they promise."""

import numpy as np
import pytest
import scipy.stats

from evalplatform.stats import PairVotes, State, UnknownOptionError, rank, rank_sets
from evalplatform.stats.ranking.strengths import ranks_of

from .crossed_galleries import (
    GALLERY_DESIGNS,
    PUDDINGS,
    TEAMS,
    GalleryDesign,
    baseball,
    games_of,
    simulate_gallery,
    uneven_gallery,
)


def rng(seed=1):
    return np.random.default_rng(seed)


def by_arm(found):
    return {one.arm: one for one in found.sets}


def test_sets_are_counts_of_pairs_whose_joint_interval_leaves_zero():
    ranking = rank(baseball())
    found = rank_sets(ranking, rng())
    for team in TEAMS:
        gaps = [ranking.difference(team, other) for other in TEAMS if other != team]
        above = sum(gap.value > found.quantile * gap.se for gap in gaps)
        below = sum(-gap.value > found.quantile * gap.se for gap in gaps)
        one = by_arm(found)[team]
        assert (one.low, one.high) == (1 + below, len(TEAMS) - above)
    assert by_arm(found)["Baltimore"].low > 1, "the example tells nobody apart"
    assert any(one.high < len(TEAMS) for one in found.sets)


def test_critical_value_is_bonferronis_for_all_pairs():
    ranking = rank(uneven_gallery())
    expected = scipy.stats.t.ppf(1 - 0.025 / 6, ranking.df)
    assert rank_sets(ranking, rng()).quantile == pytest.approx(expected)


def test_two_arms_need_no_adjustment():
    ranking = rank(games_of(("x", "y", 60, 40, 10)))
    found = rank_sets(ranking, rng(), draws=200_000)
    assert found.quantile == pytest.approx(scipy.stats.t.ppf(0.975, ranking.df))
    gap = ranking.difference("x", "y")
    assert found.chances[0, 0] == pytest.approx(
        scipy.stats.t.cdf(gap.value / gap.se, ranking.df), abs=0.005
    )


def test_chances_are_a_doubly_stochastic_matrix_centred_on_the_estimates():
    ranking = rank(games_of(*PUDDINGS))
    found = rank_sets(ranking, rng())
    assert found.chances.sum(axis=0) == pytest.approx(np.ones(6))
    assert found.chances.sum(axis=1) == pytest.approx(np.ones(6))
    mean_rank = found.chances @ np.arange(1, 7)
    assert np.argsort(mean_rank).tolist() == np.argsort(-ranking.values).tolist()
    with pytest.raises(ValueError, match="read-only"):
        found.chances[0, 0] = 1.0


def test_another_generator_changes_the_chances_alone():
    ranking = rank(uneven_gallery())
    one, again, other = (rank_sets(ranking, rng(seed)) for seed in (1, 1, 2))
    assert one.sets == again.sets == other.sets
    assert (one.chances == again.chances).all()
    assert one.chances == pytest.approx(other.chances, abs=0.03)
    assert (one.chances != other.chances).any()


def test_a_higher_level_never_narrows_a_set():
    ranking = rank(baseball())
    narrow, wide = (by_arm(rank_sets(ranking, rng(), level)) for level in (0.5, 0.999))
    for team in TEAMS:
        assert wide[team].low <= narrow[team].low <= narrow[team].high <= wide[team].high


def test_tiers_begin_where_the_head_is_clearly_better():
    rows = [("a", "b", 60, 55, 9), ("a", "c", 300, 20, 9), ("b", "c", 300, 20, 9)]
    rows += [("c", "d", 62, 60, 9), ("a", "d", 300, 20, 9), ("b", "d", 300, 20, 9)]
    sets = by_arm(rank_sets(rank(games_of(*rows)), rng()))
    assert {name: one.tier for name, one in sets.items()} == {"a": 1, "b": 1, "c": 2, "d": 2}
    assert {name: (one.low, one.high) for name, one in sets.items()} == {
        "a": (1, 2),
        "b": (1, 2),
        "c": (3, 4),
        "d": (3, 4),
    }


def test_equal_strengths_share_the_better_rank():
    assert ranks_of(np.array([[0.0, 1.0, 1.0], [2.0, 1.0, 0.0]])).tolist() == [[3, 1, 1], [1, 2, 3]]


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        (games_of(("x", "y", 5, 0, 0)), State.SEPARATED),
        (
            PairVotes.from_columns(
                first=["x"] * 4,
                second=["y"] * 4,
                outcome=["A", "B", "A", "A"],
                prompt=[1] * 4,
                annotator=[1, 2, 3, 4],
            ),
            State.ONE_PROMPT,
        ),
    ],
)
def test_a_ranking_without_intervals_has_no_sets(votes, state):
    found = rank_sets(rank(votes), rng())
    assert (found.state, found.sets, found.chances, found.quantile) == (state, (), None, None)
    assert found.reason


def test_options_outside_what_is_offered_are_refused():
    ranking = rank(baseball())
    with pytest.raises(UnknownOptionError, match="draws is 10"):
        rank_sets(ranking, rng(), draws=10)
    with pytest.raises(UnknownOptionError, match="level"):
        rank_sets(ranking, rng(), 1.0)


def test_all_true_ranks_lie_in_their_sets_in_almost_every_study():
    """The promise is 95 % or more for all at once."""
    design = GALLERY_DESIGNS["strong annotator habits"]
    generator = rng(12)
    true_rank = ranks_of(design.truth().strengths)
    held = []
    for _ in range(150):
        found = rank_sets(rank(simulate_gallery(design, generator)), generator, draws=500)
        held.append(all(one.low <= true_rank[one.arm] <= one.high for one in found.sets))
    assert np.mean(held) >= 0.92


def test_equal_arms_are_rarely_told_apart_by_few_people_of_strong_habits():
    """All are first. The covariance of six people is a poor guide to the largest of 45 gaps."""
    design = GalleryDesign(30, 6, 2, prompt_sd=0.45, annotator_sd=1.0, quality=(0.0,) * 10)
    generator = rng(3)
    held = []
    for _ in range(100):
        found = rank_sets(rank(simulate_gallery(design, generator)), generator, draws=100)
        held.append(all(one.low == 1 for one in found.sets))
    assert np.mean(held) >= 0.92
