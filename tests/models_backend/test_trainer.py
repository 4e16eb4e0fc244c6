"""The training loop by itself, on a module of two weights."""

import contextlib
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError, TrainingError
from models_backend.training import memory
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import Stateful, StepLoss, Trainer, learning_rate
from tests import warm

# -- learning rate --------------------------------------------------------------------------------

LOOP = LoopConfig(steps=100, warmup_steps=10, learning_rate=0.5, final_lr_share=0.1)


def test_learning_rate_rises_in_equal_steps_to_its_peak():
    rates = [learning_rate(step, LOOP) for step in range(10)]
    assert rates == pytest.approx([0.05 * (step + 1) for step in range(10)])


def test_learning_rate_only_falls_after_the_warm_up():
    rates = [learning_rate(step, LOOP) for step in range(10, 101)]
    assert rates[0] == 0.5
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))


def test_learning_rate_ends_at_the_final_share():
    assert learning_rate(100, LOOP) == pytest.approx(0.05)
    assert learning_rate(55, LOOP) == pytest.approx((0.5 + 0.05) / 2)


@pytest.mark.parametrize("warmup", [0, 3, 50])
def test_learning_rate_is_positive_at_every_step(warmup):
    loop = LoopConfig(steps=3, warmup_steps=warmup, learning_rate=0.5, final_lr_share=0.0)
    assert all(0 < learning_rate(step, loop) <= 0.5 for step in range(3))


# -- randomness -----------------------------------------------------------------------------------


def test_each_seed_stage_and_step_draws_its_own_numbers():
    keys = [(seed, stage, step) for seed in (1, 11) for stage in ("a", "b") for step in (1, 11)]
    draws = {key: torch.rand(1, generator=StepDraw.of(*key)).item() for key in keys}
    assert len(set(draws.values())) == len(keys)
    assert draws[1, "a", 11] == torch.rand(1, generator=StepDraw.of(1, "a", 11)).item()


# -- fitting --------------------------------------------------------------------------------------


class Line(nn.Module):
    """Learns y = 2 x - 1 from noisy examples."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1))
        self.offset = nn.Parameter(torch.zeros(1))

    def step(self, generator: torch.Generator) -> StepLoss:
        x = torch.randn(8, generator=generator)
        y = 2 * x - 1 + 0.1 * torch.randn(8, generator=generator)
        losses = (self.slope * x + self.offset - y).square()
        return StepLoss(losses, torch.arange(100, 108), {"seen": float(x.mean())})

    def values(self) -> list[float]:
        return [self.slope.item(), self.offset.item()]


def trainer(
    module: nn.Module,
    run: Path,
    companions: dict[str, Stateful] | None = None,
    **settings: float,
) -> Trainer:
    values = {"steps": 60, "warmup_steps": 5, "learning_rate": 0.1, "save_every": 10}
    values |= {"ema_decay": 0.8, "weight_decay": 0.0} | settings
    return Trainer(
        module=module,
        config=LoopConfig(**values),
        seed=4,
        stage="line",
        run=run,
        companions=companions,
    )


def test_training_finds_the_line(tmp_path):
    line = Line()
    trainer(line, tmp_path).fit(line.step)
    assert line.values() == pytest.approx([2, -1], abs=0.2)
    assert not line.training


def test_saved_weights_are_the_average_and_without_it_the_last(tmp_path):
    weights = {}
    for name, decay in (("last", 0.0), ("average", 0.8), ("frozen", 0.999999)):
        line = Line()
        (tmp_path / name).mkdir()
        trainer(line, tmp_path / name, ema_decay=decay).fit(line.step)
        weights[name] = line.values()
    assert weights["last"] != weights["average"]
    # The average begins at the first step's weights, near zero, and hardly moves at this decay.
    assert weights["frozen"] == pytest.approx([0, 0], abs=0.05)


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("stop_at", [3, 10, 37])
def test_stopped_at_any_step_it_goes_on_to_the_same_weights(tmp_path, stop_at):
    whole, halted, resumed = Line(), Line(), Line()
    for name in ("whole", "halted"):
        (tmp_path / name).mkdir()
    trainer(whole, tmp_path / "whole").fit(whole.step)

    steps = []

    def stopping(generator: torch.Generator) -> StepLoss:
        if len(steps) == stop_at:
            raise KilledError
        steps.append(1)
        return halted.step(generator)

    with pytest.raises(KilledError):
        trainer(halted, tmp_path / "halted").fit(stopping)
    again = trainer(resumed, tmp_path / "halted")
    again.fit(resumed.step)
    assert resumed.values() == whole.values()
    assert again.step == 60


def test_resuming_repeats_no_saved_step(tmp_path):
    line, calls = Line(), []

    def counting(generator: torch.Generator) -> StepLoss:
        calls.append(1)
        if len(calls) == 38:
            raise KilledError
        return line.step(generator)

    with pytest.raises(KilledError):
        trainer(line, tmp_path).fit(counting)
    calls.clear()
    other = Line()
    trainer(other, tmp_path).fit(lambda generator: (calls.append(1), other.step(generator))[1])
    assert len(calls) == 60 - 30


class Rival:
    """A second network that the step function trains with an optimiser of its own."""

    def __init__(self) -> None:
        self.net = nn.Linear(1, 1)
        nn.init.zeros_(self.net.weight)
        nn.init.zeros_(self.net.bias)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=0.1)

    def step(self, line: Line, generator: torch.Generator) -> StepLoss:
        x = torch.randn(4, 1, generator=generator)
        self.optimizer.zero_grad()
        (self.net(x) - 3 * x).square().mean().backward()
        self.optimizer.step()
        losses = (line.slope * x + line.offset - self.net(x).detach()).square().mean(dim=1)
        return StepLoss(losses, torch.arange(4), {})

    def companions(self) -> dict[str, Stateful]:
        return {"rival": self.net, "rival_optimizer": self.optimizer}


def fit_with_rival(run: Path, stop_at: int | None = None) -> list[float]:
    """Train a line against a rival, until `stop_at` steps are done; return all weights."""
    line, rival, steps = Line(), Rival(), []

    def step(generator: torch.Generator) -> StepLoss:
        if len(steps) == stop_at:
            raise KilledError
        steps.append(1)
        return rival.step(line, generator)

    with contextlib.suppress(KilledError):
        trainer(line, run, companions=rival.companions()).fit(step)
    return [*line.values(), rival.net.weight.item(), rival.net.bias.item()]


def test_companions_are_saved_and_restored_with_the_state(tmp_path):
    for name in ("whole", "halted"):
        (tmp_path / name).mkdir()
    whole = fit_with_rival(tmp_path / "whole")
    fit_with_rival(tmp_path / "halted", stop_at=33)
    assert fit_with_rival(tmp_path / "halted") == whole
    assert whole[2] != 0


def test_a_state_with_other_companions_is_refused(tmp_path):
    line = Line()
    trainer(line, tmp_path, steps=1).fit(line.step)
    with pytest.raises(TrainingError, match=r"carries no companions, this run \['rival'"):
        trainer(line, tmp_path, companions=Rival().companions()).fit(line.step)


def test_a_finished_stage_trains_no_more(tmp_path):
    line = Line()
    trainer(line, tmp_path).fit(line.step)

    def never(generator: torch.Generator) -> StepLoss:
        raise AssertionError("the stage is finished")

    again = Line()
    trainer(again, tmp_path).fit(never)
    assert again.values() == line.values()


def test_an_unreadable_state_is_named(tmp_path):
    line = Line()
    trainer(line, tmp_path, steps=1).fit(line.step)
    state = tmp_path / "state-line.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(
        TrainingError, match=r"state-line\.pt cannot be read .*; delete it"
    ) as caught:
        trainer(line, tmp_path).fit(line.step)
    assert "\n" not in str(caught.value)


def test_no_half_written_state_stays_behind(tmp_path):
    line = Line()
    trainer(line, tmp_path).fit(line.step)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "log.jsonl",
        "state-line.pt",
        "tensorboard",
    ]


def test_the_log_has_losses_scalars_and_the_last_step(tmp_path):
    line = Line()
    trainer(line, tmp_path, steps=45).fit(line.step)
    entries = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [20, 40, 45]
    for entry in entries:
        assert entry["stage"] == "line"
        assert entry.keys() >= {"loss", "grad_norm", "seen", "steps_per_s"}
    assert entries[-1]["loss"] < entries[0]["loss"]


# -- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_loss_names_the_images_and_leaves_the_weights(tmp_path, value):
    line = Line()
    before: list[list[float]] = []

    def spoiled(generator: torch.Generator) -> StepLoss:
        result = line.step(generator)
        if len(before) == 4:
            result.losses[[2, 5]] *= value
        before.append(line.values())
        return result

    with pytest.raises(TrainingError, match=r"line, step 4: .*images \[102, 105\]") as caught:
        trainer(line, tmp_path).fit(spoiled)
    assert "\n" not in str(caught.value)
    assert line.values() == before[-1] != [0, 0]
    assert not (tmp_path / "state-line.pt").exists()


def test_non_finite_mean_loss_names_the_whole_batch(tmp_path):
    line = Line()

    def spoiled(generator: torch.Generator) -> StepLoss:
        result = line.step(generator)
        return StepLoss(result.losses.mean() * float("nan"), result.examples, {})

    with pytest.raises(TrainingError, match=r"images \[100, 101, 102, 103"):
        trainer(line, tmp_path).fit(spoiled)
    assert line.values() == [0, 0]


def test_non_finite_gradient_leaves_the_weights(tmp_path):
    line = Line()

    def spoiled(generator: torch.Generator) -> StepLoss:
        result = line.step(generator)
        # sqrt has a finite value and an infinite slope at zero
        return StepLoss(result.losses + (line.slope * 0).abs().sqrt(), result.examples, {})

    with pytest.raises(TrainingError, match="gradient is not finite"):
        trainer(line, tmp_path).fit(spoiled)
    assert line.values() == [0, 0]


# -- disk, memory, TensorBoard --------------------------------------------------------------------


def test_a_full_disk_leaves_the_last_whole_state(tmp_path):
    said = tmp_path / "said"
    with said.open("w") as written:
        process = warm.start("tests.models_backend.full_disk", tmp_path / "run", stderr=written)
        assert process.wait() == 1
    last = said.read_text().strip().splitlines()[-1]
    assert "state-square.pt cannot be written" in last
    assert "free some space, then run the same command to resume" in last
    assert torch.load(tmp_path / "run" / "state-square.pt")["step"] == 10
    assert not list((tmp_path / "run").glob(".*.partial"))


def test_a_network_too_large_for_the_memory_is_refused_before_it_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: 10_000)
    large = nn.Linear(100, 100)
    with pytest.raises(InputError, match=r"line: 0 M parameters need at least 0\.0 GiB to train"):
        trainer(large, tmp_path)
    trainer(nn.Linear(2, 2), tmp_path)


def test_a_training_holds_gradient_moments_and_average():
    loop = LoopConfig(steps=1)
    assert memory.training_bytes(1000, loop) == 16_000
    assert memory.training_bytes(1000, replace(loop, ema_decay=0.0)) == 12_000


def test_tensorboard_has_the_losses_of_the_log_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    halted, resumed, steps = Line(), Line(), []

    def stopping(draw: StepDraw) -> StepLoss:
        if len(steps) == 47:
            raise KilledError
        steps.append(1)
        return halted.step(draw)

    first = trainer(halted, tmp_path, save_every=30)
    with pytest.raises(KilledError):
        first.fit(stopping)
    first.monitor.close()
    trainer(resumed, tmp_path, save_every=30).fit(resumed.step)
    entries = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [20, 40, 60]
    events = EventAccumulator(str(tmp_path / "tensorboard" / "line")).Reload()
    scalars = {event.step: event.value for event in events.Scalars("line/loss")}
    assert scalars == pytest.approx({entry["step"]: entry["loss"] for entry in entries}, abs=1e-6)
    assert len(events.Scalars("line/loss")) == 3
