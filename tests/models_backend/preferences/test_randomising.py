"""A control of a set: the same pairs and prompts, and nothing to learn from them."""

import pytest

from models_backend.errors import InputError
from models_backend.preferences.__main__ import main
from models_backend.preferences.randomising import randomise_set
from models_backend.preferences.reading import PreferenceSet
from tests.models_backend.preferences import simulated


def test_pairs_stay_and_their_votes_follow_a_random_reward(tmp_path):
    simulated.write(tmp_path / "whole", prompts=40, noise=0.0)
    whole = PreferenceSet.open(tmp_path / "whole")
    assert main(["randomise", str(whole.folder), "--out", str(tmp_path / "random")]) == 0
    made = PreferenceSet.open(tmp_path / "random")
    assert made.mark["simulated"]
    assert made.rankings == []
    shown = {(pair.sha256, frozenset(pair.images)) for pair in whole.pairs}
    assert {(pair.sha256, frozenset(pair.images)) for pair in made.pairs} == shown
    truth = {(p.sha256, p.images): p.label for p in whole.pairs if p.label != 0.5}
    right = [pair.label == truth[pair.sha256, pair.images] for pair in made.pairs
             if (pair.sha256, pair.images) in truth]  # fmt: skip
    assert 0.4 < sum(right) / len(right) < 0.6
    # Of a reward: everybody says the same, and nobody goes round in circles.
    assert made.mark["cycles"] == 0
    assert all(pair.ties == 0 and 0 in pair.votes for pair in made.pairs)
    with pytest.raises(InputError, match="finished preference set"):
        randomise_set(whole, tmp_path / "random")
