"""A judge learns from prompts that the reward never sees."""

import pytest

from models_backend.errors import InputError
from models_backend.preferences.dividing import divide_set, is_for_judge
from models_backend.preferences.prompts import prompt_sha256
from models_backend.preferences.reading import PreferenceSet
from tests.models_backend.preferences import simulated


def test_halves_share_no_prompt_and_lose_no_pair(tmp_path):
    simulated.write(tmp_path / "whole", prompts=40)
    whole = PreferenceSet.open(tmp_path / "whole")
    learn, judge = divide_set(whole, learn=tmp_path / "learn", judge=tmp_path / "judge", share=0.3)
    halves = [PreferenceSet.open(tmp_path / name) for name in ("learn", "judge")]
    prompts = [{pair.prompt for pair in half.pairs} for half in halves]
    assert not prompts[0] & prompts[1]
    assert learn["pairs"] + judge["pairs"] == len(whole.pairs)
    assert learn["rankings"] + judge["rankings"] == len(whole.rankings)
    with pytest.raises(InputError, match="above 0 and below 1"):
        divide_set(whole, learn=tmp_path / "a", judge=tmp_path / "b", share=1.0)
    with pytest.raises(InputError, match="is given for both halves; give two folders"):
        divide_set(whole, learn=tmp_path / "a", judge=tmp_path / "a", share=0.3)
    assert not (tmp_path / "a").exists()
    with pytest.raises(InputError, match="without pairs"):
        divide_set(whole, learn=tmp_path / "a", judge=tmp_path / "b", share=0.0001)


def test_share_is_kept_and_independent_of_the_splits():
    hashes = [prompt_sha256(f"prompt {n}") for n in range(4000)]
    chosen = [is_for_judge(each, 0.25) for each in hashes]
    assert 0.22 < sum(chosen) / 4000 < 0.28
