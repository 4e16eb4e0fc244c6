"""The training loop: deterministic, resumable after a kill at any moment, on one process or many.

Every draw of step s comes from (seed, stage, s), so a resumed run needs no saved random state and
goes on exactly as if it had not stopped. Hugging Face Accelerate decides where the work happens:
one process, several, several machines, sharded weights (FSDP2). The loop is the same, and so is the
data of a step: the rows of one global batch are shared out over processes and micro-batches.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from tqdm import tqdm

from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError, TrainingError
from models_backend.files import temporary_sibling
from models_backend.nn.precision import lay_out_for_convolutions, refuse_without_bfloat16
from models_backend.training.average import Average
from models_backend.training.learned import learned_parameters, learned_state, load_learned
from models_backend.training.memory import refuse_too_little_memory
from models_backend.training.monitor import Monitor
from models_backend.training.optimizers import optimizer_of
from models_backend.training.randomness import StepDraw
from models_backend.training.sharding import like, make_whole, whole

_LOG_EVERY = 20


@dataclass(frozen=True)
class StepLoss:
    """What one step computes: losses (B,) with the examples they belong to, and scalars to log.

    A step function computes the rows `draw.rows` of the step's batch: B is their number. One loss
    for all rows, of shape (), is accepted too. A scalar may be a tensor of shape () on the device:
    it is read where it is logged, so that no step waits for it.
    """

    losses: Tensor
    examples: Tensor
    scalars: Mapping[str, float | Tensor]


class Stateful(Protocol):
    """Whatever a state file can carry: a module, an optimiser, a scheduler."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take what `state_dict` returned."""


StepFunction = Callable[[StepDraw], StepLoss]


def learning_rate(step: int, config: LoopConfig) -> float:
    """Linear warm-up to the peak, then half a cosine down to `final_lr_share` of it."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    span = max(1, config.steps - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / span)
    share = config.final_lr_share
    return config.learning_rate * (share + (1 - share) * 0.5 * (1 + math.cos(math.pi * progress)))


def rows_of(process: int, processes: int, config: LoopConfig) -> list[slice]:
    """Return the rows of the global batch one process computes, a slice per micro-batch."""
    if config.batch_size % processes:
        raise InputError(
            f"batch_size {config.batch_size} does not divide over {processes} processes; "
            "it is the global batch: choose a multiple"
        )
    share = config.batch_size // processes
    size = min(config.micro_batch_size or share, share)
    first = process * share
    edges = range(first, first + share, size)
    return [slice(start, min(start + size, first + share)) for start in edges]


class _Loss(nn.Module):
    """Runs the step function inside a forward pass.

    Wrappers (DistributedDataParallel, FSDP) act on the forward pass of what they wrap; this way a
    step function may call any method of the module, and a family need not know of them.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.step_function: StepFunction | None = None
        self.result: StepLoss | None = None

    def forward(self, draw: StepDraw) -> Tensor:
        assert self.step_function is not None
        self.result = self.step_function(draw)
        return self.result.losses


class Trainer:
    """Trains one module in one stage of a run; its state file is the resume point.

    `companions` are what the step function itself trains or counts, such as a discriminator and its
    optimiser: they are saved and restored with the state, and never touched otherwise. With
    companions every process computes the whole batch, so that they stay the same everywhere.

    `on_save(step)` is called on every process after each state is written, and once at the start
    with the step that was reached: a kill may have come between the two.
    """

    def __init__(
        self,
        *,
        module: nn.Module,
        config: LoopConfig,
        seed: int,
        stage: str,
        run: Path,
        companions: Mapping[str, Stateful] | None = None,
        accelerator: Accelerator | None = None,
        on_save: Callable[[int], None] | None = None,
    ) -> None:
        self.module = module
        self.config = config
        self.seed = seed
        self.stage = stage
        self.step = 0
        self.run = run
        self.companions = dict(companions or {})
        self.on_save = on_save
        self.stopped = False
        self.accelerator = accelerator or default_accelerator()
        self.monitor = Monitor(run, stage, step=0, enabled=False)
        self._state_path = run / f"state-{stage}.pt"
        self.parts = self._share_of_the_batch()
        refuse_without_bfloat16(config.mixed_precision, self.accelerator.device, stage)
        refuse_too_little_memory(module, config, self.accelerator.device, stage)
        _set_up(module, config, stage)
        module.to(self.accelerator.device)
        if self.accelerator.distributed_type != DistributedType.FSDP:  # it shards plain layouts
            lay_out_for_convolutions(module, self.accelerator.device)
        self._loss = _Loss(module)
        learned = list(learned_parameters(module).values())
        self._optimizer: Any = optimizer_of(learned, config, self.accelerator.device, stage)
        self._wrapped, self._optimizer = self.accelerator.prepare(self._loss, self._optimizer)
        self._learned = learned_parameters(module)  # sharding has put others in their place
        self._average = Average(module, config.ema_decay)
        self._changed: dict[str, tuple[float, float]] = {}

    def _share_of_the_batch(self) -> list[slice]:
        if self.companions:
            return [slice(0, self.config.batch_size)]
        return rows_of(self.accelerator.process_index, self.accelerator.num_processes, self.config)

    def fit(self, step_function: StepFunction) -> None:
        """Train to the last step and leave the averaged weights in the module."""
        self._resume()
        self._loss.step_function = step_function
        self.module.train()
        main = self.accelerator.is_main_process
        self.monitor = Monitor(self.run, self.stage, step=self.step, enabled=main)
        for name, (old, new) in self._changed.items():
            if self.step < self.config.steps:
                self.monitor.changed(self.step, name, old, new)
        if self.on_save:
            self.on_save(self.step)
        started, first, waited = time.monotonic(), self.step, 0.0
        with tqdm(
            total=self.config.steps, initial=self.step, desc=f"{self.stage:12}", unit="step",
            file=sys.stderr, mininterval=1.0, disable=not main,
        ) as bar:  # fmt: skip
            while self.step < self.config.steps and not self.stopped:
                scalars = self._train_step()
                waited += float(scalars.pop("data_wait_s", 0.0))
                bar.update()
                if self.step % _LOG_EVERY == 0 or self.step == self.config.steps:
                    seconds = time.monotonic() - started
                    bar.set_postfix(loss=f"{scalars['loss']:.4f}")
                    scalars["steps_per_s"] = (self.step - first) / seconds
                    scalars["data_wait_share"] = waited / seconds
                    self.monitor.scalars(self.step, {k: float(v) for k, v in scalars.items()})
                if self.step % self.config.save_every == 0 or self.step == self.config.steps:
                    self._save()
        self.monitor.close()
        self._average.copy_to_module()
        make_whole(self._loss)
        self.module.eval()

    def stop(self) -> None:
        """End training after the state that was saved last; for `on_save`, in any one process."""
        self.stopped = True

    def agree_to_stop(self) -> None:
        """Let every process know whether the first one stopped; all call it in `on_save`."""
        if self.accelerator.num_processes > 1:
            told = broadcast_object_list([self.stopped])
            self.stopped = bool(told[0])

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Lend the module its averaged weights, in evaluation mode."""
        self.module.eval()
        with self._average.in_module():
            yield
        self.module.train()

    def _train_step(self) -> dict[str, float | Tensor]:
        """Take one optimiser step; return what to log."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.config)
        self._optimizer.zero_grad(set_to_none=True)
        results = [self._backward(rows, rows is self.parts[-1]) for rows in self.parts]
        norm = whole(nn.utils.clip_grad_norm_(self._learned.values(), self.config.grad_clip))
        shares = [_length(rows) / self._local_rows for rows in self.parts]
        means = [r.losses.detach().float().mean() * s for r, s in zip(results, shares, strict=True)]
        mean = torch.stack(means).sum()
        if self.accelerator.num_processes > 1:
            mean = self.accelerator.reduce(mean, reduction="mean")
        # The one place of a step where the host waits for the device.
        loss, grad_norm = torch.stack([mean, norm.to(mean)]).tolist()
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            self._refuse(results)
        self._optimizer.step()
        self._average.update()
        self.step += 1
        scalars = _weighted([result.scalars for result in results], shares)
        return {
            "loss": loss, "grad_norm": grad_norm,
            "learning_rate": learning_rate(self.step - 1, self.config), **scalars,
        }  # fmt: skip

    @property
    def _local_rows(self) -> int:
        return sum(map(_length, self.parts))

    def _backward(self, rows: slice, last: bool) -> StepLoss:
        """Add the gradient of some rows; processes exchange gradients after the last of them."""
        draw = StepDraw.of(
            self.seed, self.stage, self.step, batch_size=self.config.batch_size, rows=rows
        )
        device = self.accelerator.device.type
        bf16 = self.config.mixed_precision == "bf16"
        with nullcontext() if last else self.accelerator.no_sync(self._wrapped):
            with torch.autocast(device, torch.bfloat16) if bf16 else nullcontext():
                losses = self._wrapped(draw)
            self.accelerator.backward(losses.float().mean() * (_length(rows) / self._local_rows))
        result, self._loss.result = self._loss.result, None
        assert result is not None
        return result

    def _refuse(self, results: list[StepLoss]) -> None:
        """Stop before the optimiser spoils the weights; name the images, of every process."""
        bad, every = [], []
        for result in results:
            finite = torch.isfinite(result.losses.detach()).cpu()
            examples = result.examples.cpu()
            every += examples.tolist()
            bad += examples[~finite].tolist() if finite.dim() else []
            bad += examples.tolist() if not finite.dim() and not finite else []
        if self.accelerator.num_processes > 1:
            bad, every = gather_object(bad), gather_object(every)
        what = f"the loss is not finite for images {bad}; look at them in the manifest or"
        if not bad:
            what = f"the gradient is not finite for images {every};"
        raise TrainingError(
            f"{self.stage}, step {self.step}: {what} lower learning_rate "
            f"({self.config.learning_rate:g} now), and go on with the run",
            by_command="`--resume` goes on.",
        )

    # -- resume -----------------------------------------------------------------------------------

    def _save(self) -> None:
        """Write the state whole: a kill leaves the old one or the new one."""
        state = {
            "step": self.step,
            "learning_rate": self.config.learning_rate,
            "module": {name: whole(value) for name, value in learned_state(self.module).items()},
            "optimizer": _whole_optimizer(self._optimizer.state_dict()),
            "average": self._average.state_dict(),
            "companions": {name: each.state_dict() for name, each in self.companions.items()},
        }
        if self.accelerator.is_main_process:
            self._write(state)
        self.accelerator.wait_for_everyone()
        if self.on_save:
            self.on_save(self.step)

    def _write(self, state: dict[str, Any]) -> None:
        partial = temporary_sibling(self._state_path)
        try:
            with partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self._state_path)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as either
            partial.unlink(missing_ok=True)
            reason = " ".join(str(error).split())[:120]
            raise TrainingError(
                f"{self._state_path} cannot be written ({reason}); the state before it is whole: "
                "free some space, then run the same command to resume"
            ) from None

    def _resume(self) -> None:
        if not self._state_path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(
                self._state_path, map_location="cpu", weights_only=True
            )
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            raise TrainingError(
                f"{self._state_path} cannot be read ({reason}); delete it to begin the stage again"
            ) from None
        carried = state.get("companions", {})
        if carried.keys() != self.companions.keys():
            raise TrainingError(
                f"{self._state_path} carries {sorted(carried) or 'no companions'}, this run "
                f"{sorted(self.companions) or 'none'}; it is of another version: begin anew",
                by_command="`--fresh` does.",
            )
        live = learned_state(self.module)
        weights = {name: like(value, live[name]) for name, value in state["module"].items()}
        load_learned(self.module, weights)
        parameters = list(self._learned.values())
        self._optimizer.load_state_dict(_spread_optimizer(state["optimizer"], parameters))
        self._average.load_state_dict(state["average"])
        for name, companion in self.companions.items():
            companion.load_state_dict(carried[name])
            self._changed |= getattr(companion, "changed", {})
        self.step = state["step"]
        rates = (float(state["learning_rate"]), self.config.learning_rate)
        if rates[0] != rates[1]:
            self._changed["learning_rate"] = rates


def default_accelerator() -> Accelerator:
    """Return what `accelerate launch` asked for, else one process on the best device there is."""
    exchange = DistributedDataParallelKwargs(gradient_as_bucket_view=True)
    return Accelerator(kwargs_handlers=[exchange])


def _set_up(module: nn.Module, config: LoopConfig, stage: str) -> None:
    if config.gradient_checkpointing:
        enable = getattr(module, "enable_gradient_checkpointing", None)
        if enable is None:
            raise InputError(
                f"{stage}_training.gradient_checkpointing: this network cannot; leave it false"
            )
        enable()
    if config.compile:
        module.compile()


def _whole_optimizer(state: dict[str, Any]) -> dict[str, Any]:
    moments = {
        number: {key: whole(value) for key, value in each.items()}
        for number, each in state["state"].items()
    }
    return {**state, "state": moments}


def _spread_optimizer(state: dict[str, Any], parameters: list[nn.Parameter]) -> dict[str, Any]:
    """Spread the moments (not the step counts) as the parameters they belong to are."""
    moments = {
        number: {
            key: like(value, parameters[number])
            if isinstance(value, Tensor) and value.dim()
            else value
            for key, value in each.items()
        }
        for number, each in state["state"].items()
    }
    return {**state, "state": moments}


def _length(rows: slice) -> int:
    return int(rows.stop - rows.start)


def _weighted(
    each: list[Mapping[str, float | Tensor]], shares: list[float]
) -> dict[str, float | Tensor]:
    names = each[0].keys()
    return {
        name: sum(s * scalars[name] for s, scalars in zip(shares, each, strict=True))
        for name in names
    }
