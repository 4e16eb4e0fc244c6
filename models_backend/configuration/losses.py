"""What an autoencoder, or a tokenizer, is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from models_backend.configuration.checking import check_range
from models_backend.errors import InputError

RECONSTRUCTIONS = ("l1", "l2", "l1+l2")


@dataclass(frozen=True)
class AutoencoderLossConfig:
    """What an autoencoder is trained on. The paper names an adversarial loss and no numbers."""

    reconstruction: str = "l1+l2"
    """Error of pixels in [-1, 1]: mean absolute, mean square, or their sum."""
    kl_weight: float = 1e-4
    perceptual_weight: float = 0.0
    """Weight of the difference in fixed multi-scale Gabor responses (`nn.adversary`)."""
    adversarial_weight: float = 0.0
    """Weight of the patch discriminator's hinge loss, on top of the adaptive one; 0 has none."""
    adversarial_start: int = 1000
    """Step at which the discriminator joins in: a warm-up without it."""
    discriminator_width: int = 32
    """Channels of the discriminator's first layer; a multiple of 8."""
    discriminator_learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.reconstruction not in RECONSTRUCTIONS:
            raise InputError(
                f"reconstruction {self.reconstruction!r}: accepted are {', '.join(RECONSTRUCTIONS)}"
            )
        check_range("kl_weight", self.kl_weight, 0.0, 10.0)
        check_range("perceptual_weight", self.perceptual_weight, 0.0, 100.0)
        check_range("adversarial_weight", self.adversarial_weight, 0.0, 100.0)
        check_range("adversarial_start", self.adversarial_start, 0, 10**8)
        check_range("discriminator_width", self.discriminator_width, 8, 512)
        if self.discriminator_width % 8:
            raise InputError(
                f"discriminator_width {self.discriminator_width}: accepted are multiples of 8"
            )
        check_range("discriminator_learning_rate", self.discriminator_learning_rate, 1e-9, 1.0)
