"""Tests of no preference."""

import numpy as np
import pytest
import scipy.stats

from evalplatform.stats import State, Tally, exact_sign_test, sign_test, win_rates

from .crossed_votes import Design, grid_votes, simulate


def test_t_test_is_net_over_the_standard_error_of_a_net_of_zero():
    votes = simulate(Design(40, 10, 4, 0.5, 0.5), np.random.default_rng(5))
    result, net = sign_test(votes, 0.9), win_rates(votes, 0.9).net
    assert result.net == net
    assert result.t == pytest.approx(net.value / net.se_null)
    assert result.df == net.df
    assert result.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(result.t), net.df))
    assert result.state is State.DEFINED


def test_p_value_is_below_five_percent_exactly_where_the_interval_of_net_leaves_out_zero():
    decided = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        result = sign_test(simulate(Design(40, 10, 4, 0.3, 0.3, lean=0.3), rng))
        holds_zero = result.net.low <= 0 <= result.net.high
        assert (result.p_value < 0.05) == (not holds_zero)
        decided.add(holds_zero)
    assert decided == {True, False}


@pytest.mark.parametrize(
    ("win", "lose"), [(9, 1), (1, 9), (5, 5), (6, 7), (0, 4), (1, 0), (530, 470)]
)
def test_exact_test_equals_scipy_and_ignores_ties(win, lose):
    result = exact_sign_test(Tally(win=win, tie=3, lose=lose))
    assert result.p_value == pytest.approx(scipy.stats.binomtest(win, win + lose).pvalue)
    assert (result.n_win, result.n_decided) == (win, win + lose)


def test_exact_test_carries_the_label_as_if_independent():
    assert "as if votes were independent" in sign_test(grid_votes("AB", "AA")).exact.label


def test_votes_that_share_annotators_are_weaker_evidence_than_as_many_independent_ones():
    result = sign_test(grid_votes(*["AAAAAAAB"] * 20))
    assert result.exact.p_value < 1e-20
    assert result.p_value > 0.01


@pytest.mark.parametrize(("prompts", "p_below"), [(4, 0.2), (10, 0.01), (200, 1e-4)])
def test_all_wins_have_a_test_that_knows_how_few_they_are(prompts, p_below):
    result = sign_test(grid_votes(*["AAAAA"] * prompts))
    assert result.state is State.DEFINED
    assert result.net.value == 1.0
    assert (result.p_value < 0.05) == (result.net.low > 0.0)
    assert result.exact.p_value < result.p_value < p_below


def test_all_ties_are_no_evidence_of_a_preference():
    result = sign_test(grid_votes("TT", "TT"))
    assert (result.state, result.t, result.p_value) == (State.DEFINED, 0.0, 1.0)
    assert result.exact.state is State.NO_DECIDED_VOTES
    assert result.exact.p_value is None


def test_one_annotator_has_no_t_test():
    result = sign_test(grid_votes("A", "B", "A"))
    assert result.state is State.ONE_ANNOTATOR
    assert result.reason == result.net.reason != ""
    assert (result.t, result.df, result.p_value) == (None, None, None)
    assert result.net.value == pytest.approx(1 / 3)
    assert result.exact.p_value == 1.0
