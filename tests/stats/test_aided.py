"""People + reward: against the published formulas, a plain loop, and simulated studies."""

import numpy as np
import pytest

from evalplatform.stats import RowsError, State, UnknownOptionError, Votes, aided_rates, win_rates
from evalplatform.stats.votes.errors import ColumnTypeError

from .aided_studies import AIDED_DESIGNS, GOOD, PEOPLE, AidedDesign
from .bench.aided import measure
from .crossed_votes import swapped

SHARES = ("win", "tie", "lose", "net", "half")
Y = {"win": (1.0, 0.0, 0.0), "tie": (0.0, 1.0, 0.0), "lose": (0.0, 0.0, 1.0), "net": (1, 0, -1)}


@pytest.fixture(scope="module")
def study():
    return AidedDesign(PEOPLE, 300, quality=0.8).simulate(np.random.default_rng(5))


def told(votes, reward, **options):
    return aided_rates(votes, prompt=np.arange(len(reward)), predicted=reward, **options)


def independent(n, rest, rng):
    """One vote a prompt, each of somebody else: what prediction-powered inference is about."""
    f = rng.uniform(-1.0, 1.0, n + rest)
    y = np.where(rng.random(n) < (1.0 + 0.8 * f[:n]) / 2.0, 1.0, -1.0)
    one = np.arange(n)
    return Votes(np.where(y > 0, 0, 2), one, one, one), y, f


@pytest.mark.parametrize("tuning", [0.0, 0.5, 1.0])
def test_independent_votes_give_the_published_estimate_and_variance(tuning):
    votes, y, f = independent(800, 2000, np.random.default_rng(2))
    found = told(votes, f, tuning=tuning).net.estimate
    assert found.value == pytest.approx(np.mean(y - tuning * f[:800]) + tuning * f[800:].mean())
    variance = np.var(y - tuning * f[:800]) / 800 + tuning**2 * np.var(f[800:]) / 2000
    assert found.se == pytest.approx(np.sqrt(variance), rel=0.01)
    assert found.low < found.value < found.high


def test_tuned_lambda_is_the_published_one_but_for_the_prompt_left_out():
    votes, y, f = independent(800, 2000, np.random.default_rng(2))
    published = np.cov(y, f[:800])[0, 1] / ((1.0 + 800 / 2000) * np.var(f))
    assert told(votes, f).net.tuning == pytest.approx(published, rel=0.03)


def test_lambda_of_a_prompt_is_that_of_all_others_alone(study):
    votes, reward = study
    kept = votes.where(votes.prompt < 40)
    reward = reward[: 40 + 300]
    rest = reward[40:]
    mean, n = 0.0, len(kept)
    for one in range(40):
        others = kept.where(kept.prompt != one)
        y, f = 1.0 - others.outcome, reward[others.prompt]
        sy = np.bincount(others.prompt, y - y.mean(), 40)
        sf = np.bincount(others.prompt, f - f.mean(), 40)
        tuning = sy @ sf / (sf @ sf + len(others) ** 2 * rest.var(ddof=1) / len(rest))
        own = kept.where(kept.prompt == one)
        mean += np.sum(1.0 - own.outcome - tuning * (reward[one] - rest.mean())) / n
    ids = np.r_[np.arange(40), 1000 + np.arange(300)]
    found = aided_rates(kept, prompt=ids, predicted=reward)
    assert found.net.estimate.value == pytest.approx(mean, abs=1e-12)


def test_without_any_of_the_reward_it_is_the_votes_own_result(study):
    votes, reward = study
    rates, found = win_rates(votes), told(votes, reward, tuning=0.0)
    for share in SHARES:
        own, aided = getattr(rates, share), getattr(found, share)
        assert aided.alone == own
        for part in ("value", "low", "high", "se", "se_null", "df", "n_effective"):
            expected = getattr(own, part)
            expected = expected if expected is None else pytest.approx(expected, rel=1e-12)
            assert getattr(aided.estimate, part) == expected


def test_neither_names_nor_order_nor_scale_of_the_reward_matter(study):
    votes, reward = study
    first = told(votes, reward).net.estimate
    rng = np.random.default_rng(1)
    name, order = rng.permutation(5000)[: len(reward)], rng.permutation(len(votes))
    moved = Votes(*(
        column[order]
        for column in (votes.outcome, name[votes.prompt], votes.annotator, name[votes.item])
    ))  # fmt: skip
    second = aided_rates(moved, prompt=name, predicted=7.0 - 0.01 * reward).net.estimate
    for part in ("value", "low", "high", "se", "df"):
        assert getattr(second, part) == pytest.approx(getattr(first, part), abs=1e-9)


def test_arms_swapped_give_the_mirror_image_and_shares_add_up(study):
    votes, reward = study
    one, other = told(votes, reward), told(swapped(votes), -reward)
    assert other.win.estimate.value == pytest.approx(one.lose.estimate.value)
    assert other.net.estimate.low == pytest.approx(-one.net.estimate.high)
    assert sum(getattr(one, share).estimate.value for share in Y if share != "net") == (
        pytest.approx(1.0)
    )
    assert one.half.estimate.low == pytest.approx((1.0 + one.net.estimate.low) / 2.0)


@pytest.mark.parametrize("name", ["good reward", "useless reward", "biased reward"])
def test_the_interval_holds_whatever_the_reward_is(name):
    held, aided, alone = measure(AIDED_DESIGNS[name], 150)
    assert all(0.90 <= held[share] <= 1.0 for share in ("win", "net", "half"))
    if name == "good reward":
        assert aided < 0.85 * alone
    else:
        assert aided < 1.03 * alone


def test_a_reward_that_knows_the_votes_is_why_leaks_are_refused():
    """It follows the luck of the votes it has seen, and of no others: far from the truth."""
    rng, truth, held = np.random.default_rng(3), GOOD.people.true_shares()["net"], []
    for _ in range(60):
        votes, reward = AidedDesign(PEOPLE, 1500, quality=0.0, bias=-0.5).simulate(rng)
        seen = np.bincount(votes.prompt, 1.0 - votes.outcome) / 3
        found = told(votes, np.r_[seen, reward[PEOPLE.prompts :] * seen.std()]).net.estimate
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) < 0.6


def test_a_prompt_part_that_was_not_drawn_by_chance_is_told(study):
    votes, reward = study
    assert abs(told(votes, reward).apart) < 3.0
    reward = reward.copy()
    reward[: PEOPLE.prompts] += 1.0
    assert told(votes, reward).apart > 5.0


def test_where_nothing_can_be_made_of_a_reward_a_reason_stands(study):
    votes, reward = study
    every = told(votes, reward[: PEOPLE.prompts])
    assert (every.state, every.net.estimate.value) == (State.NOTHING_TO_ADD, None)
    assert every.net.alone == win_rates(votes).net
    few = told(votes, reward[: PEOPLE.prompts + 9])
    assert few.state is State.FEW_PROMPTS
    assert "9 have none" in few.reason
    assert told(votes, np.r_[np.zeros(PEOPLE.prompts), reward]).state is State.NO_VARIATION
    alone = Votes(votes.outcome, votes.prompt, np.zeros(len(votes), dtype=int), votes.item)
    assert told(alone, reward).state is State.ONE_ANNOTATOR
    assert every.as_dict()["state"] == "nothing_to_add"
    assert told(votes, reward).as_dict()["net"]["votes_worth"] > 1.1


def test_what_means_nothing_is_refused(study):
    votes, reward = study
    with pytest.raises(RowsError, match="prompt is there twice"):
        aided_rates(votes, prompt=[0, 0], predicted=[0.1, 0.2])
    with pytest.raises(RowsError, match="on prompts of which nothing is predicted"):
        aided_rates(votes, prompt=[0, 1], predicted=[0.1, 0.2])
    with pytest.raises(RowsError, match="not finite"):
        told(votes, np.where(np.arange(len(reward)) == 3, np.nan, reward))
    with pytest.raises(ColumnTypeError, match="column of numbers"):
        told(votes, np.array(["a"] * len(reward)))
    with pytest.raises(UnknownOptionError, match="tuning is inf"):
        told(votes, reward, tuning=np.inf)


def test_a_hundred_thousand_prompts_are_each_left_out_without_a_loop():
    rng = np.random.default_rng(0)
    prompt = np.arange(100_000)
    votes = Votes(rng.integers(0, 3, len(prompt)), prompt, prompt % 50, prompt)
    found = told(votes, rng.standard_normal(200_000))
    assert abs(found.net.tuning) < 0.02
