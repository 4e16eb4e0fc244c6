"""What an architecture is made of, checked when a configuration is read. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from models_backend.errors import InputError

AUTOENCODER_GROUPS = 8
UNET_GROUPS = 16


@dataclass(frozen=True)
class AutoencoderConfig:
    """Architecture of an :class:`~models_backend.nn.autoencoder.Autoencoder`."""

    latent_channels: int = 16
    """4, 8 or 16: what the paper compares."""
    outer_width: int = 64
    """Channels at a quarter of the image's side; a multiple of 8."""
    inner_width: int = 96
    """Channels at an eighth of the image's side; a multiple of 8."""
    blocks: int = 2
    """Residual blocks at each resolution, 1 to 8."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.latent_channels not in (4, 8, 16):
            raise InputError(f"latent_channels {self.latent_channels}: accepted are 4, 8 and 16")
        for name in ("outer_width", "inner_width"):
            width = getattr(self, name)
            if not 8 <= width <= 2048 or width % AUTOENCODER_GROUPS:
                raise InputError(f"{name} {width}: accepted are multiples of 8 up to 2048")
        if not 1 <= self.blocks <= 8:
            raise InputError(f"blocks {self.blocks}: accepted are 1 to 8")


@dataclass(frozen=True)
class UNetConfig:
    """Architecture of the denoiser."""

    widths: tuple[int, ...] = (80, 112)
    """Channels at each resolution, finest first; multiples of 16."""
    layers: int = 1
    """Residual blocks at each resolution, 1 to 8."""
    heads: int = 4
    """Attention heads, 1 to 64; a divisor of every width."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 2 <= len(self.widths) <= 6:
            raise InputError(f"widths {list(self.widths)}: give 2 to 6 resolutions")
        if not 1 <= self.heads <= 64:
            raise InputError(f"heads {self.heads}: accepted are 1 to 64")
        for width in self.widths:
            if width % UNET_GROUPS or width % self.heads or not 16 <= width <= 4096:
                raise InputError(
                    f"widths {list(self.widths)}: {width} is not a multiple of 16 and of heads "
                    "from 16 to 4096"
                )
        if not 1 <= self.layers <= 8:
            raise InputError(f"layers {self.layers}: accepted are 1 to 8")
