"""Looking after every prompt: the confidence sequence holds, the ordinary interval does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalplatform.stats import (
    ColumnTypeError,
    LengthMismatchError,
    State,
    UnknownOptionError,
    Votes,
    completed_prompt_means,
    confidence_sequence,
    early_look,
    win_rates,
)

from .crossed_votes import Design, simulate

PROMPTS, STREAMS = 300, 400
means = st.lists(st.integers(-5, 5).map(lambda n: n / 5), min_size=1, max_size=60)


def null_means(rng, prompts=PROMPTS):
    """Nets of prompts with five votes; the taste of each prompt is its own, the mean 0."""
    chance = 0.5 + 0.3 * rng.uniform(-1, 1, prompts)
    return (2 * rng.binomial(5, chance) - 5) / 5


def ordinary_rejects(x):
    """Whether the 95 % interval of the mean excludes 0 after some prompt from the tenth on."""
    t = np.arange(1, len(x) + 1)
    mean = np.cumsum(x) / t
    variance = (np.cumsum(x**2) - t * mean**2) / np.maximum(t - 1, 1)
    outside = mean**2 > 1.96**2 * variance / t
    return bool(outside[9:].any())


def leaves_zero(sequence):
    return bool((sequence.lows > 0).any() or (sequence.highs < 0).any())


def test_peeking_after_each_prompt_keeps_the_error_where_the_ordinary_interval_does_not():
    rng = np.random.default_rng(1)
    ours, ordinary = [], []
    for _ in range(STREAMS):
        x = null_means(rng)
        ours.append(leaves_zero(confidence_sequence(x)))
        ordinary.append(ordinary_rejects(x))
    assert np.mean(ours) <= 0.05
    assert np.mean(ordinary) > 0.3


def test_truth_stays_inside_at_all_times_for_other_levels_and_skewed_values():
    rng, held = np.random.default_rng(2), []
    for _ in range(200):
        x = rng.choice([-1.0, 0.8, 1.0], p=[0.1, 0.3, 0.6], size=150)
        found = confidence_sequence(x, 0.8)
        held.append(bool(((found.lows <= 0.74) & (found.highs >= 0.74)).all()))
    assert np.mean(held) >= 0.8


def test_real_preference_is_found_and_the_bounds_close_in():
    x = null_means(np.random.default_rng(3), 4000) * 0.7 + 0.2
    found = confidence_sequence(x)
    assert found.decided
    assert found.low > 0.0
    assert found.highs[-1] - found.lows[-1] < 0.3 * (found.highs[200] - found.lows[200])
    once = 2 * 1.96 * x.std() / np.sqrt(len(x))
    assert once < found.high - found.low < 2.2 * once


def capital_by_hand(x, m, alpha):
    """Log capital of both bets against m after each value, in plain loops."""
    up = down = 0.0
    total, squares, before = 0.5, 0.25, 0.25
    path = []
    for t, value in enumerate(x, start=1):
        bet = np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log(1 + t)))
        up += np.log(1 + min(bet, 0.5 / m) * (value - m))
        down += np.log(1 - min(bet, 0.5 / (1 - m)) * (value - m))
        total += value
        squares += (value - total / (t + 1)) ** 2
        before = squares / (t + 1)
        path.append(max(up, down) - np.log(2))
    return path


@pytest.mark.parametrize("net", [-0.6, -0.1, 0.0, 0.3, 0.8])
def test_a_mean_is_left_out_when_its_capital_reaches_the_limit(net):
    x = null_means(np.random.default_rng(4), 600)
    path = np.maximum.accumulate(capital_by_hand((x + 1) / 2, (net + 1) / 2, 0.05))
    found = confidence_sequence(x)
    inside = (found.lows <= net) & (net <= found.highs)
    # Bounds are rounded outward by at most two steps of 0.001.
    near = (np.abs(found.lows - net) < 0.0025) | (np.abs(found.highs - net) < 0.0025)
    assert (inside == (path < np.log(20)))[~near].all()
    assert (~near).sum() > 500


@settings(max_examples=60, deadline=None, derandomize=True)
@given(means)
def test_bounds_narrow_turn_with_the_sign_and_do_not_look_ahead(x):
    found, mirror = confidence_sequence(x), confidence_sequence([-each for each in x])
    assert found.state is mirror.state is State.DEFINED
    assert found.lows == pytest.approx(-mirror.highs, abs=1e-9)
    assert (np.diff(found.lows) >= 0).all()
    assert (np.diff(found.highs) <= 0).all()
    assert -1.0 <= found.low <= found.high <= 1.0
    half = confidence_sequence(x[: len(x) // 2 + 1])
    assert half.lows == pytest.approx(found.lows[: len(half.lows)])


def test_blocks_do_not_show(monkeypatch):
    from evalplatform.stats.pairs import sequential

    x = null_means(np.random.default_rng(5), 700)
    whole = confidence_sequence(x)
    monkeypatch.setattr(sequential, "_BLOCK", 7)
    assert confidence_sequence(x).lows == pytest.approx(whole.lows)


def test_no_prompt_yet_is_a_named_state():
    found = confidence_sequence([])
    assert (found.value, found.low, found.high, found.decided) == (None, None, None, False)
    assert found.state is State.NO_ANSWERS
    assert found.reason


def test_prompts_in_an_order_that_is_not_random_are_found_out():
    found = confidence_sequence([1.0] * 500 + [-1.0] * 5000)
    assert found.state is State.UNSTABLE
    assert "order was not random" in found.reason
    assert (found.low, found.high, found.decided) == (None, None, False)


def test_prompts_come_in_the_order_they_were_completed():
    votes = simulate(Design(30, 12, 5, 0.5, 0.3), np.random.default_rng(6))
    order = np.random.default_rng(7).permutation(len(votes))
    votes = Votes(
        votes.outcome[order], votes.prompt[order], votes.annotator[order], votes.item[order]
    )
    first = votes.where(np.arange(len(votes)) < 100)
    found = completed_prompt_means(first, 5)
    by_hand = []
    for row in range(100):
        mine = first.outcome[: row + 1][first.prompt[: row + 1] == first.prompt[row]]
        if len(mine) == 5:
            by_hand.append(float(np.mean(1.0 - mine)))
    assert found.tolist() == pytest.approx(by_hand)
    assert 0 < len(found) < 30
    everything = completed_prompt_means(votes, 5)
    assert everything.mean() == pytest.approx(win_rates(votes, estimand="prompts").net.value)


def test_what_means_nothing_is_refused():
    with pytest.raises(ColumnTypeError, match=r"prompt_means\[1\] is 1.5"):
        confidence_sequence([0.0, 1.5])
    with pytest.raises(ColumnTypeError, match="nan"):
        confidence_sequence([float("nan")])
    with pytest.raises(ColumnTypeError, match="dimensions"):
        confidence_sequence([[0.0]])
    with pytest.raises(UnknownOptionError, match="level"):
        confidence_sequence([0.0], 0.0)
    with pytest.raises(UnknownOptionError, match="votes_per_prompt"):
        completed_prompt_means(simulate(Design(5, 5, 2, 0, 0), np.random.default_rng(0)), 0)


def test_wanted_votes_are_one_a_prompt_or_one_for_each_vote():
    votes = simulate(Design(6, 5, 2, 0, 0), np.random.default_rng(0))
    assert completed_prompt_means(votes, np.full(len(votes), 2)).tolist() == (
        completed_prompt_means(votes, 2).tolist()
    )
    more = np.where(votes.prompt == votes.prompt[0], 3, 2)
    assert len(completed_prompt_means(votes, more)) == 5
    with pytest.raises(LengthMismatchError, match="votes_per_prompt"):
        completed_prompt_means(votes, [2, 2])
    with pytest.raises(UnknownOptionError, match="votes_per_prompt is 0"):
        completed_prompt_means(votes, more - 2)


def first_claim(votes, every=30):
    """The number of prompts at the first look that claims a preference, or None."""
    for prompts in range(every, votes.n_prompts + 1, every):
        if early_look(votes.where(votes.prompt < prompts), 5).is_claim:
            return prompts
    return None


@pytest.mark.parametrize("people", [12, 40])
def test_people_without_a_preference_are_hardly_ever_said_to_have_one(people):
    """Their bounds leave 0 in a good part of campaigns: these annotators do have habits."""
    design = Design(180, people, 5, prompt_sd=0.45, annotator_sd=0.8, lean=0.0)
    rng, claimed, decided = np.random.default_rng(2), 0, 0
    for _ in range(60):
        votes = simulate(design, rng)
        claimed += first_claim(votes) is not None
        decided += early_look(votes, 5).sequence.decided
    assert decided / 60 > 0.15
    assert claimed / 60 <= 0.05


def test_clear_preference_is_claimed_early():
    design = Design(180, 30, 5, prompt_sd=0.45, annotator_sd=0.4, lean=0.6)
    assert first_claim(simulate(design, np.random.default_rng(3))) <= 90


def test_few_people_claim_nothing_of_others_and_the_look_says_so():
    votes = simulate(Design(100, 5, 5, 0.3, 0.3, lean=1.0), np.random.default_rng(3))
    look = early_look(votes, 5)
    assert look.sequence.decided
    assert not look.is_claim
    assert look.reason == "5 people judged so far; to claim it of others 10 are needed"


def test_look_before_the_first_complete_prompt_says_that_there_is_none():
    look = early_look(simulate(Design(10, 5, 2, 0.3, 0.3), np.random.default_rng(3)), 5)
    assert (look.net, look.is_claim) == (None, False)
    assert look.reason == "No prompt has all its votes yet."
