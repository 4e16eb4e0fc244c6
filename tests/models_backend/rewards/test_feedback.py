"""ReFL: rewards that are optimised, a judge that is not, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models_backend import train
from models_backend.configuration.feedback import RewardTuningConfig
from models_backend.configuration.tuning import LoraConfig
from models_backend.errors import InputError
from models_backend.families.registry import family_named
from models_backend.families.settings import SamplingSettings
from models_backend.recipes.configs import read_config
from models_backend.recipes.feedback import refuse_without_gradient, reward_losses
from models_backend.recipes.guard import Optimised
from models_backend.rewards.model import RewardModel
from models_backend.training.frozen import FrozenWeights
from tests.models_backend import tiny, tiny_pipelines
from tests.models_backend.preferences import simulated
from tests.models_backend.rewards.test_rewards import LINEAR, trained

pytestmark = pytest.mark.usefixtures("briefly_fitted_head")

TUNE = """recipe = "feedback"
name = "child"
rewards = ["{reward}"]
rollout_steps = 4
graded = [1, 2]
reward_scale = 1.0
[training]
steps = 12
batch_size = 4
learning_rate = 2e-3
warmup_steps = 1
save_every = 2
ema_decay = 0.0
[guard]
judge = "{judge}"
candidates = 6
patience = 2
prompts = 4
seeds = 2
sampler_steps = 2
diversity = 0.0
"""


@pytest.fixture(scope="module")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write(tmp_path_factory.mktemp("prefs") / "set", prompts=40, people=1)


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory, preferences: Path) -> Path:
    return trained(tmp_path_factory.mktemp("reward"), preferences, LINEAR)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on other prompts, of people whose taste is noise: it never rises for long."""
    tmp = tmp_path_factory.mktemp("judge")
    data = simulated.write(tmp / "set", prompts=40, people=1, noise=50.0, seed=9)
    return trained(tmp, data, LINEAR)


def run(tmp_path: Path, data: Path, parent: Path, reward: Path, judge: Path, *sets: str) -> int:
    config = tmp_path / "tune.toml"
    config.write_text(TUNE.format(reward=reward, judge=judge))
    given = [each for s in sets for each in ("--set", s)]
    out = tmp_path / "run"
    return train.main(
        [str(config), "--data", str(data), "--parent", str(parent), "--out", str(out), *given]
    )


@pytest.mark.parametrize("kind", ["latent_diffusion", "pixel_diffusion", "sd-lora", "sd3"])
def test_reward_pulls_the_weights_and_the_hinge_lets_go(kind, tmp_path, checkpoint_dir, reward):
    if kind == "latent_diffusion":
        from models_backend.configuration.loops import LoopConfig
        from models_backend.configuration.tuning import FinetuneConfig

        tuning = FinetuneConfig(name="x", training=LoopConfig(steps=1))
        family = family_named(kind).load_to_tune(checkpoint_dir, tuning)
    elif kind == "pixel_diffusion":
        path = tmp_path / "family.toml"
        path.write_text(tiny.PIXEL_DIFFUSION)
        family = family_named(kind).from_config(read_config(path, []))
    else:
        name = "stable_diffusion_3" if kind == "sd3" else "stable_diffusion"
        folder = tiny_pipelines.write(name, tmp_path / kind)
        asked = RewardTuningConfig(
            name="x", rewards=("a",), lora=LoraConfig(rank=2) if kind == "sd-lora" else None
        )
        family = family_named("tuned_pipeline").load_to_tune(folder, asked)
    optimised = [Optimised(RewardModel.load(reward), 1.0), Optimised(RewardModel.load(reward), 3.0)]
    parent = FrozenWeights(family.denoiser)
    z = family.prepare(torch.zeros(2, 3, *family.image_size), family.parts[0])
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    settings = SamplingSettings(sampler="default", steps=3)

    def losses(**given: float):  # type: ignore[no-untyped-def]
        config = RewardTuningConfig(name="x", rewards=("a", "b"), rollout_steps=3, graded=(1, 1),
                                reward_scale=0.5, **given)  # fmt: skip
        return reward_losses(
            config, family, optimised, parent, ["a cat", "a dog"], noise, settings, 2
        )

    found, scalars = losses(margin=1000.0)
    expected = 0.5 * (1000.0 - float(scalars["reward_0"]))
    assert float(found.mean().detach()) == pytest.approx(expected, rel=1e-4)
    found.mean().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in family.denoiser.parameters())
    assert float(losses(margin=-1000.0)[0].sum().detach()) == 0.0, (
        "beyond the margin nothing more is asked"
    )
    anchored, told = losses(margin=-1000.0, reference_weight=1.0)
    assert float(told["distance"]) == pytest.approx(0.0, abs=1e-6)
    assert float(anchored.detach().sum()) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", ["stable_diffusion", "stable_diffusion_3"])
def test_images_that_are_graded_are_those_that_the_pipeline_draws(name, tmp_path):
    """With one step left, the step to the end is the sampler's own last one."""
    folder = tiny_pipelines.write(name, tmp_path / name)
    config = RewardTuningConfig(name="x", rewards=("a",))
    family = family_named("tuned_pipeline").load_to_tune(folder, config)
    settings = SamplingSettings(sampler="default", steps=3, guidance_scale=3.0)
    z = family.prepare(torch.zeros(2, 3, *family.image_size), family.parts[0])
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    prompts = ["a cat", "a dog"]
    graded = family.graded_images(prompts, noise, settings, graded=2).detach()
    height, width = family.image_size
    family.pipeline.scheduler = family._objective(z).sampler(3)
    sized = replace(settings, height=height, width=width)
    asked = family._arguments(prompts, [1, 2], sized) | {"latents": noise, "output_type": "pt"}
    drawn = family.pipeline(**asked).images * 2 - 1
    assert torch.allclose(graded.clamp(-1, 1), drawn, atol=1e-4)
    earlier = family.graded_images(prompts, noise, settings, graded=0).detach()
    assert not torch.allclose(graded, earlier, atol=1e-4)


@pytest.mark.parametrize("recipe", ["preference", "feedback"])
def test_a_pipeline_is_tuned_under_its_guard(recipe, tmp_path, preferences, reward, judge):
    """An adapter of Stable Diffusion by pairs, whose winner's error is bound, and by rewards."""
    parent = tiny_pipelines.write("stable_diffusion", tmp_path / "sd")
    config, out = tmp_path / "tune.toml", tmp_path / "run"
    rewards = f'rewards = ["{reward}"]\nrollout_steps = 2\ngraded = [1, 1]\n'
    config.write_text(
        f'recipe = "{recipe}"\nname = "child"\n{rewards if recipe == "feedback" else ""}'
        "[lora]\nrank = 2\n"
        "[training]\nsteps = 2\nbatch_size = 2\nlearning_rate = 1e-3\nwarmup_steps = 1\n"
        "save_every = 2\nema_decay = 0.0\n"
        f'[guard]\njudge = "{judge}"\ncandidates = 1\nprompts = 2\nseeds = 2\n'
        "sampler_steps = 1\n"
    )
    asked = [str(config), "--data", str(preferences), "--parent", str(parent), "--out", str(out)]
    assert train.main(asked) == 0
    (signals,) = out.glob("**/signals.json")
    first, last = json.loads(signals.read_text())["entries"]
    assert (first["step"], last["step"]) == (0, 2)
    assert (last["winner_error"] is not None) == (recipe == "preference")
    assert last["judge"] is not None
    assert (out / "checkpoint" / "model_index.json").is_file()


def test_rule_stops_a_run_whose_judge_does_not_rise(
    tmp_path, checkpoint_dir, preferences, reward, judge, capsys
):
    place = tmp_path / "judge"
    shutil.copytree(judge, place)
    # Three prompts are left to validate with: faithfulness may have no error there at all, and then
    # its bound has no width and decides before the judge.
    others = simulated.write(tmp_path / "others", prompts=9, images=2, people=1, first=100)
    more = [f"guard.held_out={others}", "guard.prompts=12"]
    asked = (tmp_path, preferences, checkpoint_dir, reward, place, "guard.tolerance=30.0", *more)
    assert run(*asked) == 0
    told = json.loads((tmp_path / "run/checkpoint/metadata.json").read_text())["training"]
    assert "has not risen over 2 candidates" in told["guard"]["denoiser"]["stopped"]
    signals = json.loads((tmp_path / "run/candidates/signals.json").read_text())
    assert [e["step"] for e in signals["entries"]] == [0, 2, 4], "the steps after were not made"
    assert signals["held_out_captions"] == 12
    assert signals["entries"][0]["faithfulness_error"] > 0
    assert all(e["reward"] is not None and e["judge"] is not None for e in signals["entries"])
    assert (tmp_path / "run/candidates/signals.png").read_bytes().startswith(b"\x89PNG")
    assert "SIMULATED" in capsys.readouterr().err
    assert told["rewards_sha256"] == [RewardModel.load(reward).sha256]
    assert told["judge_sha256"] == RewardModel.load(judge).sha256
    shutil.rmtree(place)
    shutil.copytree(reward, place)
    assert run(*asked) == 2, "another judge at the same path makes another run"
    assert "other settings (judge_sha256)" in capsys.readouterr().err


def test_optimised_reward_rises(tmp_path, checkpoint_dir, preferences, reward, judge):
    free = ["guard.stop=false", "pretrain_weight=0.0", "guard.patience=99", "margin=1000.0"]
    free += ["guard.candidates=2", "training.save_every=6"]
    assert run(tmp_path, preferences, checkpoint_dir, reward, judge, *free) == 0
    entries = json.loads((tmp_path / "run/candidates/signals.json").read_text())["entries"]
    assert [entry["step"] for entry in entries] == [0, 6, 12]
    assert entries[-1]["reward"] > entries[0]["reward"]


def test_judge_that_is_optimised_is_refused_under_any_path(
    tmp_path, checkpoint_dir, preferences, reward, capsys
):
    assert run(tmp_path, preferences, checkpoint_dir, reward, reward) == 2
    assert "is a reward that is optimised" in capsys.readouterr().err
    shutil.copytree(reward, tmp_path / "copy")
    assert run(tmp_path, preferences, checkpoint_dir, reward, tmp_path / "copy") == 2
    assert "has the weights of a reward" in capsys.readouterr().err


def test_tokens_and_windows_outside_the_steps_are_refused(tmp_path):
    path = tmp_path / "family.toml"
    path.write_text(tiny.MASKED_TRANSFORMER)
    family = family_named("masked_transformer").from_config(read_config(path, []))
    with pytest.raises(InputError, match="carry no gradient"):
        refuse_without_gradient(family)
    with pytest.raises(InputError, match="counted from the end"):
        RewardTuningConfig(name="x", rewards=("a",), rollout_steps=4, graded=(1, 5))
    with pytest.raises(InputError, match="give one for each of 2"):
        RewardTuningConfig(name="x", rewards=("a", "b"), reward_weights=(1.0,))
