"""Win rates against independent implementations, hand-made examples, and the odd cases."""

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from evalplatform.stats import (
    LengthMismatchError,
    State,
    UnknownOptionError,
    Votes,
    breakdown,
    tally,
    win_rates,
)
from evalplatform.stats.degrees import one_way_df
from evalplatform.stats.intervals import clipped_t, t_p_value, t_quantile, wilson

from .crossed_votes import Design, grid_votes, simulate, votes_of

SHARES = ("win", "tie", "lose", "net", "half", "decided")
VALUES = ("value", "se", "low", "high", "df", "n_effective", "design_effect")
SCORE = {"win": (1, 0, 0), "tie": (0, 1, 0), "lose": (0, 0, 1), "net": (1, 0, -1)} | {
    "half": (1, 0.5, 0),
    "decided": (1, 0, 0),
}


def uneven_votes(seed=3):
    """Crossed votes with uneven numbers per prompt and some repeated (prompt, annotator) pairs."""
    rng = np.random.default_rng(seed)
    votes = simulate(Design(30, 12, 5, prompt_sd=0.8, annotator_sd=0.6), rng)
    return votes.where(rng.random(len(votes)) < 0.7)


def scored(votes, share):
    """The votes that count for a share, and their scores."""
    counted = votes.where(votes.outcome != 1) if share == "decided" else votes
    return counted, np.array(SCORE[share], dtype=float)[counted.outcome]


@pytest.mark.parametrize("share", SHARES)
def test_two_way_variance_equals_statsmodels_with_the_same_small_sample_factors(share):
    votes = uneven_votes()
    counted, y = scored(votes, share)
    fit = sm.OLS(y, np.ones(len(y))).fit()
    both, prompt, annotator = cov_cluster_2groups(fit, counted.prompt, counted.annotator)
    expected = max(both.item(), prompt.item(), annotator.item())
    estimate = getattr(win_rates(votes), share)
    assert estimate.value == pytest.approx(fit.params.item())
    assert estimate.se**2 == pytest.approx(expected, rel=1e-10)


def test_the_sum_and_each_floor_are_each_the_largest_in_some_study():
    """The comparison with statsmodels is empty unless the data reach all three branches."""
    reached = set()
    for seed in range(40):
        counted, y = scored(uneven_votes(seed), "win")
        fit = sm.OLS(y, np.ones(len(y))).fit()
        terms = [v.item() for v in cov_cluster_2groups(fit, counted.prompt, counted.annotator)]
        reached.add(int(np.argmax(terms)))
        assert win_rates(uneven_votes(seed)).win.se ** 2 == pytest.approx(max(terms))
    assert reached >= {0, 2}


@pytest.mark.parametrize("estimand", ["votes", "prompts"])
@pytest.mark.parametrize("share", SHARES)
def test_both_estimands_equal_sums_over_all_pairs_of_votes(share, estimand):
    """Slow and from the definition: every two votes that share a cluster add their product."""
    votes = uneven_votes()
    _, per_prompt = np.unique(votes.prompt, return_inverse=True)
    weight = (
        1.0 / np.bincount(per_prompt)[per_prompt] if estimand == "prompts" else np.ones(len(votes))
    )
    kept = votes.outcome != 1 if share == "decided" else np.full(len(votes), True)
    y = np.array(SCORE[share], dtype=float)[votes.outcome][kept]
    v = weight[kept] / weight[kept].sum()
    value = float(v @ y)
    product = np.outer(v * (y - value), v * (y - value))
    terms = {}
    same_prompt = np.equal.outer(votes.prompt[kept], votes.prompt[kept])
    same_annotator = np.equal.outer(votes.annotator[kept], votes.annotator[kept])
    clusterings = {"p": same_prompt, "a": same_annotator, "pa": same_prompt & same_annotator}
    for name, same in clusterings.items():
        count = len(np.unique(same, axis=0))
        terms[name] = count / (count - 1) * product[same].sum()
    expected = max(terms["p"] + terms["a"] - terms["pa"], terms["p"], terms["a"])
    estimate = getattr(win_rates(votes, estimand=estimand), share)
    assert estimate.value == pytest.approx(value)
    assert estimate.se**2 == pytest.approx(expected)


def test_prompts_estimand_is_the_mean_of_prompt_means():
    votes = grid_votes("AAAA", "AB--", "BBB-")
    assert win_rates(votes).win.value == pytest.approx(5 / 9)
    rates = win_rates(votes, estimand="prompts")
    assert rates.win.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert rates.estimand == rates.win.estimand == "prompts"


@pytest.mark.parametrize("estimand", ["votes", "prompts"])
def test_shares_add_up_and_net_half_decided_follow_from_them(estimand):
    rates = win_rates(uneven_votes(), estimand=estimand)
    win, tie, lose = rates.win.value, rates.tie.value, rates.lose.value
    assert win + tie + lose == pytest.approx(1.0)
    assert rates.net.value == pytest.approx(win - lose)
    assert rates.half.value == pytest.approx(win + tie / 2)
    assert rates.decided.value == pytest.approx(win / (win + lose))
    assert rates.half.se == pytest.approx(rates.net.se / 2)


def test_variance_by_hand():
    """Two prompts, two annotators; win shares 1 and 1/2 by prompt, 1 and 1/2 by annotator.

    Cluster scores are 1/8 and -1/8, so Vp = 2 * 2 * (1/8)^2 = 1/16 = Va. Each of the four pairs is
    one vote, with score 1/16 three times and -3/16 once, so Vpa = 4/3 * 12/256 = 1/16.
    """
    estimate = win_rates(grid_votes("AA", "AB")).win
    assert estimate.value == 0.75
    assert estimate.se == pytest.approx(0.25)
    assert estimate.df == 1
    assert estimate.n_effective == pytest.approx(3.0)
    assert estimate.design_effect == pytest.approx(1.0)


def test_singleton_clusters_give_wilsons_interval_as_in_statsmodels():
    """V = s^2 / n has divisor n - 1, so n_effective is n - 1; and the quantile is t's, not z's."""
    n, wins = 40, 11
    votes = Votes([0] * wins + [2] * (n - wins), range(n), range(n), range(n))
    estimate = win_rates(votes).win
    alpha = 2 * scipy.stats.norm.sf(scipy.stats.t.ppf(0.975, n - 1))
    expected = proportion_confint(wins / n * (n - 1), n - 1, alpha=alpha, method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx(expected)
    assert estimate.n_effective == pytest.approx(n - 1)
    assert estimate.design_effect == pytest.approx(1.0)
    assert estimate.df == n - 1


@pytest.mark.parametrize(("wins", "n"), [(0, 7), (1, 7), (50, 100), (7, 7)])
def test_wilson_equals_statsmodels(wins, n):
    expected = proportion_confint(wins, n, alpha=0.1, method="wilson")
    assert wilson(wins / n, n, scipy.stats.norm.ppf(0.95)) == pytest.approx(expected, abs=1e-12)


def test_t_functions_equal_scipy_stats():
    assert t_quantile(0.9, 4) == pytest.approx(scipy.stats.t.ppf(0.95, 4))
    assert t_p_value(-1.7, 6) == pytest.approx(2 * scipy.stats.t.sf(1.7, 6))


def test_net_interval_is_the_t_interval_clipped():
    net = win_rates(uneven_votes()).net
    reach = scipy.stats.t.ppf(0.975, net.df) * net.se
    assert (net.low, net.high) == pytest.approx((net.value - reach, net.value + reach))
    assert net.n_effective is None
    assert clipped_t(0.9, 0.2, 2.0) == (0.5, 1.0)
    assert clipped_t(-0.9, 0.2, 2.0) == (-1.0, -0.5)
    narrow = win_rates(grid_votes("AAAAAAAB", "AAAAAABA")).net
    assert narrow.high == 1.0


def test_a_higher_level_gives_a_wider_interval():
    narrow, wide = (win_rates(uneven_votes(), level).win for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert (narrow.level, wide.level) == (0.8, 0.99)


def test_counts_and_degrees_of_freedom_are_those_of_the_votes_that_count():
    votes = grid_votes("ATB-", "TTT-", "-BAT", "A---")
    rates = win_rates(votes)
    assert (rates.win.n_votes, rates.win.n_prompts, rates.win.n_annotators) == (10, 4, 4)
    votes_each = np.array([3.0, 3.0, 3.0, 1.0])  # of prompts, and of annotators
    assert rates.win.df == pytest.approx(one_way_df(votes_each))
    decided = rates.decided
    assert (decided.n_votes, decided.n_prompts, decided.n_annotators) == (5, 3, 3)
    assert decided.df == pytest.approx(one_way_df(np.array([2.0, 2.0, 1.0])))


def test_decided_equals_win_among_the_decided_votes():
    votes = uneven_votes()
    decided, alone = win_rates(votes).decided, win_rates(votes.where(votes.outcome != 1)).win
    for name in (*VALUES, "n_votes"):
        assert getattr(decided, name) == pytest.approx(getattr(alone, name))


def test_design_effect_compares_with_independent_votes():
    """Eight people who each say one thing on every prompt are eight votes, not 32."""
    estimate = win_rates(grid_votes(*["AAABBBBB"] * 4)).win
    assert estimate.n_votes == 32
    assert estimate.design_effect == pytest.approx(4 * 31 / 32 * 8 / 7)
    assert estimate.n_effective == pytest.approx(7.0)


@pytest.mark.parametrize(("letter", "win", "net"), [("A", 1.0, 1.0), ("B", 0.0, -1.0)])
def test_votes_without_variation_count_as_the_smaller_number_of_clusters(letter, win, net):
    rates = win_rates(grid_votes(*[letter * 4] * 9))
    assert (rates.win.value, rates.net.value, rates.decided.value) == (win, net, win)
    assert rates.win.se == 0.0
    assert rates.win.n_effective == 4
    assert "no variation seen, so n_effective = min(prompts, annotators) = 4" in rates.win.method
    expected = wilson(win, 4, t_quantile(0.95, 3))
    assert (rates.win.low, rates.win.high) == expected
    assert rates.net.high - rates.net.low == pytest.approx(2 * (expected[1] - expected[0]))
    assert (rates.net.low, rates.net.high)[net == 1.0] == net
    assert rates.win.design_effect is None
    assert "no variation" not in win_rates(uneven_votes()).win.method


def test_all_ties_leave_decided_undefined_and_the_rest_estimated():
    rates = win_rates(grid_votes("TTT", "TTT"))
    assert (rates.win.value, rates.tie.value, rates.net.value, rates.half.value) == (0, 1, 0, 0.5)
    assert rates.tie.high == 1.0
    assert rates.tie.low < 1.0
    assert rates.net.low == pytest.approx(-rates.net.high)
    assert rates.net.high > 0.0
    assert rates.decided.state is State.NO_DECIDED_VOTES
    assert "tie" in rates.decided.reason


@pytest.mark.parametrize("estimand", ["votes", "prompts"])
@pytest.mark.parametrize("size", range(2, 12))
def test_scores_that_cancel_in_every_cluster_do_not_pass_for_certainty(size, estimand):
    """A Latin square: one win per prompt and per annotator, so only rounding is left of V."""
    rows = ("B" * row + "A" + "B" * (size - row - 1) for row in range(size))
    rates = win_rates(grid_votes(*rows), estimand=estimand)
    assert rates.win.value == pytest.approx(1 / size)
    assert rates.win.n_effective == rates.decided.n_effective == size
    assert rates.win.high - rates.win.low > 0.2
    assert rates.net.high - rates.net.low > 0.4
    assert rates.win.se == 0.0


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        (votes_of(("cat", "ana", "A"), ("dog", "ana", "B")), State.ONE_ANNOTATOR),
        (votes_of(("cat", "ana", "A"), ("cat", "ben", "B")), State.ONE_PROMPT),
        (votes_of(("cat", "ana", "A")), State.ONE_PROMPT),
    ],
)
def test_one_cluster_is_a_named_state_without_values(votes, state):
    rates = win_rates(votes)
    for share in SHARES:
        estimate = getattr(rates, share)
        assert estimate.state is state
        assert not estimate.is_defined
        assert estimate.reason
        assert [getattr(estimate, name) for name in VALUES] == [None] * len(VALUES)
    assert rates.tally.total == len(votes)


def test_decided_is_undefined_where_one_annotator_alone_decides():
    rates = win_rates(grid_votes("AT", "BT", "AT"))
    assert rates.win.is_defined
    assert rates.decided.state is State.ONE_ANNOTATOR
    assert "decided votes" in rates.decided.reason


@pytest.mark.parametrize("level", [0.0, 1.0, 95, float("nan")])
def test_levels_outside_zero_and_one_are_refused(level):
    with pytest.raises(UnknownOptionError, match="level"):
        win_rates(uneven_votes(), level)


def test_unknown_estimand_is_refused():
    with pytest.raises(UnknownOptionError, match="'items'"):
        win_rates(uneven_votes(), estimand="items")


def test_tally_counts_outcomes():
    counts = tally(grid_votes("AAT", "BAA"))
    assert (counts.win, counts.tie, counts.lose, counts.total) == (4, 1, 1, 6)
    assert counts.shares == pytest.approx((4 / 6, 1 / 6, 1 / 6))


def test_breakdown_estimates_each_group_alone_in_order_of_first_appearance():
    votes = uneven_votes()
    labels = np.where(votes.prompt % 3 == 0, "food", "animals").tolist()
    groups = breakdown(votes, labels, 0.9, estimand="prompts")
    assert list(groups) == list(dict.fromkeys(labels))
    for label, rates in groups.items():
        alone = votes.where(np.array(labels) == label)
        assert rates == win_rates(alone, 0.9, estimand="prompts")


def test_breakdown_refuses_labels_of_another_length():
    with pytest.raises(LengthMismatchError, match="group_labels has 2"):
        breakdown(grid_votes("AA", "BB"), ["x", "y"])
