"""Pixel diffusion: a base makes a small image from noise, upsamplers make it large.

As cascaded diffusion and Imagen do it: an upsampler sees the small image with noise on it and is
told how much; the clean image is thresholded at each step. Emu quality-tunes such a model from
scratch (section 4.3) and states no sizes: ours are in `config`.

Shapes: images (B, 3, H, W) in [-1, 1], text tokens (B, L, W) with mask (B, L), sentence (B, W).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.errors import InputError
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.guidance import (
    Predict,
    last_step_with_gradient,
    texts_to_sample,
    undo_noise,
)
from models_backend.families.pixel_diffusion import files
from models_backend.families.pixel_diffusion.config import PixelPretrainConfig
from models_backend.families.pixel_diffusion.stages import (
    NAME,
    PixelStages,
    beyond,
    noise_of_stages,
    noised_small,
    pooled_noise,
    smaller,
    with_residual,
)
from models_backend.families.settings import SamplingSettings
from models_backend.families.trained import TrainedFamily
from models_backend.nn.folded_unet import FoldedUNet
from models_backend.nn.precision import (
    lay_out_for_convolutions,
    sampling_autocast,
    sampling_dtype,
)
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text import TextEncoder
from models_backend.nn.text_rows import TextEmbedding


class PixelDiffusion(TrainedFamily):
    """A base and any number of upsamplers."""

    name = NAME
    pretrain_config = PixelPretrainConfig

    def __init__(self, stages: PixelStages) -> None:
        self.stages = stages
        self.parts = stages.names
        self.image_size = stages.sizes[-1]
        self.text_encoder = stages.text_encoder
        self.schedule = stages.schedule
        self.size_multiple = math.lcm(self.size_multiple, *self._wholes)

    @classmethod
    def from_config(cls, config: PixelPretrainConfig) -> Self:
        sizes = tuple((size, size) for size in config.all_sizes())
        return cls(
            PixelStages.fresh(
                sizes,
                config.all_stages_of_pixels(),
                TextEncoder(config.text),
                NoiseSchedule(config.schedule),
                config.thresholding,
            )
        )

    def part(self, name: str) -> nn.Module:
        return self._network(name)

    def part_config(self, name: str) -> dict[str, Any]:
        """Return its size, network and task. Noise put on a small image in sampling is no part."""
        place = self._place(name)
        of_others = {"augmentation"} if place else {"augmentation", "augmentation_most", "residual"}
        stage = self.config()["stages"][place]
        return {key: value for key, value in stage.items() if key not in of_others}

    def _network(self, name: str | None) -> FoldedUNet:
        return self.stages.networks[self._place(name)]

    def _place(self, name: str | None) -> int:
        return 0 if name is None else self.parts.index(name)

    def for_sampling(self) -> Self:
        """Turn the weights to the precision that the device samples in; not to be trained then."""
        self.dtype = sampling_dtype(self.device)
        for network in self.stages.networks:
            network.to(self.dtype)
            lay_out_for_convolutions(network, self.device)
        return self

    # -- training ---------------------------------------------------------------------------------

    def prepare(self, pixels: Tensor, part: str) -> Tensor:
        """Return the images at the size of the part's own."""
        return smaller(pixels, self.image_size[0] // self.stages.sizes[self._place(part)][0])

    def noise_shape(self, part: str, prepared: tuple[int, ...]) -> tuple[int, ...]:
        """For an upsampler there is noise for the small image, too: three channels more."""
        channels, height, width = prepared
        return (2 * channels if self._place(part) else channels, height, width)

    def noise_levels(self, u: Tensor) -> Tensor:
        return self.schedule.levels(u)

    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
        """Return the squared error, (B,), of what is predicted for images `z` of the part's size.

        An upsampler's small image is made of `z` itself, with noise up to a level drawn evenly;
        the noise hides flaws of the small image from the network, not from what its output is added
        to.
        """
        z, place = batch["z"], self._place(part)
        text = TextEmbedding(batch["tokens"], batch["mask"], batch["pooled"]).to(z.device, z.dtype)
        t = self.schedule.times(batch["u"]).to(z.device)
        own, *beside = batch["noise"].to(z.device).split(3, dim=1)
        learned, small, level = z, None, None
        if place:
            factor = self._factor(place)
            level = batch["v"].to(z.device) * self.stages.configs[place].augmentation_most
            low, noise = smaller(z, factor), pooled_noise(beside[0], factor)
            small = noised_small(low, noise, level, (z.shape[2], z.shape[3]))
            learned = beyond(z, low, self.stages.configs[place].residual)
        noisy, target = self.schedule.noise_and_target(learned, own, t)
        predicted = self._predict(place, noisy, t, text, small=small, level=level)
        return (predicted - target).square().mean(dim=(1, 2, 3))

    def _factor(self, place: int) -> int:
        sizes = self.stages.sizes
        return sizes[place][0] // sizes[place - 1][0]

    def _predict(
        self,
        place: int,
        x: Tensor,
        t: Tensor,
        text: TextEmbedding,
        *,
        small: Tensor | None = None,
        level: Tensor | None = None,
    ) -> Tensor:
        if x.is_cuda:
            x = x.contiguous(memory_format=torch.channels_last)
        if small is not None and len(small) < len(x):  # with and without the caption
            small = small.repeat(len(x) // len(small), 1, 1, 1)
        if level is not None and len(level) < len(x):
            level = level.repeat(len(x) // len(level))
        predicted: Tensor = self.stages.networks[place](
            x.to(self.dtype),
            t,
            text,
            masked=self.text_encoder.config.masked,
            small=small,
            level=level,
        )
        return predicted.float()

    # -- sampling ---------------------------------------------------------------------------------

    @torch.no_grad()
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        """Return images; each one's noise, of every stage, comes from its own seed.

        Raises:
            InputError: a size the stages do not divide, or a sampler that does not fit what the
                networks predict.
        """
        sizes = self._sizes(settings)
        text = texts_to_sample(self.text_encoder, prompts, settings).to(self.device, self.dtype)
        noises = noise_of_stages(list(seeds), sizes, self.device)
        x = torch.empty(0)
        with sampling_autocast(self.device, self.dtype):
            for place, (own, on_small) in enumerate(noises):
                if on_small is None:
                    x = self._undo(partial(self._predict, place), own, text, settings)
                else:
                    x = self._enlarged(place, x, (own, on_small), text, settings)
        return Denoised.of(x)

    def _undo(
        self,
        predict: Predict,
        noise: Tensor,
        text: TextEmbedding,
        settings: SamplingSettings,
    ) -> Tensor:
        """Return whole images in [-1, 1], thresholded on the way."""
        sampler = self.schedule.sampler(settings.sampler, thresholding=self.stages.thresholding)
        return undo_noise(predict, noise, text, settings, sampler).clamp(-1, 1)

    def _enlarged(
        self,
        place: int,
        small: Tensor,
        noises: tuple[Tensor, Tensor],
        text: TextEmbedding,
        settings: SamplingSettings,
        *,
        told: float | None = None,
    ) -> Tensor:
        """Return small images (B, 3, h, w) in [-1, 1] at the size of the first of the `noises`.

        The second lies on the small image, at level `told`, the stage's own by default.
        """
        (own, on_small), config = noises, self.stages.configs[place]
        level = torch.full(
            (len(small),), config.augmentation if told is None else told, device=self.device
        )
        seen = noised_small(small, on_small, level, (own.shape[2], own.shape[3]))
        predict = partial(self._predict, place, small=seen, level=level)
        if not config.residual:
            return self._undo(predict, own, text, settings)
        found = undo_noise(predict, own, text, settings, self.schedule.sampler(settings.sampler))
        return with_residual(found, small, config.residual)

    @torch.no_grad()
    def upscale(
        self,
        small: Tensor,
        *,
        captions: Sequence[str],
        seeds: Sequence[int],
        settings: SamplingSettings,
    ) -> Tensor:
        """Return images (B, 3, h, w) in [-1, 1] enlarged by the last stage alone, (B, 3, H, W).

        Emu enlarges real images that are too small so (section 4.1). They lack a base's flaws, so
        no noise is put on them. Their size is free, unlike the settings': H / h is that of the last
        two stages.

        Raises:
            InputError: no upsampler, or a size that it does not divide.
        """
        place = len(self.stages.configs) - 1
        if place == 0:
            raise InputError("this pixel diffusion has a base alone; upscaling takes an upsampler")
        factor, whole = self._factor(place), self.stages.configs[place].factor
        size = (small.shape[2] * factor, small.shape[3] * factor)
        if size[0] % whole or size[1] % whole:
            raise InputError(f"{size[1]} x {size[0]}: accepted are multiples of {whole}")
        text = texts_to_sample(self.text_encoder, captions, settings).to(self.device, self.dtype)
        noises = noise_of_stages(list(seeds), [(small.shape[2], small.shape[3]), size], self.device)
        own, on_small = noises[1]
        assert on_small is not None
        with sampling_autocast(self.device, self.dtype):
            return self._enlarged(
                place, small.to(self.device), (own, on_small), text, settings, told=0.0
            )

    @property
    def upscaling(self) -> tuple[int, int]:
        """How much :meth:`upscale` enlarges, and of what the sides of a small image are multiples.

        Both are 1 for a base alone.
        """
        place = len(self.stages.configs) - 1
        if place == 0:
            return 1, 1
        factor = self._factor(place)
        return factor, max(1, -(-self.stages.configs[place].factor // factor))

    @property
    def _wholes(self) -> list[int]:
        """What each stage wants a side of the final image to be a multiple of."""
        return [
            self.image_size[0] // size[0] * config.factor
            for config, size in zip(self.stages.configs, self.stages.sizes, strict=True)
        ]

    def _sizes(self, settings: SamplingSettings) -> list[tuple[int, int]]:
        """Return the size of each stage for the size that is asked."""
        height, width = settings.height or self.image_size[0], settings.width or self.image_size[1]
        sizes = []
        for size, whole in zip(self.stages.sizes, self._wholes, strict=True):
            factor = self.image_size[0] // size[0]
            for name, side in (("height", height), ("width", width)):
                if side % whole:
                    raise InputError(f"{name} {side}: accepted are multiples of {whole}")
            sizes.append((height // factor, width // factor))
        return sizes

    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        return latents

    def graded_images(
        self, prompts: Sequence[str], noise: Tensor, settings: SamplingSettings, *, graded: int
    ) -> Tensor:
        """Of the base; the upsamplers follow what it shows, so its image is only enlarged."""
        text = texts_to_sample(self.text_encoder, prompts, settings).to(self.device, self.dtype)
        x = last_step_with_gradient(
            partial(self._predict, 0), noise.to(self.device), text, settings, self.schedule, graded
        )
        return F.interpolate(x, size=self.image_size, mode="bilinear", align_corners=False)

    # -- files ------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return self.stages.describe()

    def save(self, folder: Path) -> None:
        """Write half-precision weights; arithmetic at load is in single precision again."""
        files.save(self.stages, folder)

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when configuration and weights do not fit each other."""
        return cls(files.load(folder)).to(device).for_sampling()

    @classmethod
    def check(cls, folder: Path) -> None:
        files.check(folder)
