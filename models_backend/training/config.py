"""Run configurations: TOML files read strictly into dataclasses.

An unknown key, a wrong type or a value out of range is refused with the key's name. Defaults are
ours unless a comment cites the paper.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from models_backend.data.captions import CaptionMix
from models_backend.errors import InputError
from models_backend.nn.architecture import (
    UNET_SIZES,
    AutoencoderConfig,
    ScheduleConfig,
    TextConfig,
    UNetConfig,
)

T = TypeVar("T")
ROLES = ("pretrained", "quality_tuned", "baseline")
# Emu, section on quality-tuning: at most 15,000 iterations, however the loss still falls.
MAX_TUNING_STEPS = 15_000


@dataclass(frozen=True)
class LoopConfig:
    """One training loop."""

    steps: int
    """Optimiser steps."""
    batch_size: int = 64
    """Of one optimiser step, over all processes and micro-batches."""
    micro_batch_size: int = 0
    """Rows one process computes at once; 0 is its whole share. Smaller accumulates gradients."""
    mixed_precision: str = "no"
    """`bf16` computes the forward pass in bfloat16; weights and optimiser stay in float32."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile the network with `torch.compile`: minutes at the start, then faster steps."""
    learning_rate: float = 1e-3
    """Peak of a linear warm-up and cosine decay."""
    warmup_steps: int = 100
    final_lr_share: float = 0.02
    """The last step's learning rate as a share of the peak."""
    weight_decay: float = 1e-4
    grad_clip: float = 1.0
    """Largest norm of the gradient."""
    ema_decay: float = 0.999
    """Decay of the averaged weights that are saved; 0 saves the last weights."""
    save_every: int = 200
    """Steps between resumable states."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        _check_range("steps", self.steps, 1, 10**8)
        _check_range("batch_size", self.batch_size, 1, 10**6)
        _check_range("micro_batch_size", self.micro_batch_size, 0, self.batch_size)
        if self.mixed_precision not in ("no", "bf16"):
            raise InputError(f"mixed_precision {self.mixed_precision!r}: accepted are no and bf16")
        _check_range("learning_rate", self.learning_rate, 1e-9, 1.0)
        _check_range("warmup_steps", self.warmup_steps, 0, 10**7)
        _check_range("final_lr_share", self.final_lr_share, 0.0, 1.0)
        _check_range("weight_decay", self.weight_decay, 0.0, 10.0)
        _check_range("grad_clip", self.grad_clip, 1e-6, 1e6)
        _check_range("ema_decay", self.ema_decay, 0.0, 0.999999)
        _check_range("save_every", self.save_every, 1, 10**7)


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
        _check_range("kl_weight", self.kl_weight, 0.0, 10.0)
        _check_range("perceptual_weight", self.perceptual_weight, 0.0, 100.0)
        _check_range("adversarial_weight", self.adversarial_weight, 0.0, 100.0)
        _check_range("adversarial_start", self.adversarial_start, 0, 10**8)
        _check_range("discriminator_width", self.discriminator_width, 8, 512)
        if self.discriminator_width % 8:
            raise InputError(
                f"discriminator_width {self.discriminator_width}: accepted are multiples of 8"
            )
        _check_range("discriminator_learning_rate", self.discriminator_learning_rate, 1e-9, 1.0)


@dataclass(frozen=True)
class StageConfig:
    """One stage of pre-training at one resolution, its pictures read from disk as needed."""

    resolution: int
    """Side of the square bucket in pixels; a multiple of 8."""
    steps: int
    batch_size: int = 64
    noise_offset: float = 0.0
    """Emu: 0.02 in the last stage."""
    aspect_ratios: bool = False
    """Buckets from 1:2 to 2:1 of the same area; without, pictures are cut to squares."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        _check_range("resolution", self.resolution, 16, 4096)
        if self.resolution % 8:
            raise InputError(f"resolution {self.resolution}: accepted are multiples of 8")
        _check_range("steps", self.steps, 1, 10**8)
        _check_range("batch_size", self.batch_size, 1, 10**6)
        _check_range("noise_offset", self.noise_offset, 0.0, 1.0)


@dataclass(frozen=True)
class PretrainConfig:
    """The pretrain recipe: autoencoder, then denoiser, on the whole mixture."""

    name: str
    role: str
    autoencoder_training: LoopConfig
    denoiser_training: LoopConfig
    recipe: str = "pretrain"
    seed: int = 0
    image_size: int = 64
    """Side of the square images in pixels; a multiple of the autoencoder's factor."""
    autoencoder: dict[str, Any] = field(default_factory=dict)
    """See `nn.architecture.AutoencoderConfig`."""
    unet: dict[str, Any] = field(default_factory=dict)
    """See `nn.architecture.UNetConfig`; `size` names one of `nn.architecture.UNET_SIZES`."""
    text: TextConfig = field(default_factory=TextConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    autoencoder_loss: AutoencoderLossConfig = field(default_factory=AutoencoderLossConfig)
    captions: CaptionMix = field(default_factory=CaptionMix)
    caption_dropout: float = 0.1
    """Share of captions left out, for classifier-free guidance."""
    noise_offset: float = 0.0
    """Emu: 0.02 in the last stage of pre-training."""
    stages: tuple[StageConfig, ...] = ()
    """Progressive resolution, as in Emu (its list of resolutions is not stated); the last is
    `image_size`. Without stages a data directory is held in memory and trained at one size."""
    sample_prompts: tuple[str, ...] = ()
    """Sampled with fixed seeds at every saved state, for TensorBoard."""
    autoencoder_images: int = 20_000
    """With stages: pictures the autoencoder is trained on, drawn at random and held in memory."""

    def all_stages(self) -> tuple[StageConfig, ...]:
        """Return the stages; where none are listed, the one at `image_size`."""
        loop = self.denoiser_training
        whole = StageConfig(self.image_size, loop.steps, loop.batch_size, self.noise_offset)
        return self.stages or (whole,)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        _check_run(self.name, self.role, self.seed)
        if self.stages and self.stages[-1].resolution != self.image_size:
            raise InputError(
                f"image_size {self.image_size}: the last stage is at {self.stages[-1].resolution}; "
                "give both the same"
            )
        if self.stages and self.noise_offset:
            raise InputError("noise_offset: with stages, give it in a stage")
        _check_range("autoencoder_images", self.autoencoder_images, 1, 10**7)
        _check_range("image_size", self.image_size, 16, 1024)
        factor = self.autoencoder_config().factor
        if self.image_size % factor:
            raise InputError(f"image_size {self.image_size}: accepted are multiples of {factor}")
        _check_range("caption_dropout", self.caption_dropout, 0.0, 1.0)
        _check_range("noise_offset", self.noise_offset, 0.0, 1.0)
        unet = self.unet_config()
        if len(self.text.encoders) > 1 and not unet.text_width:
            raise InputError(
                f"text.encoders {list(self.text.encoders)}: two of them need unet.text_width, the "
                "channels they are projected to"
            )

    def autoencoder_config(self) -> AutoencoderConfig:
        return _build(AutoencoderConfig, self.autoencoder, "autoencoder.")

    def unet_config(self) -> UNetConfig:
        values = dict(self.unet)
        size = values.pop("size", None)
        if size is None:
            return _build(UNetConfig, values, "unet.")
        if size not in UNET_SIZES:
            raise InputError(f"unet.size {size!r}: accepted are {', '.join(UNET_SIZES)}")
        return _build(UNetConfig, UNET_SIZES[size] | values, "unet.")


@dataclass(frozen=True)
class EarlyStoppingConfig:
    """When quality-tuning stops; the paper says it must, not how to tell."""

    candidates: int = 20
    """Steps kept and measured, evenly spaced; 0 takes the last step unmeasured."""
    images: int = 64
    """Samples at each candidate: of captions outside the tuning set, and as many inside."""
    sampler_steps: int = 20
    guidance_scale: float = 3.0
    tolerance: float = 1.0
    """How far faithfulness may lie below its best, in standard errors."""
    copying_rise: float = 0.2
    """How far the share of copied samples may rise above the parent's."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        _check_range("candidates", self.candidates, 0, 1000)
        _check_range("images", self.images, 2, 10_000)
        _check_range("sampler_steps", self.sampler_steps, 1, 1000)
        _check_range("guidance_scale", self.guidance_scale, 0.0, 100.0)
        _check_range("tolerance", self.tolerance, 0.0, 100.0)
        _check_range("copying_rise", self.copying_rise, 0.0, 1.0)


def _tuning_loop() -> LoopConfig:
    # Emu: batch 64, at most 15,000 iterations. The learning rate is ours: the paper gives none.
    return LoopConfig(steps=MAX_TUNING_STEPS, batch_size=64, learning_rate=1e-5, save_every=250)


@dataclass(frozen=True)
class QualityTuneConfig:
    """The quality-tuning recipe: a few hand-picked images, the denoiser only."""

    name: str
    tuning_list: str
    """File of hand-picked images beside the package's data or by path: STYLE, then concept ids."""
    denoiser_training: LoopConfig = field(default_factory=_tuning_loop)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    tuning_images: int = 0
    """Tune on a random subset of so many of the list; nested for one seed. 0 is the whole list."""
    subset_seed: int = 0
    role: str = "quality_tuned"
    recipe: str = "quality_tune"
    seed: int = 0
    captions: CaptionMix = field(default_factory=CaptionMix)
    caption_dropout: float = 0.1
    noise_offset: float = 0.1
    """Emu: 0.1 for quality-tuning."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        _check_run(self.name, self.role, self.seed)
        _check_range("caption_dropout", self.caption_dropout, 0.0, 1.0)
        _check_range("noise_offset", self.noise_offset, 0.0, 1.0)
        _check_range("tuning_images", self.tuning_images, 0, 10**7)
        _check_range("subset_seed", self.subset_seed, 0, 2**31 - 1)
        if self.denoiser_training.steps > MAX_TUNING_STEPS:
            raise InputError(
                f"denoiser_training.steps {self.denoiser_training.steps}: quality-tuning stops at "
                f"{MAX_TUNING_STEPS} at the latest; longer runs forget concepts"
            )


RunConfig = PretrainConfig | QualityTuneConfig
_RECIPES: dict[str, type[PretrainConfig] | type[QualityTuneConfig]] = {
    "pretrain": PretrainConfig,
    "quality_tune": QualityTuneConfig,
}


def read_config(path: Path, overrides: list[str]) -> RunConfig:
    """Read a TOML file, with `key=value` or `table.key=value` overrides (values as in TOML).

    Raises:
        InputError: the file is missing or malformed, or a key or value is not accepted.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); configs are in models_backend/configs/"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML ({error})") from None
    for override in overrides:
        _apply_override(values, override)
    recipe = values.get("recipe", "")
    if not isinstance(recipe, str) or recipe not in _RECIPES:
        raise InputError(f"{path}: recipe {recipe!r}: accepted are {', '.join(_RECIPES)}")
    return _build(_RECIPES[recipe], values, "")


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set {override}: give key=value, e.g. denoiser_training.steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {override}: {table} is not a table")
    values[last] = value


def _build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """Return dataclass `cls` from a TOML table, refusing what it does not know."""
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise InputError(f"unknown key {where}{key}; accepted are {', '.join(known)}")
    missing = [
        name
        for name, f in known.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"missing key {where}{missing[0]}")
    converted = {key: _convert(hints[key], value, f"{where}{key}") for key, value in values.items()}
    try:
        return cls(**converted)
    except InputError as error:
        raise InputError(f"{where}{error}") from None
    except ValueError as error:
        raise InputError(f"{where.rstrip('.')}: {error}") from None


def _convert(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise InputError(f"{where} must be a table")
        return _build(kind, value, f"{where}.")
    plain = typing.get_origin(kind) or kind
    if plain is float and type(value) is int:
        return float(value)
    if plain is tuple and isinstance(value, list):  # TOML has lists; frozen dataclasses tuples
        return tuple(_convert(typing.get_args(kind)[0], item, where) for item in value)
    if isinstance(plain, types.UnionType) or not isinstance(plain, type) or type(value) is plain:
        return value
    raise InputError(f"{where} = {value!r} must be of type {plain.__name__}")


def _check_run(name: str, role: str, seed: int) -> None:
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"name {name!r}: use letters, digits, hyphens and underscores")
    if role not in ROLES:
        raise InputError(f"role {role!r}: accepted are {', '.join(ROLES)}")
    _check_range("seed", seed, 0, 2**31 - 1)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} {value}: accepted are {low:g} to {high:g}")
