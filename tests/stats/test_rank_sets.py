"""Confidence sets for ranks: against other roads to the same numbers, and what they promise."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from evalplatform.stats import State, rank
from evalplatform.stats.inference.multiplicity import joint_draws
from evalplatform.stats.ranking import rank_sets
from evalplatform.stats.ranking.order import places_of
from evalplatform.stats.ranking.rank_sets import critical_value
from evalplatform.stats.ranking.separation import Layers
from evalplatform.stats.ranking.strengths import ranks_of

from .crossed_galleries import (
    GALLERY_DESIGNS,
    PUDDINGS,
    TEAMS,
    GalleryDesign,
    LateArm,
    baseball,
    games_of,
    pair_votes,
    simulate_gallery,
    uneven_gallery,
)


def rng(seed=1):
    return np.random.default_rng(seed)


def places(ranking, generator, level=0.95):
    """Ranks, sets, tiers and chances of a gallery without arms apart."""
    m = len(ranking.arms)
    nobody = np.zeros((m, m), dtype=bool)
    return places_of(ranking, Layers((), np.arange(m), ()), nobody, generator, level)


def sets_of(ranking, level=0.95):
    """(low, high) by arm."""
    found = places(ranking, rng(), level)
    ends = zip(found.lows.tolist(), found.highs.tolist(), strict=True)
    return dict(zip(ranking.arms, ends, strict=True))


def test_sets_are_counts_of_pairs_whose_joint_interval_leaves_zero():
    ranking = rank(baseball())
    found = sets_of(ranking)
    reach = critical_value(len(TEAMS), 0.95, ranking.df)
    for team in TEAMS:
        gaps = [ranking.difference(team, other) for other in TEAMS if other != team]
        above = sum(gap.value > reach * gap.se for gap in gaps)
        below = sum(-gap.value > reach * gap.se for gap in gaps)
        assert found[team] == (1 + below, len(TEAMS) - above)
    assert found["Baltimore"][0] > 1, "the example tells nobody apart"
    assert any(high < len(TEAMS) for _, high in found.values())


def test_critical_value_is_bonferronis_for_all_pairs():
    expected = scipy.stats.t.ppf(1 - 0.025 / 6, 7.5)
    assert critical_value(4, 0.95, 7.5) == pytest.approx(expected)


def test_two_arms_need_no_adjustment(monkeypatch):
    monkeypatch.setattr(rank_sets, "DRAWS", 200_000)
    ranking = rank(games_of(("x", "y", 60, 40, 10)))
    assert critical_value(2, 0.95, ranking.df) == pytest.approx(
        scipy.stats.t.ppf(0.975, ranking.df)
    )
    gap = ranking.difference("x", "y")
    assert places(ranking, rng()).chances[0, 0] == pytest.approx(
        scipy.stats.t.cdf(gap.value / gap.se, ranking.df), abs=0.005
    )


def test_chances_are_a_doubly_stochastic_matrix_centred_on_the_estimates():
    ranking = rank(games_of(*PUDDINGS))
    found = places(ranking, rng())
    assert found.chances.sum(axis=0) == pytest.approx(np.ones(6))
    assert found.chances.sum(axis=1) == pytest.approx(np.ones(6))
    mean_rank = found.chances @ np.arange(1, 7)
    assert np.argsort(mean_rank).tolist() == np.argsort(-ranking.values).tolist()


def test_another_generator_changes_the_chances_alone():
    ranking = rank(uneven_gallery())
    one, again, other = (places(ranking, rng(seed)) for seed in (1, 1, 2))
    assert one.lows.tolist() == again.lows.tolist() == other.lows.tolist()
    assert one.highs.tolist() == again.highs.tolist() == other.highs.tolist()
    assert (one.chances == again.chances).all()
    assert one.chances == pytest.approx(other.chances, abs=0.03)
    assert (one.chances != other.chances).any()


def test_a_higher_level_never_narrows_a_set():
    ranking = rank(baseball())
    narrow, wide = (sets_of(ranking, level) for level in (0.5, 0.999))
    for team in TEAMS:
        assert wide[team][0] <= narrow[team][0] <= narrow[team][1] <= wide[team][1]


def test_tiers_begin_where_the_head_is_clearly_better():
    rows = [("a", "b", 60, 55, 9), ("a", "c", 300, 20, 9), ("b", "c", 300, 20, 9)]
    rows += [("c", "d", 62, 60, 9), ("a", "d", 300, 20, 9), ("b", "d", 300, 20, 9)]
    ranking = rank(games_of(*rows))
    assert ranking.arms == ("a", "b", "c", "d")
    assert places(ranking, rng()).tiers.tolist() == [1, 1, 2, 2]
    assert sets_of(ranking) == {"a": (1, 2), "b": (1, 2), "c": (3, 4), "d": (3, 4)}


def test_equal_strengths_share_the_better_rank():
    assert ranks_of(np.array([[0.0, 1.0, 1.0], [2.0, 1.0, 0.0]])).tolist() == [[3, 1, 1], [1, 2, 3]]


def test_a_ranking_without_intervals_has_ranks_but_no_sets():
    votes = pair_votes(
        first=["x"] * 4,
        second=["y"] * 4,
        outcome=["A", "B", "A", "A"],
        prompt=[1] * 4,
        annotator=[1, 2, 3, 4],
    )
    ranking = rank(votes)
    assert ranking.interval_state is State.ONE_PROMPT
    found = places(ranking, rng())
    assert found.ranks.tolist() == [1, 2]
    assert (found.lows, found.highs, found.tiers, found.chances) == (None,) * 4


def test_all_true_ranks_lie_in_their_sets_in_almost_every_study():
    """The promise is 95 % or more for all at once."""
    design = GALLERY_DESIGNS["strong annotator habits"]
    generator = rng(12)
    true_rank = ranks_of(design.truth().strengths)
    held = []
    for _ in range(150):
        found = places(rank(simulate_gallery(design, generator)), generator)
        held.append(np.all((found.lows <= true_rank) & (true_rank <= found.highs)))
    assert np.mean(held) >= 0.92


def test_equal_arms_are_rarely_told_apart_by_few_people_of_strong_habits():
    """All are first. The covariance of six people is a poor guide to the largest of 45 gaps."""
    design = GalleryDesign(30, 6, 2, prompt_sd=0.45, annotator_sd=1.0, quality=(0.0,) * 10)
    generator = rng(3)
    held = []
    for _ in range(100):
        found = places(rank(simulate_gallery(design, generator)), generator)
        held.append(np.all(found.lows == 1))
    assert np.mean(held) >= 0.92


def test_leads_hold_for_all_pairs_at_once_and_tell_apart_whom_the_sets_do():
    ranking = rank(simulate_gallery(GALLERY_DESIGNS["base"], rng(3)))
    leads = rank_sets.leads_of(ranking, len(ranking.arms))
    first = ranking.arms[int(np.argmax(ranking.values))]
    reach = critical_value(len(ranking.arms), 0.95, ranking.df)
    for lead in leads:
        gap = ranking.difference(first, lead.other)
        assert (lead.arm, lead.value) == (first, gap.value)
        assert lead.high - lead.value == pytest.approx(reach * gap.se)
        assert lead.high - lead.low > gap.high - gap.low
    apart = sum(lead.is_told_apart for lead in leads)
    assert sets_of(ranking)[first] == (1, len(ranking.arms) - apart)
    assert 0 < apart < len(leads)


def test_pairs_with_an_arm_that_few_judged_have_degrees_of_freedom_of_their_own():
    """In this study the df of all votes would tell the late arm apart from one more."""
    gallery = replace(LateArm(3).gallery, quality=(0.45, 0.25, 0.2, -1.0))
    ranking = rank(LateArm(3, gallery).simulate(rng(8)))
    m = len(ranking.arms)
    gap = ranking.values[:, None] - ranking.values[None, :]
    reach, of_all = (
        scipy.stats.t.ppf(1 - 0.025 / 6, df) * ranking.difference_se
        for df in (ranking.difference_df, ranking.df)
    )
    above = rank_sets.told_apart(ranking, m)
    assert (above == (gap > reach)).all()
    assert above.any()
    assert (above != (gap > of_all)).any()
    first = int(np.argmax(ranking.values))
    for lead in rank_sets.leads_of(ranking, m):
        at = ranking.arms.index(lead.other)
        assert lead.high - lead.value == pytest.approx(reach[first, at])
        assert lead.is_told_apart == above[first, at]
    found = places(ranking, rng())
    assert "critical values" in found.method
    df = {one.arm: one.df for one in ranking.strengths}
    drawn, of_all = (
        rank_sets.chances_of_ranks(
            ranking.values + joint_draws(ranking.covariance, each, rng(), rank_sets.DRAWS)
        )
        for each in (np.array([df[arm] for arm in ranking.arms]), ranking.df)
    )
    assert (found.chances == drawn).all()
    late = ranking.arms.index(3)
    assert of_all[late, -1] == 1.0 > drawn[late, -1]
