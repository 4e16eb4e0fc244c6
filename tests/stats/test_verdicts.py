"""Majority of the k votes of a comparison, and the shares of verdicts."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster

from evalplatform.stats import Outcome, State, UnknownOptionError, Votes, verdicts
from evalplatform.stats.intervals import t_quantile, wilson

from .crossed_votes import Design, grid_votes, simulate


def decide(letters, rule):
    return Outcome(verdicts(grid_votes(letters), rule=rule).outcome[0]).name


@pytest.mark.parametrize(
    ("letters", "majority", "plurality"),
    [
        ("A", "A", "A"),
        ("T", "TIE", "TIE"),
        ("AAABB", "A", "A"),
        ("AABBB", "B", "B"),
        ("AATTB", "TIE", "TIE"),
        ("AATBB", "TIE", "TIE"),
        ("AATB", "TIE", "A"),
        ("BBTA", "TIE", "B"),
        ("AAB", "A", "A"),
        ("AABB", "TIE", "TIE"),
        ("ATTTB", "TIE", "TIE"),
        ("AAATT", "A", "A"),
        ("ABT", "TIE", "TIE"),
        ("TTAAB", "TIE", "TIE"),
        ("BBATTBB", "B", "B"),
        ("BBBAATT", "TIE", "B"),
    ],
)
def test_verdict_of_one_item(letters, majority, plurality):
    assert decide(letters, "majority") == majority
    assert decide(letters, "plurality") == plurality


def test_majority_is_the_house_rule():
    assert verdicts(grid_votes("AATB")).rule == "majority"
    assert verdicts(grid_votes("AATB")).outcome.tolist() == [Outcome.TIE]


def test_items_keep_their_ids_prompts_and_number_of_votes():
    votes = Votes(
        outcome=[2, 0, 2, 0, 1, 2],
        prompt=[4, 7, 4, 7, 7, 4],
        annotator=[1, 1, 2, 2, 3, 3],
        item=[900, 20, 900, 20, 20, 31],
    )
    result = verdicts(votes)
    assert result.item.tolist() == [20, 31, 900]
    assert result.prompt.tolist() == [7, 4, 4]
    assert result.n_votes.tolist() == [3, 1, 2]
    assert result.outcome.tolist() == [Outcome.A, Outcome.B, Outcome.B]
    assert (result.tally.win, result.tally.tie, result.tally.lose) == (1, 0, 2)


def study():
    """Three items on each of 20 prompts: verdicts that share a prompt."""
    votes = simulate(Design(60, 15, 5, 0.8, 0.3), np.random.default_rng(11))
    return Votes(votes.outcome, votes.prompt // 3, votes.annotator, votes.item)


@pytest.mark.parametrize(
    ("share", "score"),
    [("win", (1, 0, 0)), ("tie", (0, 1, 0)), ("lose", (0, 0, 1)), ("net", (1, 0, -1))],
)
def test_shares_of_verdicts_are_clustered_by_prompt_as_in_statsmodels(share, score):
    result = verdicts(study())
    y = np.array(score, dtype=float)[result.outcome]
    fit = sm.OLS(y, np.ones(len(y))).fit()
    estimate = getattr(result, share)
    assert estimate.value == pytest.approx(y.mean())
    assert estimate.se**2 == pytest.approx(cov_cluster(fit, result.prompt).item())
    assert estimate.df == 19
    assert (estimate.n_votes, estimate.n_prompts, estimate.n_annotators) == (60, 20, 15)


def test_shares_say_what_they_are_and_what_they_leave_out():
    win = verdicts(study()).win
    assert win.estimand == "verdicts"
    assert "clustered by prompt" in win.method
    assert "habits of annotators are inside the verdicts" in win.method


def test_interval_of_a_share_is_wilsons():
    win = verdicts(study(), 0.9).win
    n = win.value * (1 - win.value) / win.se**2
    assert (win.low, win.high) == pytest.approx(wilson(win.value, n, t_quantile(0.9, 19)))


def test_verdicts_without_variation_count_as_many_as_prompts():
    win = verdicts(grid_votes("AAB", "AAA", "ATA")).win
    assert (win.value, win.high, win.n_effective) == (1.0, 1.0, 3)
    assert "no variation seen" in win.method


def test_one_prompt_has_verdicts_but_no_interval():
    result = verdicts(grid_votes("AAB"))
    assert result.outcome.tolist() == [Outcome.A]
    assert result.win.state is State.ONE_PROMPT
    assert result.win.value is None


def test_columns_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        verdicts(study()).outcome[0] = 1


def test_unknown_rule_and_level_are_refused():
    with pytest.raises(UnknownOptionError, match="'mean'"):
        verdicts(study(), rule="mean")
    with pytest.raises(UnknownOptionError, match="level"):
        verdicts(study(), 95)
