"""How a masked transformer is pre-trained: its tokenizer, then the transformer. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from models_backend.configuration.building import build
from models_backend.configuration.checking import check_range
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.losses import AutoencoderLossConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.errors import InputError
from models_backend.nn.architecture import (
    TRANSFORMER_SIZES,
    TokenizerConfig,
    TransformerConfig,
)


@dataclass(frozen=True)
class FillingConfig:
    """How tokens are filled in."""

    temperature: float = 1.0
    """Of the softmax that a token's levels are drawn from."""
    order_temperature: float = 4.5
    """Noise on the confidence that decides which tokens stay (sampler `confidence`), falling to
    0 at the last step. MaskGIT's practice; the number is ours."""
    label_smoothing: float = 0.1
    """Of the training loss, as MaskGIT has it."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("temperature", self.temperature, 0.0, 10.0)
        check_range("order_temperature", self.order_temperature, 0.0, 100.0)
        check_range("label_smoothing", self.label_smoothing, 0.0, 0.5)


@dataclass(frozen=True, kw_only=True)
class MaskedPretrainConfig(PretrainConfig):
    """Pre-training of a masked transformer."""

    family: str = "masked_transformer"
    tokenizer_training: LoopConfig
    transformer_training: LoopConfig
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """`image_size` is a multiple of its factor."""
    tokenizer_loss: AutoencoderLossConfig = field(
        default_factory=lambda: AutoencoderLossConfig(kl_weight=0.0)
    )
    transformer: dict[str, Any] = field(default_factory=dict)
    """See `nn.architecture.TransformerConfig`; `size` names one of `TRANSFORMER_SIZES`."""
    filling: FillingConfig = field(default_factory=FillingConfig)

    def __post_init__(self) -> None:
        """Refuse values out of range, and what tokens have not."""
        super().__post_init__()
        factor = self.tokenizer.factor
        if self.image_size % factor:
            raise InputError(f"image_size {self.image_size}: accepted are multiples of {factor}")
        if self.stages and any(stage.resolution != self.image_size for stage in self.stages):
            raise InputError(
                "stages: a masked transformer knows its tokens by their place, so every stage is "
                f"at image_size ({self.image_size})"
            )
        if any(stage.aspect_ratios for stage in self.stages):
            raise InputError("stages.aspect_ratios: a masked transformer makes images of one shape")
        self.transformer_config()

    def transformer_config(self) -> TransformerConfig:
        """Return the table `transformer`, checked."""
        values = dict(self.transformer)
        size = values.pop("size", None)
        if size is None:
            return build(TransformerConfig, values, "transformer.")
        if size not in TRANSFORMER_SIZES:
            known = ", ".join(TRANSFORMER_SIZES)
            raise InputError(f"transformer.size {size!r}: accepted are {known}")
        return build(TransformerConfig, TRANSFORMER_SIZES[size] | values, "transformer.")
