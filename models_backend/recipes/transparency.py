"""Teaching a decoder transparency: the encoder and the denoiser stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models_backend.configuration.transparency import TransparencyConfig
from models_backend.measures.pixels import psnr
from models_backend.nn.autoencoder import Autoencoder
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.transparency import alpha_error, on_white, transparency_loss
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer

STAGE = "transparency"
_BATCH = 32


def train_transparency(
    autoencoder: Autoencoder, pictures: Tensor, config: TransparencyConfig, run: Path
) -> None:
    """Train the decoder on bytes (N, 4, H, W), mirrored half of the time; resumes from `run`.

    A drawing is encoded on white, as the parent painted it and as its denoiser draws, and is to
    come back with its alpha.

    Raises:
        TrainingError: a loss that is not finite.
    """
    autoencoder.requires_grad_(False)
    autoencoder.decoder_network.requires_grad_(True)
    loop = config.training
    trainer = Trainer(module=autoencoder, config=loop, seed=config.seed, stage=STAGE, run=run)
    device = trainer.accelerator.device

    def step(draw: StepDraw) -> StepLoss:
        images = torch.randint(len(pictures), (loop.batch_size,), generator=draw)[draw.rows]
        mirrored = (torch.rand(loop.batch_size, generator=draw) < 0.5)[draw.rows]
        batch = pictures[images]
        batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(3), batch)
        wanted = to_unit_range(batch).to(device)
        with torch.no_grad():
            mean, logvar = autoencoder.encode(on_white(wanted))
            noise = draw.noise(tuple(mean.shape[1:]), offset=0.0, device=device)
            z = mean + noise * (0.5 * logvar).exp()
        losses = transparency_loss(autoencoder.painted(z), wanted)
        return StepLoss(losses, images, {})

    trainer.fit(step)
    autoencoder.requires_grad_(True)


@dataclass(frozen=True)
class AlphaMeasured:
    """Held-out drawings that were encoded on white, as the parent paints them."""

    drawings: int
    alpha_mean_absolute_error: float
    """From 0 to 1."""
    psnr_on_white: float
    """In dB, of what is decoded, put on white."""
    psnr_of_parent: float
    """In dB, of the parent's decoder on the same drawings."""

    def __str__(self) -> str:
        return (
            f"alpha is off by {self.alpha_mean_absolute_error:.4f} of 1; on white "
            f"{self.psnr_on_white:.2f} dB, the parent {self.psnr_of_parent:.2f} dB"
        )


@torch.no_grad()
def measure(parent: Autoencoder, child: Autoencoder, pictures: Tensor) -> AlphaMeasured:
    """Compare two decoders of the same latents on bytes (N, 4, H, W); on the child's device."""
    errors, of_child, of_parent = [], [], []
    device = child.last_layer.device
    parent.to(device)
    for part in pictures.split(_BATCH):
        wanted = to_unit_range(part).to(device)
        x = on_white(wanted)
        z = parent.encode(x)[0]
        y = child.decode(z)
        errors.append(alpha_error(y, wanted).cpu())
        of_child.append(psnr(x, on_white(y)).cpu())
        of_parent.append(psnr(x, parent.decode(z)).cpu())
    means = (float(torch.cat(each).mean()) for each in (errors, of_child, of_parent))
    return AlphaMeasured(len(pictures), *means)
