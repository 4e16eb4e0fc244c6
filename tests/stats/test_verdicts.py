"""Majority of the k votes of a comparison, and the shares of verdicts."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster

from evalplatform.stats import Outcome, State, UnknownOptionError, Votes, verdicts, win_rates
from evalplatform.stats.degrees import one_way_df
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
    """Three items on each of 20 prompts, people of strong habits."""
    votes = simulate(Design(60, 15, 5, 0.8, 0.9), np.random.default_rng(11))
    return Votes(votes.outcome, votes.prompt // 3, votes.annotator, votes.item)


def variance_by_hand(votes, score, rule="majority"):
    """V, and Vp, Va, in plain loops; Vp by statsmodels."""
    result = verdicts(votes, rule=rule)
    values = np.array(score, dtype=float)
    y = values[result.outcome]
    by_prompt = cov_cluster(sm.OLS(y, np.ones(len(y))).fit(), result.prompt).item()
    verdict_of = dict(zip(result.item.tolist(), result.outcome.tolist(), strict=True))
    spread = np.bincount(votes.outcome, minlength=3) / len(votes)
    change = np.empty(len(votes))
    for row in range(len(votes)):
        mates = (votes.item == votes.item[row]) & (np.arange(len(votes)) != row)
        others = votes.outcome[mates].tolist()
        expected = 0.0
        for answer in range(3):
            chance = (others.count(answer) + spread[answer]) / (len(others) + 1)
            letters = "".join("ATB"[each] for each in [*others, answer])
            expected += chance * values[Outcome[decide(letters, rule)]]
        change[row] = values[verdict_of[int(votes.item[row])]] - expected
    person, pair = {}, {}
    for row in range(len(votes)):
        item = votes.item == votes.item[row]
        score = (values[verdict_of[int(votes.item[row])]] - y.mean()) / item.sum()
        score += change[row] - change[item].mean()
        who, what = votes.annotator[row], votes.prompt[row]
        person[who] = person.get(who, 0.0) + score
        pair[who, what] = pair.get((who, what), 0.0) + score
    by_person, by_pair = (
        len(sums) / (len(sums) - 1) * sum(each**2 for each in sums.values()) / len(y) ** 2
        for sums in (person, pair)
    )
    assert by_person > by_pair
    return by_prompt + by_person - by_pair, by_prompt, by_person


@pytest.mark.parametrize("rule", ["majority", "plurality"])
@pytest.mark.parametrize(
    ("share", "score"),
    [("win", (1, 0, 0)), ("lose", (0, 0, 1)), ("net", (1, 0, -1))],
)
def test_variance_of_a_share_of_verdicts_is_that_of_the_formula(share, score, rule):
    result = verdicts(study(), rule=rule)
    estimate = getattr(result, share)
    assert estimate.value == pytest.approx(np.array(score)[result.outcome].mean())
    variance, by_prompt, by_person = variance_by_hand(study(), score, rule)
    assert estimate.se**2 == pytest.approx(variance)
    people_df = one_way_df(np.bincount(study().annotator).astype(float))
    by_formula = variance**2 / (by_prompt**2 / 19 + by_person**2 / people_df)
    assert estimate.df == pytest.approx(max(by_formula, people_df))
    assert (estimate.n_votes, estimate.n_prompts, estimate.n_annotators) == (60, 20, 15)


def test_with_one_vote_an_item_it_is_the_two_way_variance_of_votes():
    votes = simulate(Design(300, 15, 1, 0.5, 0.9), np.random.default_rng(3))
    rates, result = win_rates(votes), verdicts(votes)
    for share in ("win", "lose", "net"):
        of_votes, of_verdicts = getattr(rates, share), getattr(result, share)
        assert of_verdicts.se == pytest.approx(of_votes.se)
        assert (of_verdicts.low, of_verdicts.high) == pytest.approx((of_votes.low, of_votes.high))


def test_shares_say_what_they_are_and_what_they_rest_on():
    win = verdicts(study()).win
    assert win.estimand == "verdicts"
    assert "clustered by prompt, and by annotator" in win.method


def test_interval_of_a_share_is_wilsons():
    win = verdicts(study(), 0.9).win
    n = win.value * (1 - win.value) / win.se**2
    assert (win.low, win.high) == pytest.approx(wilson(win.value, n, t_quantile(0.9, win.df)))


def test_verdicts_without_variation_count_as_many_as_clusters():
    win = verdicts(grid_votes("AAB", "AAA", "ATA", "AAT")).win
    assert (win.value, win.high, win.n_effective) == (1.0, 1.0, 3)
    assert "no variation seen" in win.method


def test_one_prompt_or_one_annotator_has_verdicts_but_no_interval():
    for votes, state in (
        (grid_votes("AAB"), State.ONE_PROMPT),
        (grid_votes("A", "B"), State.ONE_ANNOTATOR),
    ):
        result = verdicts(votes)
        assert result.outcome[0] == Outcome.A
        assert result.win.state is state
        assert result.win.value is None
        assert result.win.reason


def test_columns_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        verdicts(study()).outcome[0] = 1


def test_unknown_rule_and_level_are_refused():
    with pytest.raises(UnknownOptionError, match="'mean'"):
        verdicts(study(), rule="mean")
    with pytest.raises(UnknownOptionError, match="level"):
        verdicts(study(), 95)
