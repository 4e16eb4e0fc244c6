"""What a rehearsed loop says: each figure beside its measure, and NO where it is not reached."""

import pytest
from django.core.management import CommandError, call_command

from evalplatform.demo.loop_report import TrueGain, reward_lines
from evalplatform.feedback.models import RegisteredReward


def test_gain_is_counted_prompt_by_prompt():
    gain = TrueGain.of([0.2] * 35 + [-0.1] * 5)
    assert (gain.better, gain.worse) == (35, 5)
    assert gain.mean == pytest.approx((35 * 0.2 - 5 * 0.1) / 40)
    assert gain.p_value == pytest.approx(1.38e-6, rel=0.01)
    assert gain.is_sure
    turned = TrueGain.of([-0.2] * 35 + [0.1] * 5)
    assert turned.p_value == gain.p_value
    assert not turned.is_sure, "surely worse is not better"
    assert not TrueGain.of([0.1, -0.1, 0.1]).is_sure
    same = TrueGain.of([0.0, 0.0])
    assert (same.p_value, same.is_sure) == (None, False)


@pytest.mark.parametrize(
    ("accuracy", "low", "same", "said"),
    [
        (0.70, 0.62, 0.70, "yes"),
        (0.70, 0.49, 0.70, "NO"),  # chance is in the interval
        (0.62, 0.55, 0.62, "NO"),  # below nine tenths of one person
    ],
)
def test_reward_is_held_against_one_person_and_chance(accuracy, low, same, said):
    told = {
        "accuracy": {"mean": accuracy, "low": low, "high": 0.8, "n": 60},
        "one_person": {"mean": 0.75, "low": 0.7, "high": 0.8, "n": 60},
        "reward_on_the_same": {"mean": same, "low": low, "high": 0.8, "n": 60},
    }
    reward = RegisteredReward(
        name="learn-1", evaluation={"report": {"aspects": {"visual_appeal": told}}}
    )
    *_, line = reward_lines([reward])
    assert line.split()[-1] == said
    assert "0.750" in line
    *_, missing = reward_lines([RegisteredReward(name="x", evaluation={"missing": "no pair"})])
    assert missing.endswith("not measured: no pair")


@pytest.mark.parametrize(
    ("option", "said"),
    [({"port": 0}, "1 to 65535"), ({"over_steps": 30}, "multiples of 4")],
)
def test_bad_options_are_refused_before_anything_starts(option, said):
    with pytest.raises(CommandError, match=said):
        call_command("demo_feedback", **option)
