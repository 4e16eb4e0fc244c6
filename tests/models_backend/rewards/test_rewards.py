"""Reward models: fitted, calibrated, saved, loaded, held against one person, and refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models_backend import train
from models_backend.errors import CheckpointError, InputError
from models_backend.measures.two_way import two_way_interval
from models_backend.preferences.reading import PreferenceSet, read_mark
from models_backend.preferences.records import PreferencePair
from models_backend.preferences.writing import PAIRS, RANKINGS
from models_backend.recipes.configs import read_config
from models_backend.rewards.__main__ import main
from models_backend.rewards.evaluation import calibration_error, evaluate, one_person
from models_backend.rewards.fitting import fit_linear, fit_temperature
from models_backend.rewards.model import RewardModel
from models_backend.training import run_folder
from tests.models_backend.preferences import simulated
from tests.models_backend.tiny_encoders import clip_tokenizer

LINEAR = 'recipe = "reward"\nname = "linear"\nimage_size = 16\n'


@pytest.fixture(scope="module")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write(tmp_path_factory.mktemp("prefs") / "set", prompts=120)


def trained(tmp: Path, data: Path, text: str, *sets: str) -> Path:
    config = tmp / "reward.toml"
    config.write_text(text)
    given = [each for s in sets for each in ("--set", s)]
    assert train.main([str(config), "--data", str(data), "--out", str(tmp / "run"), *given]) == 0
    return tmp / "run" / "reward"


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory, preferences: Path) -> Path:
    return trained(tmp_path_factory.mktemp("linear"), preferences, LINEAR)


def test_a_changed_preference_set_is_another_run(preferences, tmp_path, capsys):
    config = tmp_path / "reward.toml"
    config.write_text(LINEAR)
    files = {PAIRS: "of other pairs", RANKINGS: "of other rankings"}
    files = read_mark(preferences)["files"] | files
    identity = {"config": asdict(read_config(config, [])), "preferences": files}
    out = tmp_path / "run"
    out.mkdir()
    run_folder.claim(out, identity, fresh=False)
    assert train.main([str(config), "--data", str(preferences), "--out", str(out)]) == 2
    line, _ = capsys.readouterr().err.splitlines()
    assert f"other settings (preferences.{PAIRS}, preferences.{RANKINGS})" in line


def test_linear_head_is_scikit_learns_logistic_regression():
    """C2: the optimum is the same to 1e-4, with ties as half a vote each way."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    x = rng.standard_normal((300, 7)) @ np.diag([3, 1, 1, 0.3, 1, 1, 2])
    share = rng.choice([0.0, 0.5, 1.0, 0.25], 300)
    weight = rng.random(300) + 0.1
    ours = fit_linear(*(torch.tensor(a) for a in (x, share, weight)), l2=2.0)
    theirs = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10, max_iter=1000).fit(
        np.concatenate([x, x]), np.repeat([1, 0], 300),
        sample_weight=np.concatenate([weight * share, weight * (1 - share)]),
    )  # fmt: skip
    assert ours.numpy() == pytest.approx(theirs.coef_[0], abs=1e-4)


def test_temperature_is_that_of_the_votes():
    rng = np.random.default_rng(2)
    true = rng.standard_normal(4000)
    votes = (rng.random(4000) < 1 / (1 + np.exp(-true))).astype(float)
    found = fit_temperature(*(torch.tensor(a) for a in (3 * true, votes, np.ones(4000))))
    assert found == pytest.approx(3.0, rel=0.1)
    assert fit_temperature(torch.zeros(0), torch.zeros(0), torch.zeros(0)) == 1.0


def test_reward_reaches_nine_tenths_of_one_person_on_prompts_it_never_saw(linear, preferences):
    """C3 on drawings of known utility."""
    report = evaluate(RewardModel.load(linear), PreferenceSet.open(preferences))
    found = report["aspects"]["appeal"]
    assert report["simulated"] is True
    assert found["reward_on_the_same"]["mean"] >= 0.9 * found["one_person"]["mean"]
    assert 0.5 < found["accuracy"]["low"] < found["accuracy"]["high"] <= 1
    assert found["accuracy"]["mean"] > found["baselines"]["brightness"]["mean"] + 0.1
    assert found["by_margin"]["0.67-1.00"]["mean"] > found["accuracy"]["mean"]
    assert found["calibration_error"] < 0.2


def test_reward_comes_back_with_calibration_lineage_and_card(linear, preferences):
    reward = RewardModel.load(linear)
    told = json.loads((linear / "reward.json").read_text())
    assert told["data"]["preferences_sha256"] == PreferenceSet.open(preferences).sha256
    assert "SIMULATED" in (linear / "README.md").read_text()
    found = PreferenceSet.open(preferences)
    from models_backend.rewards.data import ShownImages

    shown = ShownImages.of(found, [p for p, _ in found.of("train")], 16)
    rewards = reward.calibrated(reward.scores(shown.pictures, shown.prompts))
    assert float(rewards.mean()) == pytest.approx(0.0, abs=0.05)
    assert float(rewards.std()) == pytest.approx(1.0, abs=0.05)


def test_gradient_reaches_the_pixels(linear):
    reward = RewardModel.load(linear)
    images = torch.rand(2, 3, 24, 24, requires_grad=True)
    reward.raw(images, ["a cat", "a dog"]).sum().backward()
    assert float(images.grad.abs().sum()) > 0


def test_table_and_json_come_from_the_command(linear, preferences, tmp_path, capsys):
    given = [
        "evaluate",
        str(linear),
        "--data",
        str(preferences),
        "--json",
        str(tmp_path / "r.json"),
    ]
    assert main(given) == 0
    out = capsys.readouterr().out
    assert "one person" in out
    assert "baseline: file size" in out
    assert json.loads((tmp_path / "r.json").read_text())["split"] == "test"


def test_changed_or_uncalibrated_reward_is_refused(linear, tmp_path):
    for name in ("model.safetensors", "reward.json"):
        (tmp_path / name).write_bytes((linear / name).read_bytes())
    RewardModel.load(tmp_path)
    told = json.loads((tmp_path / "reward.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="was changed"):
        RewardModel.load(tmp_path)
    (tmp_path / "reward.json").write_text(json.dumps(told | {"calibration": None}))
    with pytest.raises(CheckpointError, match="no calibration"):
        RewardModel.load(tmp_path)


def test_reward_that_is_not_finite_names_its_images(linear):
    reward = RewardModel.load(linear)
    reward.network.head.weight.data.fill_(float("nan"))
    pictures = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"not finite \(one\.png"):
        reward.scores(pictures, ["a", "b"], ["one.png", "two.png"])


def test_equal_features_and_few_pairs_are_refused(tmp_path, capsys):
    few = simulated.write(tmp_path / "few", prompts=4, people=1)
    config = tmp_path / "reward.toml"
    config.write_text(LINEAR)
    assert train.main([str(config), "--data", str(few), "--out", str(tmp_path / "run")]) == 2
    assert "at least 30 are needed" in capsys.readouterr().err


NETWORK = """recipe = "reward"
name = "network"
features = "{features}"
image_size = 16
hidden = 8
reads_prompt = {reads}
patience = 2
[training]
steps = 40
batch_size = 8
save_every = 5
learning_rate = 0.01
warmup_steps = 1
ema_decay = 0.0
"""


def test_network_with_prompts_and_two_aspects_stops_by_validation(tmp_path):
    data = simulated.write(tmp_path / "two", prompts=50, people=1, aspects=("appeal", "fit"))
    folder = trained(tmp_path, data, NETWORK.format(features="fixed", reads="true"))
    reward = RewardModel.load(folder)
    assert reward.aspects == ("appeal", "fit")
    states = json.loads((tmp_path / "run" / "validation.json").read_text())["states"]
    losses = [each["loss"] for each in states]
    assert len(states) < 8 or np.argmin(losses) >= 5
    assert len(losses) - 1 - np.argmin(losses) <= 2
    pictures = torch.randint(0, 255, (1, 3, 16, 16), dtype=torch.uint8).repeat(2, 1, 1, 1)
    one, two = reward.scores(pictures, ["a boat", "a whale at night"])
    assert not torch.equal(one, two)


def write_backbone(kind: str, folder: Path) -> Path:
    """Write a tiny network with random weights, as transformers saves it."""
    import transformers as t

    torch.manual_seed(0)
    sides = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
             "num_attention_heads": 2}  # fmt: skip
    vision = sides | {"image_size": 16, "patch_size": 8}
    text = sides | {"vocab_size": 600, "max_position_embeddings": 12}
    if kind == "dinov2":
        config = t.Dinov2Config(**vision)
        network = t.Dinov2Model(config)
    else:
        name = {"clip": "CLIP", "siglip": "Siglip", "blip": "Blip"}[kind]
        config = getattr(t, f"{name}Config")(
            text_config=text | ({"encoder_hidden_size": 16} if kind == "blip" else {}),
            vision_config=vision, **({} if kind == "siglip" else {"projection_dim": 8}),
        )  # fmt: skip
        network = getattr(t, f"{name}Model")(config)
        folder.mkdir()
        clip_tokenizer(folder).save_pretrained(folder)
    network.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["clip", "siglip", "blip", "dinov2"])
def test_last_blocks_of_a_directory_are_trained_and_saved(tmp_path, preferences, kind):
    folder = write_backbone(kind, tmp_path / kind)
    reward_folder = trained(
        tmp_path, preferences, NETWORK.format(features=folder, reads="false"), "training.steps=5",
        "frozen_share=0.5",
    )  # fmt: skip
    reward = RewardModel.load(reward_folder)
    from models_backend.rewards.backbones import Backbone

    before = dict(Backbone.from_directory(folder).named_parameters())
    changed = {
        name for name, value in reward.network.trunk.named_parameters()
        if not torch.equal(value, before[name])
    }  # fmt: skip
    assert changed
    assert not any(".0." in name for name in changed), "the first of two blocks stays"
    pictures = torch.randint(0, 255, (2, 3, 16, 16), dtype=torch.uint8)
    assert reward.scores(pictures, ["a", "b"]).shape == (2, 1)


def test_directory_of_another_kind_or_with_pickles_is_refused(tmp_path):
    from models_backend.rewards.backbones import Backbone

    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="accepted are clip, siglip, blip, dinov2"):
        Backbone.from_directory(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="safe_serialization"):
        Backbone.from_directory(tmp_path)


def pair(votes, ties=0, user=0, prompt="a cat"):  # type: ignore[no-untyped-def]
    return PreferencePair(prompt=prompt, aspect="x", images=("a", "b"), votes=votes, ties=ties,
                          user_id=user)  # fmt: skip


def test_what_a_reward_put_in_is_no_vote_to_agree_with(linear, preferences):
    found = PreferenceSet.open(preferences)
    reward = RewardModel.load(linear)
    before = evaluate(reward, found)["aspects"]["appeal"]
    inserted = [
        replace(pair, votes=pair.votes[::-1], source="inserted") for pair, _ in found.of("test")
    ]
    weights = [*found.weights, *([1.0] * len(inserted))]
    expanded = replace(found, pairs=[*found.pairs, *inserted], weights=weights)
    assert evaluate(reward, expanded)["aspects"]["appeal"] == before


def test_one_person_is_held_against_the_majority_of_the_others():
    three = [pair((1, 0), user=1), pair((1, 0), user=2), pair((0, 1), user=3)]
    person, reward = one_person(three, lambda _: 1.0)
    # The third is against two; the first and second have one vote each way beside them.
    assert person.values == [0.0]
    assert reward.values == [1.0]
    counted, _ = one_person([pair((2, 1))], lambda _: 1.0)
    assert counted.values == person.values
    tie, _ = one_person([pair((2, 0), ties=1)], lambda _: -1.0)
    assert tie.values == [1.0, 1.0, 0.5]


def test_interval_of_one_person_knows_what_they_do_to_the_majorities_of_others():
    """What a person's votes take away is what the sums lose where they never voted."""
    rng = np.random.default_rng(4)
    votes = [
        pair(((1, 0), (0, 1), (0, 0))[said], ties=int(said == 2), user=user, prompt=f"prompt {n}")
        for n in range(12)
        for user in range(1, 5)
        for said in (int(rng.choice(3, p=[0.5, 0.3, 0.2])),)
    ]

    def net(found) -> tuple[float, int]:
        return sum(2 * value - 1 for value in found.values), len(found.values)

    for which in (0, 1):
        whole = one_person(votes, lambda _: 1.0)[which]
        credit, compared = net(whole)
        for gone in range(1, 5):
            rest = one_person([v for v in votes if v.user_id != gone], lambda _: 1.0)[which]
            lost = sum(
                lost
                for lost, user in zip(whole.influence.lost, whole.influence.people, strict=True)
                if user == gone
            )
            fewer, others = net(rest)
            wanted = (credit - fewer) - credit / compared * (compared - others)
            assert lost == pytest.approx(wanted / 2)


def test_calibration_error_is_the_gap_between_confidence_and_votes():
    sure = [pair((1, 0)), pair((0, 1), prompt="a dog")]
    assert calibration_error(sure, lambda _: 100.0, 1.0) == pytest.approx(0.5)
    assert calibration_error(sure, lambda _: 0.0, 1.0) == pytest.approx(0.0)


def test_two_way_interval_covers_the_mean_of_crossed_people_and_prompts():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        value = (rng.standard_normal(30)[:, None] + rng.standard_normal(12)[None, :]
                 + rng.standard_normal((30, 12)))  # fmt: skip
        prompts, people = np.indices(value.shape).reshape(2, -1).tolist()
        found = two_way_interval(value.ravel(), prompts, [p + 1 for p in people])
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 199
