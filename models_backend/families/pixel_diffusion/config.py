"""How pixel diffusion is pre-trained: a base, then its upsamplers. No torch here.

The stages, the noise put on the small image and its level told to the upsampler are those of
cascaded diffusion (Ho et al. 2022, arXiv 2106.15282) and Imagen (Saharia et al. 2022); folding
pixels into channels, widths and steps are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from models_backend.configuration.checking import check_range
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.unets import refuse_two_encoders, unet_config
from models_backend.errors import InputError
from models_backend.nn.architecture import ScheduleConfig, UNetConfig

UNFOLDS = (1, 2, 4, 8)


@dataclass(frozen=True)
class PixelStageConfig:
    """One network: its U-Net, and how pixels are folded for it."""

    unet: UNetConfig
    unfold: int = 1
    """Side of the squares of pixels that become channels: 1 is a U-Net over pixels, 2 and 4 let a
    CPU train one."""
    augmentation: float = 0.1
    """Upsamplers: noise put on the small image in sampling, 0 to `augmentation_most`."""
    augmentation_most: float = 0.5
    """Upsamplers: the most noise put on it in training, drawn evenly from 0; 1 is noise alone."""
    residual: float = 0.1
    """Upsamplers: the network learns what an image has beyond its small one enlarged bicubically,
    divided by this, about the root mean square of that (0.085 on emoji of 64 pixels, bytes counted
    as [-1, 1]). 0: it learns whole images, as Imagen's do; then it must first learn to copy what it
    is shown, which takes long (`recorded/README.md`)."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.unfold not in UNFOLDS:
            raise InputError(f"unfold {self.unfold}: accepted are 1, 2, 4 and 8")
        check_range("augmentation_most", self.augmentation_most, 0.0, 1.0)
        check_range("augmentation", self.augmentation, 0.0, self.augmentation_most)
        check_range("residual", self.residual, 0.0, 2.0)

    @property
    def factor(self) -> int:
        """What divides the side of its images."""
        return int(self.unfold * 2 ** (len(self.unet.widths) - 1))

    @classmethod
    def of(cls, table: dict[str, Any], where: str) -> PixelStageConfig:
        """Return a table as a stage; what is not of the stage itself is of its U-Net.

        Raises:
            InputError: an unknown key or value, named by `where`.
        """
        own = {name: table[name] for name in _OWN if name in table}
        rest = {name: value for name, value in table.items() if name not in own}
        for name, value in own.items():
            kind = int if name == "unfold" else float
            if type(value) not in (int, kind):
                raise InputError(f"{where}.{name} = {value!r} must be of type {kind.__name__}")
        try:
            return cls(unet_config(rest, where), **own)
        except InputError as error:
            message = str(error)
            raise InputError(message if where in message else f"{where}.{message}") from None


_OWN = ("unfold", "augmentation", "augmentation_most", "residual")


@dataclass(frozen=True, kw_only=True)
class PixelPretrainConfig(PretrainConfig):
    """Pre-training of pixel diffusion."""

    family: str = "pixel_diffusion"
    base_training: LoopConfig
    upsampler_training: LoopConfig | None = None
    """Of each upsampler, one after the other."""
    sizes: tuple[int, ...] = ()
    """Sides of the stages' images in pixels, rising; the last is `image_size`. Where none is
    given the base makes the whole image."""
    base: dict[str, Any] = field(default_factory=dict)
    """See `PixelStageConfig` and `nn.architecture.UNetConfig`."""
    upsamplers: tuple[dict[str, Any], ...] = ()
    """As `base`, one for each step of `sizes`."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    thresholding: float = 0.995
    """Quantile of the values of the clean image that is scaled back to [-1, 1] at each step of
    sampling (dynamic thresholding). 0 cuts values off there: better for drawings on white, whose
    ground is at the edge of the range, and turns grey when it is scaled."""

    def __post_init__(self) -> None:
        """Refuse values out of range, and stages that do not follow one another."""
        super().__post_init__()
        if self.thresholding:
            check_range("thresholding", self.thresholding, 0.5, 1.0)
        sizes = self.all_sizes()
        rises = all(b > a and b % a == 0 for a, b in pairwise(sizes))
        if not rises or sizes[-1] != self.image_size:
            raise InputError(
                f"sizes {list(sizes)}: give rising sides, each a multiple of the one before, the "
                f"last image_size ({self.image_size})"
            )
        if len(self.upsamplers) != len(sizes) - 1:
            raise InputError(
                f"upsamplers: {len(self.upsamplers)} given, sizes {list(sizes)} need "
                f"{len(sizes) - 1}; give a table [[upsamplers]] for each"
            )
        if self.upsamplers and self.upsampler_training is None:
            raise InputError("missing key upsampler_training: there are upsamplers to train")
        for stage, size, where in zip(
            self.all_stages_of_pixels(), sizes, self._names(), strict=True
        ):
            if size % stage.factor:
                raise InputError(
                    f"sizes {list(sizes)}: {size} is no multiple of {stage.factor}, which unfold "
                    f"and the widths of {where} divide it by"
                )
            refuse_two_encoders(self.text, stage.unet, where)

    def all_sizes(self) -> tuple[int, ...]:
        """Return the stages' sides."""
        return self.sizes or (self.image_size,)

    def all_stages_of_pixels(self) -> tuple[PixelStageConfig, ...]:
        """Return base and upsamplers, checked."""
        tables = (self.base, *self.upsamplers)
        return tuple(
            PixelStageConfig.of(table, name)
            for table, name in zip(tables, self._names(), strict=True)
        )

    def _names(self) -> tuple[str, ...]:
        return ("base", *(f"upsamplers[{place}]" for place in range(len(self.upsamplers))))

    def part_training(self, part: str) -> LoopConfig:
        """Return the loop of the base or of an upsampler."""
        if part == "base":
            return self.base_training
        assert self.upsampler_training is not None
        return self.upsampler_training
