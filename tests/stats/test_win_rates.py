"""Win rates against independent implementations, hand-made examples, and the odd cases."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from evalplatform.stats import (
    State,
    UnknownOptionError,
    Votes,
    win_rates,
)
from evalplatform.stats.inference.clustering import (
    Ratio,
    one_way_variance,
    outcome_table,
    pair_moments,
)
from evalplatform.stats.inference.degrees import one_way_df
from evalplatform.stats.inference.intervals import net_interval, t_p_value, t_quantile, wilson

from .crossed_votes import Design, grid_votes, simulate, votes_of

SHARES = ("win", "tie", "lose", "net", "half", "decided")
VALUES = ("se", "low", "high", "df", "se_null", "n_effective", "design_effect")
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


def everybody_judges_everything(seed=3):
    return simulate(Design(30, 6, 6, prompt_sd=0.8, annotator_sd=0.6), np.random.default_rng(seed))


@pytest.mark.parametrize("share", ["win", "tie", "lose", "net"])
def test_variances_equal_statsmodels_where_all_clusters_are_of_one_size(share):
    """Its factors are G / (G - 1), which ours are there."""
    votes = everybody_judges_everything()
    y = np.array(SCORE[share], dtype=float)[votes.outcome]
    fit = sm.OLS(y, np.ones(len(y))).fit()
    both, prompt, annotator = (
        v.item() for v in cov_cluster_2groups(fit, votes.prompt, votes.annotator)
    )
    for groups, variance in ((votes.by_prompt, prompt), (votes.by_annotator, annotator)):
        table = outcome_table(groups, votes.outcome)
        assert one_way_variance(Ratio(SCORE[share]), table) == pytest.approx(variance)
    pairs = pair_moments(votes.prompt_codes.codes, votes.annotator_codes, votes.outcome)
    total = np.bincount(votes.outcome, minlength=3).astype(float)
    own = pairs.one_way_variance(Ratio(SCORE[share]), total)
    assert prompt + annotator - own == pytest.approx(both)
    assert getattr(win_rates(votes), share).value == pytest.approx(y.mean())


def test_the_sum_and_each_floor_are_each_the_largest_in_some_study():
    """The comparison from the definition is empty unless the data reach all its branches."""
    reached = set()
    for seed in range(40):
        v, _ = by_definition(uneven_votes(seed), "win", "votes")
        reached.add(int(np.argmax([v["p"] + v["a"] - v["pa"], v["p"], v["a"], v["pa"]])))
    assert reached >= {0, 1, 2}


def by_definition(votes, share, estimand):
    """V* / s^2 of each clustering, and the value: slow, over all pairs of votes.

    Every two votes that share a cluster add their product of scores, over the cluster's divisor.
    """
    _, per_prompt = np.unique(votes.prompt, return_inverse=True)
    weight = (
        1.0 / np.bincount(per_prompt)[per_prompt] if estimand == "prompts" else np.ones(len(votes))
    )
    kept = votes.outcome != 1 if share == "decided" else np.full(len(votes), True)
    y = np.array(SCORE[share], dtype=float)[votes.outcome][kept]
    v = weight[kept] / weight[kept].sum()
    value = float(v @ y)
    spread = float(v @ (y - value) ** 2)
    product = np.outer(v * (y - value), v * (y - value))
    same_prompt = np.equal.outer(votes.prompt[kept], votes.prompt[kept])
    same_annotator = np.equal.outer(votes.annotator[kept], votes.annotator[kept])
    clusterings = {"p": same_prompt, "a": same_annotator, "pa": same_prompt & same_annotator}
    n = len(np.unique(clusterings["pa"], axis=0))
    scale = 4.0 if share == "net" else 1.0
    x = n * spread / scale
    icc = 0.1 * min(1.0, 4.0 * (x + 1.0) / (n + 4.0)) ** 0.6
    steadied = {}
    for name, same in clusterings.items():
        clusters = np.unique(same, axis=0)
        w = clusters @ v
        divisor = np.full(len(w), 1.0 - 1.0 / n)
        concentration = 1.0 / (n - 1)
        if name != "pa":
            concentration = (w**2).sum()
            divisor = (1 - w) ** 2 + concentration - w**2
        own = sum(product[np.ix_(c, c)].sum() / d for c, d in zip(clusters, divisor, strict=True))
        assumed = icc * concentration + (1.0 - icc) / (n - 1.0)
        steadied[name] = (x * own / spread + 2.0 * assumed) / (x + 2.0)
    return steadied, (value, spread)


@pytest.mark.parametrize("estimand", ["votes", "prompts"])
@pytest.mark.parametrize("share", [share for share in SHARES if share != "half"])
def test_both_estimands_equal_sums_over_all_pairs_of_votes(share, estimand):
    votes = uneven_votes()
    v, (value, spread) = by_definition(votes, share, estimand)
    expected = max(v["p"] + v["a"] - v["pa"], v["p"], v["a"], v["pa"])
    estimate = getattr(win_rates(votes, estimand=estimand), share)
    assert estimate.value == pytest.approx(value)
    assert estimate.n_effective == pytest.approx(1 / expected)
    assert estimate.se**2 == pytest.approx(spread * expected)


def test_one_person_with_most_votes_is_no_agreement():
    """The mean is nearly theirs, so their score is nearly 0 whatever the others say."""
    rng = np.random.default_rng(2)
    size = np.array([294, 3, 3])
    truth, found = [], []
    for _ in range(4000):
        y = rng.standard_normal(3)  # of each person, whatever the prompt: effects of variance 1
        truth.append(float(size @ y / size.sum()) ** 2)
        s = size * (y - size @ y / size.sum()) / size.sum()
        divisor = (1 - size / 300) ** 2 + ((size / 300) ** 2).sum() - (size / 300) ** 2
        found.append(float((s**2 / divisor).sum()))
    assert np.mean(found) == pytest.approx(np.mean(truth), rel=0.08)


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
    assert estimate.df == 1
    # x = 4 * 3 / 16 = 3 / 4 votes differ; the spread of 8 votes with 7 / 4 that do gives the icc.
    icc = 0.1 * (4 * 1.75 / 8) ** 0.6
    clustered = (0.75 * (1 / 16) / (3 / 16) + 2 * (icc / 2 + (1 - icc) / 3)) / 2.75
    single = (0.75 * (1 / 16) / (3 / 16) + 2 / 3) / 2.75
    assert estimate.n_effective == pytest.approx(1 / (2 * clustered - single))
    assert estimate.se**2 == pytest.approx(3 / 16 / estimate.n_effective)
    assert estimate.design_effect == pytest.approx(3 / estimate.n_effective)


def test_singleton_clusters_give_wilsons_interval_as_in_statsmodels():
    """V = s^2 / n has divisor n - 1, so n_effective is n - 1; and the quantile is t's, not z's."""
    n, wins = 40, 11
    votes = Votes([0] * wins + [2] * (n - wins), range(n), range(n), range(n))
    estimate = win_rates(votes).win
    alpha = 2 * scipy.stats.norm.sf(scipy.stats.t.ppf(0.975, estimate.df))
    expected = proportion_confint(wins / n * (n - 1), n - 1, alpha=alpha, method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx(expected, rel=1e-3)
    assert estimate.n_effective == pytest.approx(n - 1, rel=1e-3)
    assert estimate.design_effect == pytest.approx(1.0, rel=1e-3)
    assert estimate.df == n - 1


@pytest.mark.parametrize(("wins", "n"), [(0, 7), (1, 7), (50, 100), (7, 7)])
def test_wilson_equals_statsmodels(wins, n):
    expected = proportion_confint(wins, n, alpha=0.1, method="wilson")
    assert wilson(wins / n, n, scipy.stats.norm.ppf(0.95)) == pytest.approx(expected, abs=1e-12)


def test_t_functions_equal_scipy_stats():
    assert t_quantile(0.9, 4) == pytest.approx(scipy.stats.t.ppf(0.95, 4))
    assert t_p_value(-1.7, 6) == pytest.approx(2 * scipy.stats.t.sf(1.7, 6))


def test_net_interval_holds_every_net_that_the_votes_do_not_contradict():
    rates = win_rates(uneven_votes())
    net, decided = rates.net, 1.0 - rates.tie.value
    quantile = scipy.stats.t.ppf(0.975, net.df)
    for bound in (net.low, net.high):
        error = np.sqrt((decided - bound**2) / net.n_effective)
        assert abs(net.value - bound) == pytest.approx(quantile * error)
    assert net.se_null == pytest.approx(np.sqrt(decided / net.n_effective))
    assert net.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(net.value / net.se_null), net.df))


@pytest.mark.parametrize(("wins", "n"), [(0, 7), (1, 7), (50, 100), (7, 7)])
def test_net_interval_without_ties_is_wilsons(wins, n):
    low, high = wilson(wins / n, n, 1.7)
    expected = (2 * low - 1, 2 * high - 1)
    assert net_interval(2 * wins / n - 1, 1.0, n, 1.7) == pytest.approx(expected, abs=1e-12)


def test_a_higher_level_gives_a_wider_interval():
    narrow, wide = (win_rates(uneven_votes(), level).win for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert (narrow.level, wide.level) == (0.8, 0.99)


def test_counts_and_degrees_of_freedom_are_those_of_the_votes_that_count():
    votes = grid_votes("ATB-", "TTT-", "-BAT", "A---")
    rates = win_rates(votes)
    assert (rates.win.n_votes, rates.win.n_prompts, rates.win.n_annotators) == (10, 4, 4)
    votes_each = np.array([3.0, 3.0, 3.0, 1.0])  # of prompts, and of annotators
    assert rates.win.df >= one_way_df(votes_each)
    decided = rates.decided
    assert (decided.n_votes, decided.n_prompts, decided.n_annotators) == (5, 3, 3)
    assert decided.df >= one_way_df(np.array([2.0, 2.0, 1.0]))


def test_decided_equals_win_among_the_decided_votes():
    votes = uneven_votes()
    decided, alone = win_rates(votes).decided, win_rates(votes.where(votes.outcome != 1)).win
    for name in (*VALUES, "n_votes"):
        assert getattr(decided, name) == pytest.approx(getattr(alone, name))


def test_design_effect_compares_with_independent_votes():
    """Eight people who each say one thing on every prompt are eight votes, not 32."""
    estimate = win_rates(grid_votes(*["AAABBBBB"] * 4)).win
    assert estimate.n_votes == 32
    assert estimate.design_effect == pytest.approx(31 / estimate.n_effective)
    assert estimate.n_effective == pytest.approx(7.0, rel=0.2)


@pytest.mark.parametrize(("letter", "win", "net"), [("A", 1.0, 1.0), ("B", 0.0, -1.0)])
def test_votes_that_all_say_the_same_are_worth_what_is_assumed_of_them(letter, win, net):
    """36 votes, 9 prompts, 4 annotators: the spread of 40 votes of which one differs."""
    rates = win_rates(grid_votes(*[letter * 4] * 9))
    assert (rates.win.value, rates.net.value, rates.decided.value) == (win, net, win)
    assert rates.win.se == 0.0
    icc = 0.1 * (4 / 40) ** 0.6
    own, prompt, annotator = ((icc * c + (1 - icc) / 35) for c in (1 / 35, 1 / 9, 1 / 4))
    n = 1 / (prompt + annotator - own)
    assert rates.win.n_effective == rates.net.n_effective == pytest.approx(n)
    assert "100 % of the variance is assumed" in rates.win.method
    expected = wilson(win, n, t_quantile(0.95, rates.win.df))
    assert (rates.win.low, rates.win.high) == pytest.approx(expected)
    assert rates.net.high - rates.net.low == pytest.approx(2 * (expected[1] - expected[0]))
    assert (rates.net.low, rates.net.high)[net == 1.0] == net
    assert rates.net.p_value < 0.05
    assert "assumed" not in win_rates(grid_votes(*["AABB"] * 50)).win.method


@pytest.mark.parametrize("annotators", [2, 5, 10, 40])
def test_interval_at_none_is_of_the_size_of_the_one_at_one(annotators):
    """1,000 votes of which none or one is a tie: no cliff, and more ties never mean fewer."""
    highs = []
    for ties in range(6):
        outcome = np.zeros(1000, dtype=int)
        outcome[np.arange(ties) * 197] = 1
        prompt = np.repeat(np.arange(200), 5)
        annotator = (np.arange(1000) * 7 + prompt) % annotators
        rates = win_rates(Votes(outcome, prompt, annotator, prompt))
        assert rates.tally.tie == ties
        highs.append(rates.tie.high)
        assert rates.net.p_value < 0.05
    assert highs[1] / highs[0] < 1.5
    assert all(later > 0.9 * before for before, later in pairwise(highs))


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
    assert rates.win.n_effective <= size**2 - 1 + 1e-9
    assert rates.win.se > 0.0


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        (votes_of(("cat", "ana", "A"), ("dog", "ana", "B")), State.ONE_ANNOTATOR),
        (votes_of(("cat", "ana", "A"), ("cat", "ben", "B")), State.ONE_PROMPT),
        (votes_of(("cat", "ana", "A")), State.ONE_PROMPT),
    ],
)
def test_one_cluster_keeps_its_shares_and_has_no_interval(votes, state):
    rates = win_rates(votes)
    wins, n = rates.tally.win, rates.tally.total
    assert (rates.win.value, rates.net.value) == (wins / n, (wins - rates.tally.lose) / n)
    assert (rates.half.value, rates.decided.value) == (wins / n, wins / n)
    for share in SHARES:
        estimate = getattr(rates, share)
        assert estimate.state is state
        assert not estimate.has_interval
        assert estimate.reason
        assert [getattr(estimate, name) for name in VALUES] == [None] * len(VALUES)
        assert estimate.p_value is None


def test_decided_is_undefined_where_one_annotator_alone_decides():
    rates = win_rates(grid_votes("AT", "BT", "AT"))
    assert rates.win.has_interval
    assert rates.decided.state is State.ONE_ANNOTATOR
    assert rates.decided.value == pytest.approx(2 / 3)
    assert "decided votes" in rates.decided.reason


@pytest.mark.parametrize("level", [0.0, 1.0, 95, float("nan")])
def test_levels_outside_zero_and_one_are_refused(level):
    with pytest.raises(UnknownOptionError, match="level"):
        win_rates(uneven_votes(), level)


def test_unknown_estimand_is_refused():
    with pytest.raises(UnknownOptionError, match="'items'"):
        win_rates(uneven_votes(), estimand="items")


def test_tally_counts_outcomes():
    counts = win_rates(grid_votes("AAT", "BAA")).tally
    assert (counts.win, counts.tie, counts.lose, counts.total) == (4, 1, 1, 6)
    assert counts.shares == pytest.approx((4 / 6, 1 / 6, 1 / 6))
