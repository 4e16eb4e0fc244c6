"""Majority of the k votes of a comparison, and the shares of verdicts."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster

from evalplatform.stats import State, UnknownOptionError, Verdict, Votes, verdicts, win_rates
from evalplatform.stats.inference.degrees import one_way_df
from evalplatform.stats.inference.intervals import t_quantile, wilson

from .crossed_votes import Design, grid_votes, simulate


def decide(letters):
    return Verdict(verdicts(grid_votes(letters)).outcome[0]).name


@pytest.mark.parametrize(
    ("letters", "majority"),
    [
        ("A", "A"),
        ("T", "TIE"),
        ("AAABB", "A"),
        ("AABBB", "B"),
        ("AATTB", "NO_MAJORITY"),
        ("AATBB", "NO_MAJORITY"),
        ("AATB", "NO_MAJORITY"),
        ("BBTA", "NO_MAJORITY"),
        ("AAB", "A"),
        ("AABB", "NO_MAJORITY"),
        ("ATTTB", "TIE"),
        ("AAATT", "A"),
        ("ABT", "NO_MAJORITY"),
        ("TTAAB", "NO_MAJORITY"),
        ("BBATTBB", "B"),
        ("BBBAATT", "NO_MAJORITY"),
        ("TTA", "TIE"),
        ("TTAB", "NO_MAJORITY"),
    ],
)
def test_verdict_of_one_item(letters, majority):
    assert decide(letters) == majority


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
    assert result.outcome.tolist() == [Verdict.A, Verdict.B, Verdict.B]
    assert (result.tally.win, result.tally.tie, result.tally.lose) == (1, 0, 2)


def study():
    """Three items on each of 20 prompts, people of strong habits."""
    votes = simulate(Design(60, 15, 5, 0.8, 0.9, tie=0.7), np.random.default_rng(11))
    return Votes(votes.outcome, votes.prompt // 3, votes.annotator, votes.item)


def variances_by_hand(votes, score):
    """Vp, Va and Vpa in plain loops, steadied; Vp by statsmodels."""
    result = verdicts(votes)
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
            expected += chance * values[Verdict[decide(letters)]]
        change[row] = values[verdict_of[int(votes.item[row])]] - expected
    person, pair = {}, {}
    for row in range(len(votes)):
        item = votes.item == votes.item[row]
        mine = (values[verdict_of[int(votes.item[row])]] - y.mean()) / item.sum()
        mine += change[row] - change[item].mean()
        who, what = votes.annotator[row], votes.prompt[row]
        person[who] = person.get(who, 0.0) + mine
        pair[who, what] = pair.get((who, what), 0.0) + mine
    w = np.array([(votes.annotator == who).mean() for who in person])
    divisor = (1 - w) ** 2 + (w**2).sum() - w**2
    by_person = (np.array(list(person.values())) ** 2 / divisor).sum() / len(y) ** 2
    by_pair = sum(each**2 for each in pair.values()) / (1 - 1 / len(pair)) / len(y) ** 2
    # The steadying of `effective_votes`, all prompts being of one size.
    n, scale = len(y), 4.0 if min(score) < 0 else 1.0
    x = n * y.var() / scale
    icc = 0.1 * min(1.0, 4.0 * (x + 1.0) / (n + 4.0)) ** 0.6
    assumed = [icc * c + (1 - icc) / (n - 1) for c in (1 / 20, (w**2).sum(), 1 / (n - 1))]
    return tuple(
        (n / scale * own + 2 * each) / (x + 2) * y.var()
        for own, each in zip((by_prompt, by_person, by_pair), assumed, strict=True)
    )


@pytest.mark.parametrize(
    ("share", "score"),
    [
        ("win", (1, 0, 0, 0)),
        ("tie", (0, 1, 0, 0)),
        ("lose", (0, 0, 1, 0)),
        ("no_majority", (0, 0, 0, 1)),
        ("net", (1, 0, -1, 0)),
    ],
)
def test_variance_of_a_share_of_verdicts_is_that_of_the_formula(share, score):
    result = verdicts(study())
    estimate = getattr(result, share)
    assert estimate.value == pytest.approx(np.array(score)[result.outcome].mean())
    by_prompt, by_person, by_pair = variances_by_hand(study(), score)
    variance = by_prompt + max(0.0, by_person - by_pair)
    assert estimate.se**2 == pytest.approx(variance)
    people_df = one_way_df(np.bincount(study().annotator).astype(float))
    prompt, person = max(by_prompt, by_pair), max(by_person, by_pair)
    by_formula = variance**2 / (prompt**2 / 19 + person**2 / people_df)
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


def test_verdicts_that_are_all_alike_have_an_interval():
    result = verdicts(grid_votes("AAB", "AAA", "ATA", "AAT"))
    assert (result.win.value, result.win.high, result.lose.low) == (1.0, 1.0, 0.0)
    assert 0.1 < result.win.low < 0.9
    assert "assumed" in result.win.method


def test_tie_and_no_majority_are_told_apart_and_all_shares_sum_to_one():
    result = verdicts(grid_votes("AAABB", "TTTAB", "AATBB", "ATTBB", "BBBTT"))
    tally = result.tally
    assert (tally.win, tally.tie, tally.lose, tally.no_majority, tally.total) == (1, 1, 1, 2, 5)
    shares = [result.win, result.tie, result.lose, result.no_majority]
    assert [each.value for each in shares] == pytest.approx([0.2, 0.2, 0.2, 0.4])
    assert result.net.value == pytest.approx(0.0)


def test_items_without_all_their_votes_have_no_verdict():
    votes = grid_votes("AAABB", "AABBB", "AA---", "B----")
    result = verdicts(votes, votes_per_item=5)
    assert (result.tally.total, result.n_incomplete) == (2, 2)
    assert result.item.tolist() == [0, 1]
    complete = verdicts(votes.where(votes.item < 2))
    assert (result.net.value, result.net.low) == (complete.net.value, complete.net.low)


def test_study_without_a_complete_item_says_so():
    result = verdicts(grid_votes("AA", "AB"), votes_per_item=3)
    assert (result.tally.total, result.n_incomplete, result.item.tolist()) == (0, 2, [])
    for estimate in (result.win, result.tie, result.lose, result.no_majority, result.net):
        assert (estimate.state, estimate.value) == (State.NO_ANSWERS, None)
        assert "all its votes" in estimate.reason


def test_one_prompt_or_one_annotator_has_shares_of_verdicts_but_no_interval():
    for votes, state in (
        (grid_votes("AAB"), State.ONE_PROMPT),
        (grid_votes("A", "B"), State.ONE_ANNOTATOR),
    ):
        result = verdicts(votes)
        assert result.outcome[0] == Verdict.A
        assert result.win.state is state
        assert result.win.value == result.tally.win / result.tally.total
        assert (result.win.low, result.win.high) == (None, None)
        assert result.win.reason


def test_columns_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        verdicts(study()).outcome[0] = 1


def test_level_and_number_of_votes_outside_range_are_refused():
    with pytest.raises(UnknownOptionError, match="level"):
        verdicts(study(), 95)
    with pytest.raises(UnknownOptionError, match="votes_per_item is 0"):
        verdicts(study(), votes_per_item=0)
