"""A masked transformer: image tokens are hidden, and filled in from a caption (as Muse).

Emu quality-tunes such a model from scratch (section 4.3) and states no sizes: ours are in `config`.
Training hides a share of an image's tokens that a cosine gives for a uniform draw, at random
places (MaskGIT); the loss is the cross-entropy of the hidden ones.

Shapes: levels (B, N, D) int64, text tokens (B, L, W) with mask (B, L) and sentence vector (B, W).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.errors import InputError
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.guidance import texts_to_sample
from models_backend.families.masked_transformer import files
from models_backend.families.masked_transformer.config import MaskedPretrainConfig
from models_backend.families.masked_transformer.filling import accepted_sampler, fill_in
from models_backend.families.masked_transformer.parts import NAME, MaskedParts
from models_backend.families.settings import SamplingSettings
from models_backend.families.trained import TrainedFamily
from models_backend.nn.precision import sampling_autocast, sampling_dtype
from models_backend.nn.text import TextEncoder
from models_backend.nn.text_rows import TextEmbedding


class MaskedTransformer(TrainedFamily):
    """Tokenizer and transformer."""

    name = NAME
    pretrain_config = MaskedPretrainConfig
    parts = ("transformer",)
    compressor = "tokenizer"
    takes_noise_offset = False
    makes_one_shape = True  # tokens are known by their place

    def __init__(self, made_of: MaskedParts) -> None:
        self.made_of = made_of
        self.tokenizer, self.transformer = made_of.tokenizer, made_of.transformer
        self.text_encoder = made_of.text_encoder
        self.image_size = made_of.image_size

    @classmethod
    def from_config(cls, config: MaskedPretrainConfig) -> Self:
        return cls(
            MaskedParts.fresh(
                config.tokenizer,
                config.transformer_config(),
                (config.image_size, config.image_size),
                TextEncoder(config.text),
                config.filling,
            )
        )

    def part(self, name: str) -> nn.Module:
        return {"tokenizer": self.tokenizer, "transformer": self.transformer}[name]

    def for_sampling(self) -> Self:
        """Turn the weights to the precision that the device samples in; not to be trained then."""
        self.dtype = sampling_dtype(self.device)
        self.transformer.to(self.dtype)
        self.tokenizer.encoder.to(self.dtype)
        self.tokenizer.decoder.to(self.dtype)
        return self

    # -- training ---------------------------------------------------------------------------------

    def prepare(self, pixels: Tensor, part: str) -> Tensor:
        """Return the levels (B, N, D) of the images' tokens."""
        return self.tokenizer.encode(pixels)

    def prepared_for_cache(
        self, part: str, size: tuple[int, int]
    ) -> tuple[str, tuple[int, ...]] | None:
        digest = hashlib.sha256()
        for name, value in sorted(self.tokenizer.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
        # Half precision holds whole numbers up to 2,048: every level there is.
        rows, columns = self.made_of.grid
        return digest.hexdigest(), (rows * columns, len(self.transformer.levels))

    def noise_shape(self, part: str, prepared: tuple[int, ...]) -> tuple[int, ...]:
        """Noise decides the order in which an image's tokens are hidden: a number each."""
        return prepared[:1]

    def noise_levels(self, u: Tensor) -> Tensor:
        """Return the share of tokens that are masked. That style may be split by it is ours."""
        return torch.cos(u * (math.pi / 2))

    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
        """Return the mean cross-entropy, (B,), of each image's hidden tokens `z` (B, N, D)."""
        levels, u = batch["z"].long(), batch["u"]
        text = TextEmbedding(batch["tokens"], batch["mask"], batch["pooled"]).to(levels.device)
        tokens = levels.shape[1]
        count = (self.noise_levels(u) * tokens).ceil().clamp(1, tokens).to(levels.device)
        place = batch["noise"].to(levels.device).argsort(dim=1).argsort(dim=1)
        hidden = place < count[:, None]
        logits = self._logits(levels, hidden, text)
        smoothing = self.made_of.filling.label_smoothing
        each = [
            F.cross_entropy(
                of.float().transpose(1, 2), levels[..., d], reduction="none",
                label_smoothing=smoothing,
            )
            for d, of in enumerate(logits)
        ]  # fmt: skip
        error = torch.stack(each).mean(dim=0)
        return (error * hidden).sum(dim=1) / hidden.sum(dim=1)

    def _logits(self, levels: Tensor, hidden: Tensor, text: TextEmbedding) -> list[Tensor]:
        masked = self.text_encoder.config.masked
        logits = self.transformer(levels, hidden, text, masked=masked)
        return self.transformer.of_channels(logits)

    # -- sampling ---------------------------------------------------------------------------------

    @torch.no_grad()
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        """Return tokens (B, N, D); each image's are drawn by its own seed.

        Raises:
            InputError: another size than the model's, or a sampler of another family.
        """
        sampler = accepted_sampler(settings.sampler)
        self._refuse_other_sizes(settings)
        text = texts_to_sample(self.text_encoder, prompts, settings).to(self.device, self.dtype)
        guides = settings.guidance_scale != 1.0

        def logits(levels: Tensor, hidden: Tensor, scale: float) -> list[Tensor]:
            if not guides:
                return self._logits(levels, hidden, text)
            both = self._logits(torch.cat([levels, levels]), torch.cat([hidden, hidden]), text)
            pairs = [each.float().chunk(2) for each in both]
            return [blank + scale * (asked - blank) for blank, asked in pairs]

        filling = self.made_of.filling
        with sampling_autocast(self.device, self.dtype):
            levels = fill_in(
                logits,
                levels=self.transformer.levels,
                grid=self.made_of.grid,
                seeds=seeds,
                steps=settings.steps,
                guidance=settings.guidance_scale,
                sampler=sampler,
                temperature=filling.temperature,
                order_temperature=filling.order_temperature,
                device=self.device,
            )
        return Denoised.of(levels)

    def _refuse_other_sizes(self, settings: SamplingSettings) -> None:
        for name, own in zip(("height", "width"), self.image_size, strict=True):
            asked = getattr(settings, name)
            if asked not in (None, own):
                raise InputError(
                    f"{name} {asked}: a masked transformer makes the {own} pixels it was trained "
                    "for; leave it out"
                )

    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        with sampling_autocast(self.device, self.dtype):
            pixels = self.tokenizer.decode(latents, *self.made_of.grid)
        return pixels.float()

    # -- files ------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return self.made_of.describe()

    def save(self, folder: Path) -> None:
        """Write half-precision weights; arithmetic at load is in single precision again."""
        files.save(self.made_of, folder)

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when configuration and weights do not fit each other."""
        return cls(files.load(folder)).to(device).for_sampling()

    @classmethod
    def check(cls, folder: Path) -> None:
        files.check(folder)
