"""Diffusion-DPO on any family: a pair's two images share prompt, noise and time.

The parent is the same network with the weights it began with (`training.frozen`), so that there is
one copy of everything else. Each part of a family is tuned by itself. Text encoders and what
prepares pictures run once, before the first step.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_backend.configuration.feedback import PreferenceConfig
from models_backend.families.base import Family
from models_backend.families.batch import TrainingBatch, training_batch
from models_backend.preferences.reading import PreferenceSet
from models_backend.recipes.candidates import load_candidate, read_outcome
from models_backend.recipes.grids import refuse_sharded
from models_backend.recipes.guard import guard_table
from models_backend.recipes.guarding import Guarding, choices
from models_backend.recipes.parts import refuse_noise_offset
from models_backend.recipes.preference_data import DecidedPairs, aspects_of
from models_backend.recipes.preference_loss import preference_losses
from models_backend.recipes.quality_tune import tuned_parts
from models_backend.training.frozen import FrozenWeights
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer, default_accelerator

_FIXED_PAIRS = 64


def tune_by_preferences(
    config: PreferenceConfig, *, parent: Family, data: Path, run: Path
) -> tuple[Family, dict[str, Any]]:
    """Tune `parent` in place on the preference set `data`; return it and how it was stopped.

    Raises:
        InputError: too few pairs or held-out prompts, a judge that cannot be used, or a setting
            that the family cannot honour.
    """
    found = PreferenceSet.open(data)
    parts = tuned_parts(config, parent)
    refuse_noise_offset(parent, config.noise_offset)
    aspects = aspects_of(config, found)
    parent.to(default_accelerator().device)
    size = parent.image_size[0]
    train = DecidedPairs.of(found, "train", aspects, size)
    guarding = None
    if config.guard.candidates:
        guarding = Guarding.of(config, parent, found, train)
    for part in parts:
        _tune_part(config, parent, part, train, found, aspects, guarding, run)
        if guarding is not None:
            outcome = read_outcome(guarding.folder(parent, part, run))
            if default_accelerator().is_main_process:
                print(guard_table(outcome), file=sys.stderr)
            load_candidate(parent, run, part, int(outcome["picked_step"]))
    parent.to("cpu")
    facts = {
        "preferences_sha256": found.sha256, "pairs": len(train.winners), "aspects": list(aspects),
        "simulated": found.mark["simulated"],
    }  # fmt: skip
    return parent, facts | (choices(guarding, parent, run, parts) if guarding else {})


def _tune_part(
    config: PreferenceConfig,
    family: Family,
    part: str,
    train: DecidedPairs,
    found: PreferenceSet,
    aspects: tuple[str, ...],
    guarding: Guarding | None,
    run: Path,
) -> None:
    family.to(default_accelerator().device)
    trainer = Trainer(
        module=family.part(part), config=config.training, seed=config.seed, stage=part, run=run
    )
    if config.loss != "winners":
        refuse_sharded(trainer, "preference", "tune an adapter: [lora]")
    device = trainer.accelerator.device
    parent = FrozenWeights(family.part(part))
    sampled = guarding.prompts if guarding else []
    family.text_encoder.rows(["", *train.shown.prompts, *sampled])
    if guarding is not None:
        held = DecidedPairs.of(found, "validation", aspects, family.image_size[0])
        family.text_encoder.rows(held.shown.prompts)
        fixed = _FixedPairs(config, family, part, held)
        guard = guarding.guard(family, part, run, winner_error=fixed.winner_error)
        trainer.on_save = guard.at
        guard.watch(trainer)
    family.text_encoder.rest()
    z = train.prepared(family, part).to(device)
    shape = family.noise_shape(part, tuple(z.shape[1:]))
    size = config.training.batch_size

    def step(draw: StepDraw) -> StepLoss:
        chosen = torch.multinomial(train.weights, size, replacement=True, generator=draw)
        dropped = torch.rand(size, generator=draw) < config.caption_dropout
        u, v = torch.rand(size, generator=draw), torch.rand(size, generator=draw)
        rows, kept = chosen[draw.rows], dropped[draw.rows]
        prompts = [
            "" if away else train.shown.prompts[at]
            for at, away in zip(train.winners[rows].tolist(), kept.tolist(), strict=True)
        ]
        noise = draw.noise(shape, offset=config.noise_offset, device=device)
        both = torch.cat([train.winners[rows], train.losers[rows]])
        batch = pair_batch(family, z[both.to(device)], prompts, noise, u[draw.rows], v[draw.rows])
        losses, scalars = pair_step(config, family, part, parent, batch)
        return StepLoss(losses, rows, scalars)

    trainer.fit(step)


def pair_batch(
    family: Family, z: Tensor, prompts: list[str], noise: Tensor, u: Tensor, v: Tensor
) -> TrainingBatch:
    """Return 2 B examples of z (2 B, ...), winners first; a pair shares text, noise and time."""
    text = family.text_encoder.encode(prompts * 2)
    return training_batch(z, text, noise.repeat(2, *[1] * (noise.dim() - 1)), u.repeat(2),
                          v.repeat(2))  # fmt: skip


def pair_step(
    config: PreferenceConfig, family: Family, part: str, parent: FrozenWeights, batch: TrainingBatch
) -> tuple[Tensor, dict[str, float | Tensor]]:
    """Return each pair's loss (B,), and what to log; `batch` is of :func:`pair_batch`."""
    if config.loss == "winners":
        half = len(batch["z"]) // 2
        whole: dict[str, Any] = dict(batch)
        only: Any = {name: value[:half] for name, value in whole.items()}
        winner = family.loss(only, part)
        return winner, {"winner_error": winner.detach().mean()}
    with parent.in_module():
        before = family.loss(batch, part)
    winner, loser = family.loss(batch, part).chunk(2)
    parent_winner, parent_loser = before.chunk(2)
    losses = preference_losses(
        winner, loser, parent_winner, parent_loser, beta=config.beta, kind=config.loss
    )
    if config.anchor:
        losses = losses + config.anchor * winner
    better = (winner - parent_winner) < (loser - parent_loser)
    return losses, {
        "winner_error": winner.detach().mean(),
        "winner_error_rise": (winner - parent_winner).detach().mean(),
        "loser_error_rise": (loser - parent_loser).detach().mean(),
        "implicit_accuracy": better.float().mean(),
    }


class _FixedPairs:
    """The error on preferred held-out images, of the same noise every time it is asked."""

    def __init__(
        self, config: PreferenceConfig, family: Family, part: str, held: DecidedPairs
    ) -> None:
        draw = StepDraw.of(config.seed, f"guard-{part}", 0, batch_size=_FIXED_PAIRS)
        rows = held.winners[
            torch.multinomial(held.weights, _FIXED_PAIRS, replacement=True, generator=draw)
        ]
        z = held.prepared(family, part)[rows].to(family.device)
        noise = draw.noise(
            family.noise_shape(part, tuple(z.shape[1:])), offset=config.noise_offset,
            device=family.device,
        )  # fmt: skip
        u = (torch.arange(_FIXED_PAIRS) + 0.5) / _FIXED_PAIRS
        text = family.text_encoder.encode([held.shown.prompts[row] for row in rows.tolist()])
        self._batch = training_batch(z, text, noise, u, torch.rand(len(u), generator=draw))
        self._family, self._part = family, part

    @torch.no_grad()
    def winner_error(self) -> float:
        return float(self._family.loss(self._batch, self._part).mean())
