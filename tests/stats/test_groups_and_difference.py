"""Groups of prompts under Holm, and the difference of two campaigns."""

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given, settings
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.sandwich_covariance import cov_cluster

from evalplatform.stats import (
    ColumnTypeError,
    EmptyVotesError,
    Labels,
    LengthMismatchError,
    State,
    Votes,
    compare_nets,
    group_tests,
    sign_test,
    win_rates,
)
from evalplatform.stats.pairs.difference import _variance

from .crossed_votes import Design, grid_votes, simulate, swapped
from .test_win_rate_properties import any_votes

SEEDS = range(3)


def study(seed=0, **changed):
    design = {"prompts": 60, "annotators": 12, "votes_per_prompt": 5} | changed
    options = {"prompt_sd": 0.6, "annotator_sd": 0.5, "lean": 0.3} | design
    return simulate(Design(**options), np.random.default_rng(seed))


def grouped(votes):
    category = np.array(["animals", "food", "", "people"])[votes.prompt % 4]
    challenge = np.array(["simple", "hard"])[votes.prompt % 2]
    return {"category": category.tolist(), "challenge": challenge.tolist()}


def test_each_group_is_its_own_study_and_holm_is_over_all_of_them():
    votes = study()
    found = group_tests(votes, grouped(votes))
    assert [(each.kind, each.name) for each in found] == [
        ("category", "animals"),
        ("category", "food"),
        ("category", "people"),
        ("challenge", "hard"),
        ("challenge", "simple"),
    ]
    for each in found:
        mine = votes.where(np.array(grouped(votes)[each.kind]) == each.name)
        assert each.rates == win_rates(mine)
        assert each.p_value == pytest.approx(sign_test(mine).p_value)
        assert each.n_tests == 5
    expected = multipletests([each.p_value for each in found], method="holm")[1]
    assert [each.p_holm for each in found] == pytest.approx(expected.tolist())


def test_group_that_cannot_be_tested_is_no_member_of_the_family():
    votes = grid_votes(*["AAAB", "AABA", "ABAA", "AAAA", "AAAA"] * 2, "B---", "AAAA", "AAAA")
    names = np.array(["mixed"] * 10 + ["one"] + ["few"] * 2)[votes.by_prompt.codes]
    found = {each.name: each for each in group_tests(votes, {"category": names.tolist()})}
    assert found["mixed"].p_holm == found["mixed"].p_value
    assert found["mixed"].reason == ""
    for name, prompts in (("one", "1 prompt"), ("few", "2 prompts")):
        assert (found[name].p_value, found[name].p_holm) == (None, None)
        assert found[name].reason == f"{prompts}; a claim needs 5 or more"
    assert found["one"].rates.net.state is State.ONE_PROMPT
    assert {each.n_tests for each in found.values()} == {1}


def test_unanimous_group_can_be_claimed():
    votes = grid_votes(*["AAAAA"] * 10, *["AAABB", "ABBTA"] * 5)
    names = np.array(["all"] * 10 + ["mixed"] * 10)[votes.by_prompt.codes]
    found = {each.name: each for each in group_tests(votes, {"category": names.tolist()})}
    assert found["all"].rates.net.value == 1.0
    assert found["all"].rates.net.low > 0.5
    assert found["all"].p_holm < 0.01


@pytest.mark.parametrize("prompt_sd", [1.0, 2.0])
def test_groups_of_few_prompts_give_no_false_claims(prompt_sd):
    """Where prompts decide, two of them agree by luck; people then seem the only uncertainty."""
    rng, claimed = np.random.default_rng(6), 0
    size = [20, 12, 11, 8, 7, 7, 5, 4, 4, 3, 2, 2]
    names = np.repeat([f"group {each}" for each in range(len(size))], size)
    design = Design(len(names), 12, 5, prompt_sd, 0.4, lean=0.0)
    for _ in range(150):
        votes = simulate(design, rng)
        found = group_tests(votes, {"category": names[votes.prompt].tolist()})
        claimed += any(each.p_holm is not None and each.p_holm <= 0.05 for each in found)
    assert claimed / 150 <= 0.07


def test_holm_keeps_false_claims_rare_where_single_tests_do_not():
    rng, raw, adjusted = np.random.default_rng(3), 0, 0
    for _ in range(150):
        votes = simulate(Design(80, 20, 4, 0.4, 0.0, lean=0.0), rng)
        names = [f"group {each}" for each in votes.prompt % 8]
        found = group_tests(votes, {"category": names})
        raw += any(each.p_value <= 0.05 for each in found)
        adjusted += any(each.p_holm <= 0.05 for each in found)
    assert raw / 150 > 0.15
    assert adjusted / 150 < 0.09


def test_labels_as_codes_say_what_texts_say():
    """A name that no vote has makes no group."""
    votes = study()
    texts = [("", "cats", "birds")[each] for each in votes.prompt % 3]
    coded = Labels(votes.prompt % 3, ("", "cats", "birds", "dogs"))
    found, known = (group_tests(votes, {"category": each}) for each in (coded, texts))
    assert [each.name for each in found] == ["birds", "cats"]
    assert found == known
    with pytest.raises(LengthMismatchError, match="category"):
        group_tests(votes, {"category": Labels(coded.codes[1:], coded.names)})


def test_labels_must_fit():
    with pytest.raises(LengthMismatchError, match="category"):
        group_tests(study(), {"category": ["animals"]})
    with pytest.raises(EmptyVotesError, match="labels"):
        group_tests(study(), {})
    for odd in (7, float("nan"), None):
        labels = ["animals"] * (len(study()) - 1) + [odd]
        with pytest.raises(ColumnTypeError, match=r"category\[299\] is .*a label is text"):
            group_tests(study(), {"category": labels})


def difference_by_statsmodels(one, two):
    """The coefficient of "is in the first" in a regression of y on both campaigns."""
    y = 1.0 - np.r_[one.outcome, two.outcome]
    first = np.r_[np.ones(len(one)), np.zeros(len(two))]
    fit = sm.OLS(y, np.column_stack([np.ones(len(y)), first])).fit()
    prompt, person = np.r_[one.prompt, two.prompt], np.r_[one.annotator, two.annotator]
    terms = []
    for ids in (prompt, person, prompt * 10_000 + person):
        count = len(np.unique(ids))
        raw = cov_cluster(fit, ids, use_correction=False)[1, 1]
        terms.append(raw * count / (count - 1))
    return fit.params[1], max(terms[0] + terms[1] - terms[2], *terms[:2])


@pytest.mark.parametrize("seed", SEEDS)
def test_difference_on_the_same_prompts_by_the_same_people_equals_statsmodels(seed):
    """Every annotator on every prompt: all counts of clusters are those of either campaign."""
    one, two = (
        study(each, prompts=12, annotators=6, votes_per_prompt=6) for each in (seed, seed + 9)
    )
    value, variance = difference_by_statsmodels(one, two)
    result = compare_nets(one, two)
    assert result.value == pytest.approx(value)
    assert _variance(one, two, together=True) == pytest.approx(variance)
    kept = variance / _variance(one, two, together=False)
    drawn = sum(drawn_variance(votes) for votes in (one, two))
    assert result.se**2 == pytest.approx(kept * drawn)
    assert (result.n_shared_prompts, result.n_shared_annotators) == (12, 6)
    assert result.df == min(result.first.df, result.second.df)


def drawn_variance(votes):
    """Of a net with one independent vote more for A and one for B."""
    net, decided = win_rates(votes).net, (votes.outcome != 1).mean()
    n = net.n_effective
    return ((decided * n + 2) / (n + 2) - (net.value * n / (n + 2)) ** 2) / (n + 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [((12, 12), (8, 12)), ((40, 40), (36, 40)), ((20, 20), (15, 20)), ((30, 40), (20, 40))],
)
def test_difference_of_small_unanimous_campaigns_is_near_fishers_exact_test(one, other):
    def campaign(wins, n, first):
        ids = np.arange(first, first + n)
        return Votes([0] * wins + [2] * (n - wins), ids, ids, ids)

    exact = scipy.stats.fisher_exact([[one[0], one[1] - one[0]], [other[0], other[1] - other[0]]])
    ours = compare_nets(campaign(*one, 0), campaign(*other, 1000)).p_value
    assert 0.7 * exact.pvalue < ours < 1.4 * exact.pvalue


def test_campaigns_that_are_both_unanimous_have_an_interval():
    ids = np.arange(10)
    wins, losses = Votes([0] * 10, ids, ids, ids), Votes([2] * 10, ids + 50, ids + 50, ids + 50)
    apart, same = compare_nets(wins, losses), compare_nets(wins, wins)
    assert apart.value == apart.high == 2.0
    assert 0.5 < apart.low < 1.9
    assert apart.p_value < 0.001
    assert (same.value, same.p_value) == (0.0, 1.0)
    assert same.low == -same.high < -0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_campaigns_that_share_nothing_add_their_variances(seed):
    one, two = study(seed), study(seed + 9)
    two = Votes(two.outcome, two.prompt + 500, two.annotator + 500, two.item + 500)
    result, nets = compare_nets(one, two), (win_rates(one).net, win_rates(two).net)
    assert result.value == pytest.approx(nets[0].value - nets[1].value)
    assert result.se**2 == pytest.approx(sum(drawn_variance(votes) for votes in (one, two)))
    assert result.se**2 == pytest.approx(nets[0].se ** 2 + nets[1].se ** 2, rel=0.05)
    assert (result.first, result.second) == nets
    assert (result.n_shared_prompts, result.n_shared_annotators) == (0, 0)


def test_what_is_shared_cancels():
    """The same people with strong habits judge two pairs of checkpoints on the same prompts."""
    rng = np.random.default_rng(2)
    habits, tastes = rng.normal(0, 1.0, 12), rng.normal(0, 1.0, 60)

    def campaign(lean):
        prompt, person = np.divmod(np.arange(720), 12)
        x = lean + habits[person] + tastes[prompt] + rng.standard_normal(720)
        return Votes(np.where(x > 0.2, 0, np.where(x < -0.2, 2, 1)), prompt, person, prompt)

    one, two = campaign(0.4), campaign(0.0)
    apart = Votes(two.outcome, two.prompt + 500, two.annotator + 500, two.item)
    together, separate = compare_nets(one, two), compare_nets(one, apart)
    assert together.value == pytest.approx(separate.value)
    assert together.se < 0.4 * separate.se


def test_interval_covers_the_difference_of_campaigns_by_the_same_people():
    rng, held = np.random.default_rng(4), []
    design = Design(60, 15, 5, 0.4, 0.6)
    for _ in range(300):
        one, two = simulate(design, rng), simulate(design, rng)
        result = compare_nets(one, two)  # people of the same ids but other habits
        held.append(result.low <= 0.0 <= result.high)
    assert np.mean(held) >= 0.92


@settings(max_examples=60, deadline=None, derandomize=True)
@given(any_votes, any_votes)
def test_exchanging_campaigns_or_checkpoints_turns_the_sign(one, two):
    result, turned = compare_nets(one, two), compare_nets(two, one)
    mirror = compare_nets(swapped(one), swapped(two))
    states = {each.state is State.DEFINED for each in (result, turned, mirror)}
    assert len(states) == 1
    assert bool(result.reason) == (result.state is not State.DEFINED)
    for other in (turned, mirror):
        if result.se is not None:
            assert result.value == pytest.approx(-other.value)
            assert (result.low, result.high) == pytest.approx((-other.high, -other.low))
            assert result.p_value == pytest.approx(other.p_value)
            assert -2.0 <= result.low <= result.value <= result.high <= 2.0


def test_one_annotator_is_a_named_state_that_says_where():
    result = compare_nets(study(), grid_votes("A", "B"))
    assert result.state is State.ONE_ANNOTATOR
    assert "second campaign" in result.reason
    assert (result.value, result.se, result.p_value) == (None, None, None)
