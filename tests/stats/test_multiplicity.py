"""Adjusted p-values against statsmodels, a published table and their properties."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from evalplatform.stats import (
    ColumnTypeError,
    UnknownOptionError,
    benjamini_hochberg,
    holm,
    max_t,
)
from evalplatform.stats.inference.multiplicity import joint_draws

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
p_values = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)

# Benjamini and Hochberg (1995), section 4: fifteen claims on thrombolysis.
PUBLISHED = (
    np.array([1, 4, 19, 95, 201, 278, 298, 344, 459, 3240, 4262, 5719, 6528, 7590, 10_000]) / 10_000
)


def test_published_example_rejects_four_by_fdr_and_three_by_familywise_error():
    assert int((benjamini_hochberg(PUBLISHED) <= 0.05).sum()) == 4
    assert int((holm(PUBLISHED) <= 0.05).sum()) == 3


@QUICK
@given(p_values)
def test_both_equal_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


@QUICK
@given(p_values, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_adjusting_never_lowers(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (holm, benjamini_hochberg):
        assert adjust(np.array(p)[order]) == pytest.approx(adjust(p)[order])
        assert np.all(adjust(p) >= np.array(p) - 1e-15)
    assert np.all(holm(p) >= benjamini_hochberg(p) - 1e-15)


def test_no_claims_need_no_adjustment():
    assert holm([]).tolist() == benjamini_hochberg([]).tolist() == []


@pytest.mark.parametrize("wrong", [[0.1, float("nan")], [1.2], [-0.1], ["a"], [[0.1]], [None]])
def test_what_is_no_p_value_is_refused(wrong):
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ColumnTypeError, match=r"p.*(\[0, 1\]|column)"):
            adjust(wrong)


def test_max_t_of_independent_tests_is_sidaks_correction():
    estimates = np.array([0.5, 1.5, 2.5, 3.0])
    single = 2 * scipy.stats.norm.sf(estimates)
    adjusted = max_t(estimates, np.eye(4), np.inf, np.random.default_rng(5), draws=200_000)
    assert adjusted == pytest.approx(1 - (1 - single) ** 4, abs=0.004)


def test_max_t_of_one_test_is_the_t_test():
    adjusted = max_t([1.8], [[0.81]], 7, np.random.default_rng(5), draws=200_000)
    assert adjusted == pytest.approx([2 * scipy.stats.t.sf(2.0, 7)], abs=0.003)


def test_max_t_of_equal_tests_costs_nothing_and_holm_pays():
    adjusted = max_t([2.2] * 5, np.ones((5, 5)), np.inf, np.random.default_rng(5))
    single = 2 * scipy.stats.norm.sf(2.2)
    assert adjusted == pytest.approx([single] * 5, abs=0.004)
    assert holm([single] * 5)[0] == pytest.approx(5 * single)


def test_draws_have_the_covariance_asked_for_and_negative_eigenvalues_are_dropped():
    covariance = np.array([[2.0, 1.0], [1.0, 1.0]])
    drawn = joint_draws(covariance, np.inf, np.random.default_rng(2), 100_000)
    assert np.cov(drawn.T) == pytest.approx(covariance, rel=0.05)
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues 3 and -1
    drawn = joint_draws(indefinite, np.inf, np.random.default_rng(2), 100_000)
    assert np.cov(drawn.T) == pytest.approx(np.full((2, 2), 1.5), rel=0.05)


def test_max_t_refuses_what_it_cannot_use():
    rng = np.random.default_rng(1)
    with pytest.raises(ColumnTypeError, match="m x m"):
        max_t([1.0, 2.0], np.eye(3), 5, rng)
    with pytest.raises(ColumnTypeError, match="above 0"):
        max_t([1.0, 2.0], np.diag([1.0, 0.0]), 5, rng)
    with pytest.raises(UnknownOptionError, match="draws is 5"):
        max_t([1.0], [[1.0]], 5, rng, draws=5)
    with pytest.raises(UnknownOptionError, match="df is 0"):
        max_t([1.0], [[1.0]], 0, rng)
