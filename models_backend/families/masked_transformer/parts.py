"""What a masked transformer is made of: its model and its files both know it by this."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from models_backend.families.masked_transformer.config import FillingConfig
from models_backend.families.weights import plain
from models_backend.nn.architecture import TokenizerConfig, TransformerConfig
from models_backend.nn.fsq import Tokenizer
from models_backend.nn.text import TextEncoder
from models_backend.nn.token_transformer import TokenTransformer

NAME = "masked_transformer"


@dataclass(frozen=True, eq=False)
class MaskedParts:
    """Networks, and how tokens are filled in."""

    tokenizer: Tokenizer
    transformer: TokenTransformer
    image_size: tuple[int, int]
    """Height and width in pixels."""
    text_encoder: TextEncoder
    filling: FillingConfig

    @classmethod
    def fresh(
        cls,
        tokenizer: TokenizerConfig,
        transformer: TransformerConfig,
        image_size: tuple[int, int],
        text_encoder: TextEncoder,
        filling: FillingConfig,
    ) -> MaskedParts:
        """Return parts with fresh weights, drawn from torch's own generator."""
        return cls(
            *fresh_networks(tokenizer, transformer, image_size, text_encoder.width),
            image_size,
            text_encoder,
            filling,
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of an image's tokens."""
        factor = self.tokenizer.config.factor
        return self.image_size[0] // factor, self.image_size[1] // factor

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain values."""
        return {
            "tokenizer": plain(asdict(self.tokenizer.config)),
            "transformer": plain(asdict(self.transformer.config)),
            "filling": asdict(self.filling),
            "text": self.text_encoder.to_dict(),
            "image_size": list(self.image_size),
        }


def fresh_networks(
    tokenizer: TokenizerConfig,
    transformer: TransformerConfig,
    image_size: tuple[int, int],
    text_width: int,
) -> tuple[Tokenizer, TokenTransformer]:
    """Return both networks with fresh weights."""
    tokens = (image_size[0] // tokenizer.factor) * (image_size[1] // tokenizer.factor)
    return Tokenizer(tokenizer), TokenTransformer(
        transformer, levels=tokenizer.levels, tokens=tokens, text_width=text_width
    )
