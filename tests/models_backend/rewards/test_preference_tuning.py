"""Diffusion-DPO: its equation, the frozen parent, the guard, kill and resume."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models_backend import train
from models_backend.checkpoints.loading import load_pipeline
from models_backend.configuration.feedback import GuardConfig, PreferenceConfig
from models_backend.configuration.tuning import LoraConfig
from models_backend.errors import InputError
from models_backend.families.batch import training_batch
from models_backend.families.registry import family_named
from models_backend.nn.architecture import ScheduleConfig
from models_backend.nn.schedule import NoiseSchedule
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.writing import PAIRS
from models_backend.recipes.configs import read_config
from models_backend.recipes.guard import cautions, decide
from models_backend.recipes.preference import pair_batch, pair_step
from models_backend.recipes.preference_data import DecidedPairs, held_out_prompts
from models_backend.recipes.preference_loss import preference_losses
from models_backend.runs.training_run import RunImages, TrainingRun
from models_backend.training import run_folder
from models_backend.training.frozen import FrozenWeights
from tests.models_backend import tiny, tiny_pipelines
from tests.models_backend.preferences import simulated

pytestmark = pytest.mark.usefixtures("briefly_fitted_head")

TUNE = """recipe = "preference"
name = "child"
beta = 500.0
[training]
steps = 6
batch_size = 4
learning_rate = 1e-3
warmup_steps = 1
save_every = 2
ema_decay = 0.0
[guard]
candidates = 3
prompts = 4
seeds = 2
sampler_steps = 2
winner_error_rise = 10.0
diversity = 0.0
tolerance = 50.0
"""


@pytest.fixture(scope="module")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write(tmp_path_factory.mktemp("prefs") / "set", prompts=40, people=1)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "tune.toml"
    path.write_text(TUNE)
    return path


def run(config: Path, data: Path, parent: Path, out: Path, *sets: str) -> int:
    given = [each for s in sets for each in ("--set", s)]
    return train.main(
        [str(config), "--data", str(data), "--parent", str(parent), "--out", str(out), *given]
    )


@pytest.mark.parametrize("target", ["epsilon", "v", "flow"])
def test_loss_is_the_equation_to_a_millionth(target):
    """C1, in double precision, from noise and prediction to the loss of each pair."""
    generator = torch.Generator().manual_seed(0)
    betas = {"beta_schedule": "scaled_linear"} if target == "epsilon" else {}
    schedule = NoiseSchedule(ScheduleConfig(target=target, **betas))
    winner, loser, noise = (
        torch.randn(5, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    t = schedule.times(torch.rand(5, generator=generator))
    model, parent = (torch.nn.Conv2d(3, 3, 3, padding=1).double() for _ in range(2))
    beta, errors, plain = 700.0, {}, {}
    for name, x in (("w", winner), ("l", loser)):
        noisy, wanted = schedule.noise_and_target(x, noise, t)
        for who, network in (("model", model), ("parent", parent)):
            said = network(noisy.double())
            errors[who, name] = (said - wanted).square().mean(dim=(1, 2, 3))
            gap = (said - wanted).detach().numpy()
            plain[who, name] = np.array([np.mean(row**2) for row in gap])
    losses = preference_losses(
        errors["model", "w"], errors["model", "l"], errors["parent", "w"], errors["parent", "l"],
        beta=beta, kind="sigmoid",
    )  # fmt: skip
    inside = (plain["model", "w"] - plain["parent", "w"]) - (
        plain["model", "l"] - plain["parent", "l"]
    )
    expected = np.log1p(np.exp(0.5 * beta * inside))
    assert losses.shape == (5,), "the mean stands outside of the sigmoid"
    assert losses.detach().numpy() == pytest.approx(expected, abs=1e-6, rel=1e-6)
    losses.mean().backward()
    pull = 0.5 * beta / (1 + np.exp(-0.5 * beta * inside))
    by_hand = torch.autograd.grad(
        (torch.tensor(pull) * (
            (model(schedule.noise_and_target(winner, noise, t)[0].double())
             - schedule.noise_and_target(winner, noise, t)[1]).square().mean(dim=(1, 2, 3))
            - (model(schedule.noise_and_target(loser, noise, t)[0].double())
               - schedule.noise_and_target(loser, noise, t)[1]).square().mean(dim=(1, 2, 3))
        )).mean(), model.weight,
    )[0]  # fmt: skip
    assert torch.allclose(model.weight.grad, by_hand, rtol=1e-6, atol=1e-9)


def test_sign_of_beta_and_the_two_baselines():
    better, worse = torch.tensor([0.1]), torch.tensor([0.3])
    same = torch.tensor([0.2])
    good = preference_losses(better, worse, same, same, beta=100.0, kind="sigmoid")
    bad = preference_losses(worse, better, same, same, beta=100.0, kind="sigmoid")
    nothing = preference_losses(same, same, same, same, beta=100.0, kind="sigmoid")
    assert good < nothing < bad
    assert float(nothing) == pytest.approx(np.log(2))
    ipo = preference_losses(better, worse, same, same, beta=100.0, kind="ipo")
    assert float(ipo) == pytest.approx((0.2 - 1 / 200) ** 2)
    assert preference_losses(better, worse, same, same, beta=1.0, kind="winners") is better
    with pytest.raises(InputError, match="beta 0"):
        PreferenceConfig(name="x", beta=0.0)


def family_of(kind: str, tmp_path: Path, checkpoint: Path):  # type: ignore[no-untyped-def]
    """Return a family to tune, and its configuration."""
    if kind == "latent_diffusion":
        config = PreferenceConfig(name="x", beta=500.0)
        return family_named(kind).load_to_tune(checkpoint, config), config
    if kind in ("sd", "sd-lora", "sd3"):
        name = "stable_diffusion_3" if kind == "sd3" else "stable_diffusion"
        folder = tiny_pipelines.write(name, tmp_path / kind)
        lora = LoraConfig(rank=2) if kind == "sd-lora" else None
        config = PreferenceConfig(name="x", beta=500.0, lora=lora)
        return family_named("tuned_pipeline").load_to_tune(folder, config), config
    path = tmp_path / "family.toml"
    path.write_text({"pixel_diffusion": tiny.PIXEL_DIFFUSION,
                     "masked_transformer": tiny.MASKED_TRANSFORMER}[kind])  # fmt: skip
    return family_named(kind).from_config(read_config(path, [])), PreferenceConfig(name="x")


@pytest.mark.parametrize(
    "kind", ["latent_diffusion", "pixel_diffusion", "masked_transformer", "sd", "sd-lora", "sd3"]
)
def test_every_family_starts_at_log_two_and_learns_against_a_frozen_parent(
    kind, tmp_path, checkpoint_dir, preferences
):
    family, config = family_of(kind, tmp_path, checkpoint_dir)
    pairs = DecidedPairs.of(
        PreferenceSet.open(preferences), "train", ("appeal",), family.image_size[0]
    )
    for part in family.parts:
        module = family.part(part)
        parent = FrozenWeights(module)
        rows = torch.cat([pairs.winners[:3], pairs.losers[:3]])
        z = pairs.prepared(family, part)[rows]
        shape = family.noise_shape(part, tuple(z.shape[1:]))
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(3, *shape, generator=generator)
        u, v = torch.rand(3, generator=generator), torch.rand(3, generator=generator)
        prompts = [pairs.shown.prompts[row] for row in pairs.winners[:3].tolist()]
        batch = pair_batch(family, z, prompts, noise, u, v)
        assert all(torch.equal(*batch[name].chunk(2)) for name in ("noise", "u", "v", "tokens"))
        losses, _ = pair_step(config, family, part, parent, batch)
        assert losses.detach().numpy() == pytest.approx([np.log(2)] * 3, abs=1e-5)
        before = family.loss(batch, part).detach()
        learned = [p for p in module.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(learned, lr=1.0)
        for _ in range(2):  # an adapter's first step moves one of its two matrices
            pair_step(config, family, part, parent, batch)[0].mean().backward()
            torch.nn.utils.clip_grad_norm_(learned, 0.02)
            optimizer.step()
            optimizer.zero_grad()
        now = family.loss(batch, part).detach()
        assert not torch.equal(now, before)
        with parent.in_module():
            assert torch.equal(family.loss(batch, part), before), "the parent stays as it was"
        assert torch.equal(family.loss(batch, part), now)


def test_adapter_switched_off_is_the_parent(tmp_path, checkpoint_dir):
    from peft.tuners.lora import LoraLayer

    family, _ = family_of("sd-lora", tmp_path, checkpoint_dir)
    module = family.part("denoiser")
    parent = FrozenWeights(module)
    torch.manual_seed(0)
    for p in module.parameters():
        if p.requires_grad:
            p.data = torch.randn_like(p)
    generator = torch.Generator().manual_seed(0)
    side = family.image_size[0] // 2
    z = torch.randn(2, 4, side, side, generator=generator)
    text = family.text_encoder.encode(["a cat", "a dog"])
    batch = training_batch(z, text, torch.randn(z.shape, generator=generator), torch.rand(2))
    with parent.in_module():
        ours = family.loss(batch)
    for layer in module.modules():
        if isinstance(layer, LoraLayer):
            layer.enable_adapters(False)
    assert torch.allclose(ours, family.loss(batch), atol=1e-7)


def test_run_is_guarded_and_goes_on_after_a_kill_as_if_there_was_none(
    tmp_path, config_file, checkpoint_dir, preferences, monkeypatch, capsys
):
    whole = tmp_path / "whole"
    assert run(config_file, preferences, checkpoint_dir, whole) == 0
    told = json.loads((whole / "checkpoint" / "metadata.json").read_text())["training"]
    assert told["recipe"] == "preference"
    assert told["simulated"] is True
    assert told["guard"]["denoiser"]["picked_step"] in (2, 4, 6)
    signals = json.loads((whole / "candidates" / "signals.json").read_text())
    assert [e["step"] for e in signals["entries"]] == [0, 2, 4, 6]
    assert (whole / "candidates" / "signals.png").read_bytes().startswith(b"\x89PNG")
    assert "over-optimisation is not seen" in capsys.readouterr().err

    from models_backend.training.trainer import Trainer

    write = Trainer._write

    def killed(self, state):  # type: ignore[no-untyped-def]
        write(self, state)
        if state["step"] == 4:
            raise KeyboardInterrupt

    halted = tmp_path / "halted"
    monkeypatch.setattr(Trainer, "_write", killed)
    assert run(config_file, preferences, checkpoint_dir, halted) == 130
    monkeypatch.setattr(Trainer, "_write", write)
    assert run(config_file, preferences, checkpoint_dir, halted) == 0
    one, two = (
        torch.cat([p.flatten() for p in load_pipeline(f / "checkpoint").denoiser.parameters()])
        for f in (whole, halted)
    )
    assert torch.equal(one, two)
    shutil.rmtree(halted)


def of_split(found: PreferenceSet, *splits: str) -> PreferenceSet:
    rows = [row for split in splits for row in found.of(split)]
    return replace(found, pairs=[pair for pair, _ in rows], weights=[w for _, w in rows])


def test_guard_samples_prompts_of_another_set_after_those_of_validation(preferences):
    found = PreferenceSet.open(preferences)
    own = held_out_prompts(found, 100)
    others = of_split(found, "validation", "test")
    more = held_out_prompts(found, 100, others)
    assert more[: len(own)] == own
    assert set(more) == {pair.prompt for pair in others.pairs}
    assert held_out_prompts(found, 3, others) == more[:3]
    with pytest.raises(InputError, match=r"guard\.held_out .*of its prompts are learned from"):
        held_out_prompts(found, 100, found)


def test_set_that_guards_is_part_of_what_makes_a_run_the_same(preferences, config_file, tmp_path):
    def identity(*sets: str) -> dict:  # type: ignore[type-arg]
        config = read_config(config_file, list(sets))
        job = TrainingRun(config=config, data=preferences, out=tmp_path, parent=None)
        return job.identity(RunImages.of(job))

    guarded = identity(f'guard.held_out="{preferences}"')
    assert guarded["held_out"] == guarded["preferences"]
    assert "held_out" not in identity()


@pytest.mark.parametrize("changed", ["preferences", "held_out"])
def test_a_changed_preference_set_is_another_run(
    changed, preferences, config_file, checkpoint_dir, tmp_path, capsys
):
    """Whether it guards or is learned from."""
    guarding = f'guard.held_out="{preferences}"'
    config = read_config(config_file, [guarding])
    out = tmp_path / "run"
    job = TrainingRun(config=config, data=preferences, out=out, parent=checkpoint_dir)
    identity = job.identity(RunImages.of(job))
    out.mkdir()
    run_folder.claim(
        out, identity | {changed: identity[changed] | {PAIRS: "of other pairs"}}, fresh=False
    )
    assert run(config_file, preferences, checkpoint_dir, out, guarding) == 2
    line, by_command = capsys.readouterr().err.splitlines()
    assert f"holds a run with other settings ({changed}.{PAIRS}); choose another folder" in line
    assert by_command == "  `--out` names another, `--fresh` discards it."


def entry(step: int, judged: list[float], **given: float) -> dict:  # type: ignore[type-arg]
    usual = {"diversity": 1.0, "faithfulness": 0.5, "faithfulness_error": 0.05, "winner_error": 1.0}
    return {"step": step, "judged": judged, "judge": float(np.mean(judged))} | usual | given


def test_rule_picks_the_last_rise_of_the_judge_and_stops_when_there_is_none():
    config = GuardConfig(patience=2)
    flat = [0.0, 0.1, -0.1, 0.05]
    up = [[x + rise for x in flat] for rise in (0.0, 1.0, 2.0, 2.0, 1.5)]
    entries = [entry(10 * n, judged) for n, judged in enumerate(up)]
    assert decide(entries[:3], config) == {"picked_step": 20, "none_fits": False, "stopped": ""}
    found = decide(entries, config)
    assert found["picked_step"] == 20
    assert "has not risen over 2" in found["stopped"]


@pytest.mark.parametrize(
    ("broken", "name"),
    [({"diversity": 0.8}, "diversity"), ({"faithfulness": 0.4}, "faithfulness"),
     ({"winner_error": 1.04}, "winner_error")],
)  # fmt: skip
def test_candidate_out_of_bounds_ends_the_run_and_is_not_picked(broken, name):
    entries = [entry(0, [0.0] * 3), entry(10, [1.0, 1.1, 1.2]), entry(20, [5.0] * 3, **broken)]
    found = decide(entries, GuardConfig())
    assert found["picked_step"] == 10
    assert name in found["stopped"]
    assert decide([entries[0], entries[2]], GuardConfig())["none_fits"]
    later = [*entries, entry(30, [9.0] * 3)]
    assert decide(later, GuardConfig()) == found, "what comes after is not looked at"


def test_rise_within_the_error_of_prompts_is_none():
    parent, luck = entry(0, [0.0] * 4), entry(10, [-0.9, 1.1, -0.8, 1.0])  # 0.1 (s.e. 0.55)
    found = decide([parent, luck], GuardConfig(tolerance=1.0))
    assert (found["picked_step"], found["none_fits"]) == (10, True)
    assert not decide([parent, luck], GuardConfig(tolerance=0.0))["none_fits"]


def test_bound_of_faithfulness_without_width_is_told():
    """Three prompts that are all drawn as they should be leave nothing to tell chance by."""
    (said,) = cautions(None, {"faithfulness_error": 0.0}, 3)[1:]
    assert "each of the 3 held-out prompts" in said
    assert "guard.held_out, guard.prompts" in said
    assert len(cautions(None, {"faithfulness_error": 0.01}, 3)) == 1


def test_patience_begins_anew_with_every_rise():
    judged = [0.0, -0.1, 1.0, 0.9, 2.0]
    entries = [entry(10 * n, [each] * 3) for n, each in enumerate(judged)]
    found = decide(entries, GuardConfig(patience=2))
    assert found == {"picked_step": 40, "none_fits": False, "stopped": ""}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["beta=0.0"], "beta 0: accepted"),
        (['loss="kto"'], "sigmoid, ipo, winners"),
        (['tuning_list="x.tsv"'], "takes a preference set"),
        (["early_stopping.candidates=3"], r"stopped by \[guard\]"),
        (['aspects=["taste"]'], "aspect 'taste'"),
        (['guard.judge="nowhere"'], "is not a reward model"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    given, said, tmp_path, config_file, checkpoint_dir, preferences, capsys
):
    import re

    assert run(config_file, preferences, checkpoint_dir, tmp_path / "run", *given) == 2
    assert re.search(said, capsys.readouterr().err)
