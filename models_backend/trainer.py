"""The training loop: deterministic, resumable after a kill at any moment.

Every draw of step s comes from a generator seeded by (seed, stage, s), so a resumed run needs no
saved random state and goes on exactly as if it had not stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models_backend.config import LoopConfig
from models_backend.errors import TrainingError
from models_backend.files import temporary_sibling

_LOG_EVERY = 20


@dataclass(frozen=True)
class StepLoss:
    """What one step computes: losses (B,) with the examples they belong to, and scalars to log."""

    losses: Tensor
    examples: Tensor
    scalars: dict[str, float]


class Stateful(Protocol):
    """Whatever a state file can carry: a module, an optimiser, a scheduler."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take what `state_dict` returned."""


StepFunction = Callable[[torch.Generator], StepLoss]


def learning_rate(step: int, config: LoopConfig) -> float:
    """Linear warm-up to the peak, then half a cosine down to `final_lr_share` of it."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    span = max(1, config.steps - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / span)
    share = config.final_lr_share
    return config.learning_rate * (share + (1 - share) * 0.5 * (1 + math.cos(math.pi * progress)))


def step_generator(seed: int, stage: str, step: int) -> torch.Generator:
    """Return the generator of all of a step's randomness."""
    digest = hashlib.sha256(f"{seed}\n{stage}\n{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class Trainer:
    """Trains one module in one stage of a run; its state file is the resume point.

    `companions` are what the step function itself trains or counts, such as a discriminator and its
    optimiser: they are saved and restored with the state, and never touched otherwise.
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
    ) -> None:
        self.module = module
        self.config = config
        self.seed = seed
        self.stage = stage
        self.step = 0
        self.companions = dict(companions or {})
        self._state_path = run / f"state-{stage}.pt"
        self._log_path = run / "log.jsonl"
        self._optimizer = torch.optim.AdamW(
            module.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))

    def fit(self, step_function: StepFunction) -> None:
        """Train to the last step and leave the averaged weights in the module."""
        self._resume()
        self.module.train()
        started, first = time.monotonic(), self.step
        with tqdm(
            total=self.config.steps, initial=self.step, desc=f"{self.stage:12}", unit="step",
            file=sys.stderr, mininterval=1.0,
        ) as bar:  # fmt: skip
            while self.step < self.config.steps:
                scalars = self._train_step(step_function)
                bar.update()
                if self.step % _LOG_EVERY == 0 or self.step == self.config.steps:
                    rate = (self.step - first) / (time.monotonic() - started)
                    bar.set_postfix(loss=f"{scalars['loss']:.4f}")
                    self._log(scalars | {"steps_per_s": rate})
                if self.step % self.config.save_every == 0 or self.step == self.config.steps:
                    self._save()
        if self.config.ema_decay:
            self.module.load_state_dict(self._average.module.state_dict())
        self.module.eval()

    def _train_step(self, step_function: StepFunction) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.config)
        result = step_function(step_generator(self.seed, self.stage, self.step))
        loss = result.losses.mean()
        self._refuse_non_finite(result)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.config.grad_clip)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"{self.stage}, step {self.step}: the gradient is not finite for images "
                f"{result.examples.tolist()}; lower learning_rate, then resume"
            )
        self._optimizer.step()
        self._average.update_parameters(self.module)
        self.step += 1
        return {"loss": loss.item(), "grad_norm": float(norm), **result.scalars}

    def _refuse_non_finite(self, result: StepLoss) -> None:
        """Stop before the optimiser spoils the weights."""
        bad = ~torch.isfinite(result.losses.detach())
        if bad.any():
            where = result.examples[bad].tolist() if bad.dim() else result.examples.tolist()
            raise TrainingError(
                f"{self.stage}, step {self.step}: the loss is not finite for images {where}; look "
                "at them in the manifest or lower learning_rate, then resume"
            )

    def _log(self, scalars: dict[str, float]) -> None:
        entry = {"stage": self.stage, "step": self.step} | {
            name: round(value, 6) for name, value in scalars.items()
        }
        with self._log_path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")

    # -- resume -----------------------------------------------------------------------------------

    def _save(self) -> None:
        """Write the state whole: a kill leaves the old one or the new one."""
        state = {
            "step": self.step,
            "module": self.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.state_dict(),
            "companions": {name: each.state_dict() for name, each in self.companions.items()},
        }
        partial = temporary_sibling(self._state_path)
        torch.save(state, partial)
        os.replace(partial, self._state_path)

    def _resume(self) -> None:
        if not self._state_path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(self._state_path, weights_only=True)
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            raise TrainingError(
                f"{self._state_path} cannot be read ({reason}); delete it to begin the stage again"
            ) from None
        carried = state.get("companions", {})
        if carried.keys() != self.companions.keys():
            raise TrainingError(
                f"{self._state_path} carries {sorted(carried) or 'no companions'}, this run "
                f"{sorted(self.companions) or 'none'}; it is of another version: begin with --fresh"
            )
        self.module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average.load_state_dict(state["average"])
        for name, companion in self.companions.items():
            companion.load_state_dict(carried[name])
        self.step = state["step"]
