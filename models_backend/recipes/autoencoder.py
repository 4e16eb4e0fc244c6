"""Training an autoencoder: reconstruction, KL, and where asked fixed features and an adversary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from accelerate import PartialState
from torch import Tensor, nn

from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.losses import AutoencoderLossConfig
from models_backend.errors import TrainingError
from models_backend.nn.adversary import (
    GaborFeatures,
    PatchDiscriminator,
    adaptive_weight,
    hinge_loss,
)
from models_backend.nn.pixels import to_unit_range
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import Stateful, StepLoss, Trainer


class _AtRate:
    """An optimiser that keeps the learning rate it was given over a resume."""

    def __init__(self, optimizer: torch.optim.Optimizer, rate: float) -> None:
        self._optimizer, self._rate = optimizer, rate
        self.changed: dict[str, tuple[float, float]] = {}
        """For the trainer to log: setting, old and new value."""

    def state_dict(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self._optimizer.load_state_dict(state)
        old = float(self._optimizer.param_groups[0]["lr"])
        if old != self._rate:
            self.changed["discriminator_learning_rate"] = old, self._rate
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate


class Compressor(Protocol):
    """What takes pictures apart and puts them together again: an autoencoder, a tokenizer."""

    @property
    def last_layer(self) -> Tensor:
        """Weight of the last convolution: where adversarial losses are balanced."""

    def training_pass(
        self, x: Tensor, noise: Callable[[tuple[int, ...]], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return x (B, 3, H, W) as put together again, and what its code costs (B,)."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return x (B, 3, H, W) as put together again, nothing drawn."""


class AutoencoderLoss:
    """Loss of an autoencoder, with the adversary it trains beside it.

    `adversary` exists from the first step where its weight is above 0, so that a state file always
    carries it; it is trained and used from `adversarial_start` on.
    """

    def __init__(self, autoencoder: Compressor, config: AutoencoderLossConfig) -> None:
        self.autoencoder = autoencoder
        self.config = config
        device = autoencoder.last_layer.device
        self.features = GaborFeatures().to(device)
        self.adversary: PatchDiscriminator | None = None
        if config.adversarial_weight:
            self.adversary = PatchDiscriminator(config.discriminator_width).to(device)
            self._optimizer = torch.optim.AdamW(
                self.adversary.parameters(),
                lr=config.discriminator_learning_rate,
                betas=(0.5, 0.9),
                weight_decay=0.0,
            )

    @property
    def companions(self) -> Mapping[str, Stateful]:
        """What a resumed run must find as it was."""
        if self.adversary is None:
            return {}
        optimizer = _AtRate(self._optimizer, self.config.discriminator_learning_rate)
        return {"discriminator": self.adversary, "discriminator_optimizer": optimizer}

    def __call__(self, x: Tensor, *, draw: StepDraw) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of each of the images x (B, 3, H, W), shape (B,), and parts of it."""
        x = x.to(self.autoencoder.last_layer.device)
        y, kl = self.autoencoder.training_pass(
            x, lambda shape: draw.noise(shape, offset=0.0, device=x.device)
        )
        reconstruction = self._reconstruction(x, y)
        scalars = {"reconstruction": reconstruction.detach().mean(), "kl": kl.detach().mean()}
        losses = reconstruction
        if self.config.perceptual_weight:
            perceptual = self.features.distance(y, x)
            scalars["perceptual"] = perceptual.detach().mean()
            losses = losses + self.config.perceptual_weight * perceptual
        if self.adversary is not None and draw.step >= self.config.adversarial_start:
            adversarial, parts = self._adversarial(x, y, losses.mean())
            losses, scalars = losses + adversarial, scalars | parts
        return losses + self.config.kl_weight * kl, scalars

    def _reconstruction(self, x: Tensor, y: Tensor) -> Tensor:
        error = y - x
        absolute, square = error.abs().mean(dim=(1, 2, 3)), error.square().mean(dim=(1, 2, 3))
        by_name = {"l1": absolute, "l2": square, "l1+l2": absolute + square}
        return by_name[self.config.reconstruction]

    def _adversarial(
        self, x: Tensor, y: Tensor, wanted: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Train the adversary on this batch, then ask it; return each image's term, (B,)."""
        assert self.adversary is not None
        judged = hinge_loss(self.adversary(x), self.adversary(y.detach()))
        if not torch.isfinite(judged):
            raise TrainingError(
                "the discriminator's loss is not finite; lower discriminator_learning_rate "
                f"({self.config.discriminator_learning_rate:g} now), and go on with the run",
                by_command="`--resume` goes on.",
            )
        self._optimizer.zero_grad(set_to_none=True)
        judged.backward()
        self._optimizer.step()
        self.adversary.requires_grad_(False)
        fooled = -self.adversary(y).mean(dim=(1, 2, 3))
        self.adversary.requires_grad_(True)
        weight = adaptive_weight(wanted, fooled.mean(), self.autoencoder.last_layer)
        parts = {
            "discriminator": judged.detach(),
            "adversarial": fooled.detach().mean(),
            "adversarial_weight": weight,
        }
        return self.config.adversarial_weight * weight * fooled, parts


def train_autoencoder(
    autoencoder: nn.Module,
    pictures: Tensor,
    *,
    loop: LoopConfig,
    losses: AutoencoderLossConfig,
    seed: int,
    run: Path,
    stage: str = "autoencoder",
) -> None:
    """Train on bytes (N, 3, H, W), mirrored half of the time; resumes from `run`.

    Raises:
        TrainingError: a loss that is not finite.
    """
    # Where the trainer will put it: features and adversary are made beside it.
    device = PartialState().device
    autoencoder.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = AutoencoderLoss(cast(Compressor, autoencoder), losses)

    def step(draw: StepDraw) -> StepLoss:
        images = torch.randint(len(pictures), (loop.batch_size,), generator=draw)[draw.rows]
        mirrored = (torch.rand(loop.batch_size, generator=draw) < 0.5)[draw.rows]
        batch = pictures[images]
        batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(3), batch)
        each, scalars = loss(to_unit_range(batch), draw=draw)
        return StepLoss(each, images, scalars)

    trainer = Trainer(
        module=autoencoder,
        config=loop,
        seed=seed,
        stage=stage,
        run=run,
        companions=loss.companions,
    )
    trainer.fit(step)
