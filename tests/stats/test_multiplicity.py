"""Adjusted p-values against statsmodels, a published table and their properties."""

import gc

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from evalplatform.stats import ColumnTypeError, holm
from evalplatform.stats.inference.multiplicity import joint_draws

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
p_values = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)

# Benjamini and Hochberg (1995), section 4: fifteen claims on thrombolysis.
PUBLISHED = (
    np.array([1, 4, 19, 95, 201, 278, 298, 344, 459, 3240, 4262, 5719, 6528, 7590, 10_000]) / 10_000
)


@pytest.fixture(scope="module", autouse=True)
def _peer_collects_no_garbage():
    """It does so at each call, which takes long where other tests have left much behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)
        yield


def test_published_example_rejects_three_by_familywise_error():
    assert int((holm(PUBLISHED) <= 0.05).sum()) == 3


@QUICK
@given(p_values)
def test_adjusted_p_equals_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@QUICK
@given(p_values, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_adjusting_never_lowers(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert holm(np.array(p)[order]) == pytest.approx(holm(p)[order])
    assert np.all(holm(p) >= np.array(p) - 1e-15)


def test_no_claims_need_no_adjustment():
    assert holm([]).tolist() == []


@pytest.mark.parametrize("wrong", [[0.1, float("nan")], [1.2], [-0.1], ["a"], [[0.1]], [None]])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ColumnTypeError, match=r"p.*(\[0, 1\]|column)"):
        holm(wrong)


def test_draws_have_the_covariance_asked_for_and_negative_eigenvalues_are_dropped():
    covariance = np.array([[2.0, 1.0], [1.0, 1.0]])
    drawn = joint_draws(covariance, np.inf, np.random.default_rng(2), 100_000)
    assert np.cov(drawn.T) == pytest.approx(covariance, rel=0.05)
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues 3 and -1
    drawn = joint_draws(indefinite, np.inf, np.random.default_rng(2), 100_000)
    assert np.cov(drawn.T) == pytest.approx(np.full((2, 2), 1.5), rel=0.05)


def test_each_draw_has_the_degrees_of_freedom_of_its_column():
    covariance = np.array([[2.0, 1.0], [1.0, 1.0]])
    one, both = (
        joint_draws(covariance, df, np.random.default_rng(2), 100_000) for df in (9.0, [9.0, 9.0])
    )
    assert (one == both).all()
    drawn = joint_draws(covariance, np.array([9.0, 2.0]), np.random.default_rng(2), 100_000)
    assert (drawn[:, 0] == one[:, 0]).all()
    for df, scale, column in ((9.0, 2.0, drawn[:, 0]), (2.0, 1.0, drawn[:, 1])):
        reach = scipy.stats.t.ppf(0.975, df) * np.sqrt(scale)
        assert np.mean(np.abs(column) < reach) == pytest.approx(0.95, abs=0.004)
