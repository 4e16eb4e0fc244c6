"""How a latent diffusion model is pre-trained: autoencoder, then denoiser. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from models_backend.configuration.building import build
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.losses import AutoencoderLossConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.unets import refuse_two_encoders, unet_config
from models_backend.errors import InputError
from models_backend.nn.architecture import AutoencoderConfig, ScheduleConfig, UNetConfig


@dataclass(frozen=True, kw_only=True)
class LatentPretrainConfig(PretrainConfig):
    """Pre-training of a latent diffusion model."""

    autoencoder_training: LoopConfig
    denoiser_training: LoopConfig
    autoencoder: dict[str, Any] = field(default_factory=dict)
    """See `nn.architecture.AutoencoderConfig`; `image_size` is a multiple of its factor."""
    unet: dict[str, Any] = field(default_factory=dict)
    """See `nn.architecture.UNetConfig`; `size` names one of `nn.architecture.UNET_SIZES`."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    autoencoder_loss: AutoencoderLossConfig = field(default_factory=AutoencoderLossConfig)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        factor = self.autoencoder_config().factor
        if self.autoencoder_config().alpha:
            raise InputError(
                "autoencoder.alpha: a decoder learns transparency after pre-training; leave it "
                "out, then teach it the checkpoint (docs/training.md)",
                by_command="`python -m models_backend.transparency --parent CHECKPOINT` does it.",
            )
        if self.image_size % factor:
            raise InputError(f"image_size {self.image_size}: accepted are multiples of {factor}")
        refuse_two_encoders(self.text, self.unet_config(), "unet")

    def autoencoder_config(self) -> AutoencoderConfig:
        """Return the table `autoencoder`, checked."""
        return build(AutoencoderConfig, self.autoencoder, "autoencoder.")

    def unet_config(self) -> UNetConfig:
        """Return the table `unet`, checked."""
        return unet_config(self.unet, "unet")
