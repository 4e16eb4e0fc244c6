"""Early against late votes: a planted drift is found, and prompts do not pass for one."""

import numpy as np
import pytest

from evalplatform.stats import State, Votes, order_effect, win_rates


def study(rng, *, drift=0.0, more_ties=0.0, people=16, prompts=40, lean=0.5):
    """Votes in the order cast: everybody begins at a place of their own and judges all prompts.

    Prompts differ much; `drift` moves the chance of A from the first half to the second.
    """
    pull = np.where(np.arange(prompts) < prompts // 2, lean, -lean)
    rows = []
    for person in range(people):
        start = rng.integers(prompts)
        for nth in range(prompts):
            prompt = (start + nth) % prompts
            late = nth >= prompts // 2
            tie = rng.random() < 0.15 + more_ties * late
            for_a = rng.random() < 0.5 + 0.5 * pull[prompt] + drift * (0.5 - late)
            rows.append((nth, 1 if tie else 0 if for_a else 2, prompt, person))
    rows.sort(key=lambda row: row[0])  # all work at once
    _, outcome, prompt, person = np.array(rows).T
    return Votes(outcome, prompt, person, prompt)


def test_planted_drift_is_found():
    effect = order_effect(study(np.random.default_rng(1), drift=0.3, more_ties=0.25, people=40))
    assert effect.net.p_value < 0.001
    # 2 x drift, of the votes that are no tie
    assert effect.net.low < 0.44 < effect.net.high
    assert effect.net.value == effect.net.first.value - effect.net.second.value
    assert effect.ties_second.low > effect.ties_first.high


def test_no_drift_is_seldom_taken_for_one():
    rng = np.random.default_rng(2)
    found = [order_effect(study(rng)).net for _ in range(200)]
    assert np.mean([each.p_value <= 0.05 for each in found]) < 0.1
    assert np.mean([each.low < 0 < each.high for each in found]) > 0.9


def test_halves_are_of_each_annotators_own_votes():
    """Ana's five votes and Ben's two come mixed; her middle one is in no half."""
    annotator = [1, 2, 1, 1, 2, 1, 1]
    outcome = [0, 2, 0, 1, 0, 2, 2]
    votes = Votes(outcome, range(7), annotator, range(7))
    effect = order_effect(votes)
    first, second = (votes.where(np.isin(np.arange(7), rows)) for rows in ([0, 1, 2], [4, 5, 6]))
    assert effect.net.first == win_rates(first).net
    assert effect.net.second == win_rates(second).net
    assert (effect.ties_first.value, effect.ties_second.value) == (0.0, 0.0)
    assert effect.n_left_out == 1


def test_nothing_to_compare_is_said():
    assert order_effect(Votes([0, 2], [1, 2], [1, 2], [1, 2])) is None
    alone = order_effect(Votes([0, 2], [1, 2], [1, 1], [1, 2]))
    assert alone.net.value is None
    assert alone.net.state is not State.DEFINED
    assert alone.net.reason.startswith("In the first half: ")


@pytest.mark.parametrize("n", [2, 3])
def test_exchanging_the_arms_turns_the_difference(n):
    votes = study(np.random.default_rng(n), people=n, prompts=12)
    exchanged = Votes(2 - votes.outcome, votes.prompt, votes.annotator, votes.item)
    one, other = order_effect(votes).net, order_effect(exchanged).net
    assert one.value == pytest.approx(-other.value)
    assert one.p_value == pytest.approx(other.p_value)
