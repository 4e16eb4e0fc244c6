"""Newcomers join a whole set: people's votes stay, places come from the reward, people verify."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models_backend.errors import InputError
from models_backend.preferences.reading import PreferenceSet
from models_backend.rewards.expanding import expand_set, people_order, read_newcomers
from models_backend.rewards.features import FixedFeatures
from models_backend.rewards.model import Calibration, RewardModel
from models_backend.rewards.network import RewardNetwork
from models_backend.rewards.verifying import peoples_agreement, read_placements
from tests.models_backend.preferences import simulated


class _Colourful(RewardModel):
    """Knows the true utility of the drawings: how far apart their channels are."""

    def scores(self, pictures, prompts, names=()):
        return pictures.float().mean((2, 3)).std(1, keepdim=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A set of people without noise, the reward that knows it, and one newcomer a prompt."""
    folder = tmp_path_factory.mktemp("expanding")
    simulated.write(folder / "people", prompts=12, noise=0.0)
    network = RewardNetwork(FixedFeatures(16), 1, hidden=0, dropout=0.0)
    reward = _Colourful(
        network, ("appeal",), Calibration((0.0,), (1.0,), (1.0,), 1), {"weights_sha256": "x"}
    )
    rng = np.random.default_rng(5)
    lines = []
    for number in range(12):
        # The first is better than all, the second worse: places IterComp's loop never compares.
        utility = {0: 1.4, 1: -0.0}.get(number, rng.random())
        (folder / f"{number}.png").write_bytes(simulated.picture(rng, utility))
        told = {"prompt": f"a drawing of thing {number}", "model": "child", "file": f"{number}.png"}
        lines.append(json.dumps(told))
    (folder / "new.jsonl").write_text("\n".join(lines))
    found = PreferenceSet.open(folder / "people")
    newcomers = read_newcomers(folder / "new.jsonl")
    mark = expand_set(found, [reward], newcomers, folder / "expanded")
    return folder, found, reward, newcomers, mark


def test_peoples_votes_stay_and_inserted_pairs_say_so(world):
    folder, found, _, newcomers, mark = world
    assert mark["sources"] == {"inserted": 12 * 4, "simulated": len(found.pairs)}
    grown = PreferenceSet.open(folder / "expanded")
    inserted = [pair for pair in grown.pairs if pair.source == "inserted"]
    assert all("child" in pair.models for pair in inserted)
    # The reward knows the truth, so what it says of a pair is more likely than not.
    believed = [pair.weight for pair in inserted]
    assert max(believed) <= 1
    assert np.mean(believed) > 0.5
    assert len(newcomers) == 12


def test_places_agree_with_people_who_see_the_same(world):
    folder, found, _, _, _ = world
    placements = read_placements(folder / "expanded-placements.jsonl")
    assert len(placements[0].better_than) == 4
    assert placements[0].worse_than == ()
    # People who rank the newcomer by the same utility, asked of three prompts.
    people = PreferenceSet.open(folder / "expanded")
    asked = [each for each in people.pairs if each.source == "inserted"][:12]
    votes = [
        type(each)(**{
            name: getattr(each, name) for name in ("prompt", "aspect", "images", "models", "votes")
        })
        for each in asked
    ]  # fmt: skip
    as_people = PreferenceSet(people.folder, people.mark, votes, [1.0] * len(votes))
    reached = peoples_agreement(placements, as_people)
    assert (reached.agreed, reached.compared) == (12, 12)
    turned = [
        type(each)(**{
            **{name: getattr(each, name) for name in ("prompt", "aspect", "images", "models")},
            "votes": each.votes[::-1],
        })
        for each in asked
    ]  # fmt: skip
    other = PreferenceSet(people.folder, people.mark, turned, [1.0] * len(turned))
    assert peoples_agreement(placements, other).agreed == 0
    with pytest.raises(InputError, match="decided no pair"):
        peoples_agreement(placements, found)
    # Other images of the newcomer's model say nothing of where the placed ones belong.
    strangers = [replace(each, images=("f" * 64, each.images[1])) for each in votes]
    another = PreferenceSet(people.folder, people.mark, strangers, [1.0] * len(strangers))
    with pytest.raises(InputError, match="decided no pair"):
        peoples_agreement(placements, another)


def test_order_of_several_people_is_by_net_wins(world):
    _, found, _, _, _ = world
    votes = [pair for pair in found.pairs if pair.prompt == "a drawing of thing 3"]
    order = people_order(votes)
    assert sum(map(len, order)) == 4
    flat = [uid for tier in order for uid in tier]
    for pair in votes:
        if pair.label == 1 and len(order) == 4:
            assert flat.index(pair.images[0]) < flat.index(pair.images[1])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "give an object"),
        ('{"prompt": "p", "model": "m", "file": "../new.jsonl"}', "outside"),
        ('{"prompt": "p", "model": "m", "file": "none.png"}', "missing"),
        ("", "names no image"),
    ],
)
def test_bad_lists_of_newcomers_are_refused(tmp_path, line, said):
    (tmp_path / "new.jsonl").write_text(line)
    with pytest.raises(InputError, match=said):
        read_newcomers(tmp_path / "new.jsonl")


def test_strange_prompts_aspects_and_ranked_images_are_refused(world, tmp_path):
    _, found, reward, newcomers, _ = world
    strange = type(newcomers[0])("nobody ranked this", "child", newcomers[0].file)
    with pytest.raises(InputError, match="nobody ranked"):
        expand_set(found, [reward], [strange], tmp_path / "a")
    with pytest.raises(InputError, match="no reward knows appeal"):
        expand_set(found, [], newcomers, tmp_path / "b")
    known = next(pair for pair in found.pairs if pair.prompt == newcomers[0].prompt)
    file = tmp_path / "again.png"
    file.write_bytes(found.images.bytes_of(known.images[0]))
    again = type(newcomers[0])(known.prompt, "child", file)
    with pytest.raises(InputError, match="ranked this image already"):
        expand_set(found, [reward], [again], tmp_path / "c")


def test_placements_that_are_not_there_are_told(tmp_path):
    with pytest.raises(InputError, match=r"no.jsonl cannot be read .*give OUT-placements.jsonl"):
        read_placements(tmp_path / "no.jsonl")
