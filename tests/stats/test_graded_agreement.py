"""Agreement about ratings, pairs and rankings, held against other implementations."""

import json
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalplatform.stats import (
    ColumnTypeError,
    State,
    UnknownOptionError,
    Votes,
    agreement,
    graded_agreement,
    graded_votes,
)

from .graded_studies import RankingDesign, made, tables_of

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def rankings():
    design = RankingDesign(30, 8, 4, prompt_sd=0.5, annotator_sd=0.5, tie=0.4)
    return design.simulate(RNG(2))


def by_item(votes, images):
    """The grades of each item, a row a vote, images in the order of their arms."""
    arm, grade = votes.arm.reshape(-1, images), votes.grade.reshape(-1, images)
    grade = np.take_along_axis(grade, np.argsort(arm, axis=1), axis=1)
    return [grade[votes.item == one] for one in range(votes.n_items)]


def rating_votes(seed=3, n=200):
    rng = RNG(seed)
    return graded_votes(
        item=(item := rng.integers(0, 40, n)),
        prompt=item,
        annotator=rng.integers(0, 9, n),
        arm=np.zeros((n, 1), int),
        grade=rng.integers(1, 6, (n, 1)),
    )


@pytest.mark.parametrize(("name", "metric"), [("alpha", "nominal"), ("alpha_ordinal", "ordinal")])
def test_alpha_of_ratings_is_that_of_the_krippendorff_package(name, metric):
    votes = rating_votes()
    counts = np.zeros((votes.n_items, 5), dtype=int)
    np.add.at(counts, (votes.item, votes.grade - 1), 1)
    (found,) = graded_agreement(votes)
    wanted = krippendorff.alpha(value_counts=counts, level_of_measurement=metric)
    assert getattr(found, name).value == pytest.approx(wanted)
    assert getattr(found, name).low < getattr(found, name).value < getattr(found, name).high
    assert found.kendall_w is None


def test_pairs_have_the_agreement_of_two_arms():
    rng = RNG(4)
    item, person, outcome = (
        rng.integers(0, 30, 150),
        rng.integers(0, 9, 150),
        rng.integers(0, 3, 150),
    )
    turned = rng.random(150) < 0.5
    grade = np.array([(1, 0), (0, 0), (0, 1)])[outcome]
    votes = graded_votes(
        item=item,
        prompt=item,
        annotator=person,
        arm=np.where(turned[:, None], [1, 0], [0, 1]),
        grade=np.where(turned[:, None], grade[:, ::-1], grade),
    )
    (found,) = graded_agreement(votes)
    wanted = agreement(Votes(outcome, item, person, item))
    for name in ("percent", "alpha", "alpha_ordinal", "gwet_ac1"):
        assert getattr(found, name) == getattr(wanted, name)
    assert (found.n_items, found.n_votes) == (wanted.n_items, wanted.n_votes)


def test_tau_is_the_mean_of_scipys_tau_b_over_two_annotators_and_items(rankings):
    per_item = []
    for grades in by_item(rankings, 4):
        taus = [scipy_stats.kendalltau(a, b).statistic for a, b in combinations(grades, 2)]
        taus = [tau for tau in taus if not np.isnan(tau)]
        if taus:
            per_item.append(np.mean(taus))
    (found,) = graded_agreement(rankings)
    assert found.mean_tau.value == pytest.approx(np.mean(per_item))
    assert found.mean_tau.low < found.mean_tau.value < found.mean_tau.high


def test_w_is_friedmans_statistic_over_its_largest_value(rankings):
    """Friedman's chi-squared, which scipy corrects for ties, is m (n - 1) W."""
    wanted = []
    for grades in by_item(rankings, 4):
        if np.ptp(grades, axis=1).any():
            m, n = grades.shape
            wanted.append(scipy_stats.friedmanchisquare(*grades.T).statistic / (m * (n - 1)))
    (found,) = graded_agreement(rankings)
    assert found.kendall_w.value == pytest.approx(np.mean(wanted))
    assert found.n_untied_items == len(wanted)


def test_alpha_of_places_and_of_pairs_in_rankings(rankings):
    places, pairs = [], []
    for grades in by_item(rankings, 4):
        ranks = np.array([scipy_stats.rankdata(one) for one in grades])
        places.extend(np.bincount((2 * column - 2).astype(int), minlength=7) for column in ranks.T)
        for i, j in combinations(range(4), 2):
            pairs.append(np.bincount(1 + np.sign(grades[:, j] - grades[:, i]), minlength=3))
    (found,) = graded_agreement(rankings)
    ordinal = krippendorff.alpha(
        value_counts=np.array(places), level_of_measurement="ordinal", value_domain=range(7)
    )
    nominal = krippendorff.alpha(value_counts=np.array(pairs), level_of_measurement="nominal")
    assert found.alpha_ordinal.value == pytest.approx(ordinal)
    assert found.alpha.value == pytest.approx(nominal)


def test_whole_items_are_drawn_again():
    """Four images an item tell no more of other items than one: intervals stay as wide."""
    rng = RNG(5)
    shared = rng.normal(size=(40, 1, 4)) + 0.7 * rng.normal(size=(40, 3, 4))
    grade = shared.argsort().argsort().reshape(-1, 4)
    item = np.repeat(np.arange(40), 3)
    votes = graded_votes(
        item=item,
        prompt=item,
        annotator=np.tile([0, 1, 2], 40),
        arm=np.tile(np.arange(4), (120, 1)),
        grade=grade,
    )
    (found,) = graded_agreement(votes, replicates=2000)
    halves = [
        graded_agreement(votes.where(rng.permutation(40)[item] < 20))[0].mean_tau.value
        for _ in range(300)
    ]
    spread = np.std(halves) / np.sqrt(1 / 20 - 1 / 40) * np.sqrt(1 / 40)
    width = (found.mean_tau.high - found.mean_tau.low) / 2 / 1.96
    assert width == pytest.approx(spread, rel=0.15)


def test_each_number_of_images_has_its_own_result_and_full_agreement_is_1():
    votes = made(
        [(0,), (0,), (0, 1), (1, 0), (0, 1, 2), (2, 1, 0)],
        [(5,), (5,), (1, 0), (0, 1), (2, 1, 0), (0, 1, 2)],
        [0] * 6,
        range(6),
        "xyz",
    )
    votes = graded_votes(
        item=[0, 0, 1, 1, 2, 2],
        prompt=[0] * 6,
        annotator=range(6),
        **tables_of(votes),
    )
    single, pair, three = graded_agreement(votes)
    assert [one.images for one in (single, pair, three)] == [1, 2, 3]
    assert [one.percent.value for one in (single, pair, three)] == [1.0, 1.0, 1.0]
    assert single.alpha.state is State.ONE_CATEGORY
    assert (three.kendall_w.value, three.mean_tau.value) == (1.0, 1.0)
    assert three.alpha_ordinal.value == 1.0
    assert three.kendall_w.interval_state is State.ONE_ITEM


def test_opposite_rankings_have_tau_of_minus_1_and_w_of_0():
    votes = made([(0, 1, 2)] * 2, [(2, 1, 0), (0, 1, 2)], [0, 0], [0, 1], "xyz")
    votes = graded_votes(item=[0, 0], prompt=[0, 0], annotator=[0, 1], **tables_of(votes))
    (found,) = graded_agreement(votes)
    assert (found.mean_tau.value, found.kendall_w.value) == (-1.0, 0.0)


def test_items_without_two_votes_or_without_any_order_are_named_states():
    (alone,) = graded_agreement(made([(0, 1, 2)], [(2, 1, 0)], [0], [0], "xyz"))
    assert alone.percent.state is alone.kendall_w.state is State.NO_SHARED_ITEMS
    assert (alone.n_items, alone.n_votes) == (0, 0)
    tied = graded_votes(
        item=[0, 0], prompt=[0, 0], annotator=[0, 1], arm=[[0, 1, 2]] * 2, grade=[[1, 1, 1]] * 2
    )
    (found,) = graded_agreement(tied)
    assert found.percent.value == 1.0
    assert found.mean_tau.state is found.kendall_w.state is State.NO_VARIATION
    assert found.n_untied_items == 0


def test_votes_on_other_arms_of_an_item_are_not_compared():
    votes = graded_votes(
        item=[0, 0, 0], prompt=[0] * 3, annotator=[0, 1, 2], arm=[[0, 1], [1, 0], [0, 2]],
        grade=[[1, 0], [0, 1], [0, 1]],
    )  # fmt: skip
    (found,) = graded_agreement(votes)
    assert (found.n_items, found.n_votes, found.percent.value) == (1, 2, 1.0)


def test_grades_outside_the_scale_and_odd_options_are_refused():
    with pytest.raises(ColumnTypeError, match=r"grade is 1; the scale given has \[0\]"):
        graded_agreement(rating_votes(), grades=(0,))
    with pytest.raises(UnknownOptionError, match="replicates"):
        graded_agreement(rating_votes(), replicates=0)
    with pytest.raises(UnknownOptionError, match="level"):
        graded_agreement(rating_votes(), level=0.0)


def test_same_votes_give_the_same_result_and_it_is_json(rankings):
    (found,), (again,) = graded_agreement(rankings), graded_agreement(rankings)
    assert found == again
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert read["mean_tau"]["low"] == found.mean_tau.low
