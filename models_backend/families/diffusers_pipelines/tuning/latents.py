"""Pictures as a pipeline's latents, in single precision whatever its weights are stored in.

SDXL's autoencoder overflows in half precision; it works once a picture, so nothing is saved by it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from models_backend.errors import InputError


class Latents:
    """The pipeline's autoencoder with its scaling."""

    def __init__(self, vae: Any) -> None:
        if type(vae) is not AutoencoderKL:
            raise InputError(
                f"its autoencoder is a {type(vae).__name__}: tuned are pipelines with AutoencoderKL"
            )
        self._vae: Any = vae.to(dtype=torch.float32).requires_grad_(False)
        config = vae.config
        self._scale = float(config["scaling_factor"])
        shift = config.get("shift_factor") or 0.0
        mean, std = config.get("latents_mean"), config.get("latents_std")
        has_both = mean is not None and std is not None
        self._mean = _per_channel(mean if has_both else [shift])
        self._std = _per_channel(std if has_both else [1.0])

    @property
    def channels(self) -> int:
        """C: channels of a latent."""
        return int(self._vae.config["latent_channels"])

    @property
    def factor(self) -> int:
        """Pixels of a side that become one latent."""
        return int(2 ** (len(self._vae.config["block_out_channels"]) - 1))

    @torch.no_grad()
    def of(self, pixels: Tensor) -> Tensor:
        """Return the scaled means (B, C, h, w) of images (B, 3, H, W) in [-1, 1].

        Raises:
            InputError: NaN or infinity: broken weights.
        """
        with torch.autocast(pixels.device.type, enabled=False):
            mode: Tensor = self._vae.encode(pixels.float()).latent_dist.mode()
        if not torch.isfinite(mode).all():
            raise InputError(
                "the parent's autoencoder makes NaN or infinity of a picture, in single precision: "
                "its weights are broken; get the checkpoint again"
            )
        return (mode - self._mean.to(mode)) * self._scale / self._std.to(mode)

    def decoded(self, z: Tensor) -> Tensor:
        """Return images (B, 3, H, W), about -1 to 1, of scaled latents; with a gradient to z."""
        latents = z * self._std.to(z) / self._scale + self._mean.to(z)
        with torch.autocast(z.device.type, enabled=False):
            images: Tensor = self._vae.decode(latents.float()).sample
        return images

    def digest(self) -> str:
        """Return a hash of all that latents hang on beside the pictures."""
        digest = hashlib.sha256(f"{self._scale} {self._mean} {self._std}".encode())
        for name, value in sorted(self._vae.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
        return digest.hexdigest()


def _per_channel(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
