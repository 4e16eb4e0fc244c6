"""A transformer that fills in masked image tokens, guided by text.

Each token is D channels of few levels (`nn.fsq`): embeddings of the channels are summed, and each
channel is predicted by a softmax of its own, so that 64,000 codes need 39 outputs. The caption's
tokens are attended to, its sentence vector scales and shifts each layer (Peebles and Xie 2022,
arXiv 2212.09748). Ours where Muse (Chang et al. 2023, arXiv 2301.00704) is silent.

Shapes: levels (B, N, D) int64, hidden (B, N) bool, text tokens (B, L, W), logits
(B, N, sum(levels)).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.nn.architecture import TransformerConfig
from models_backend.nn.text_rows import TextEmbedding


class _Block(nn.Module):
    """Attention among tokens, attention to the caption, two linear layers."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.ask = nn.Linear(width, width)
        self.text = nn.Linear(width, 2 * width)
        self.told = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width)
        )
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, sentence: Tensor, text: Tensor, read: Tensor | None) -> Tensor:
        a, b, c, d, e, f = self.modulation(sentence)[:, None].chunk(6, dim=-1)
        query, key, value = self._heads(self.qkv(self.norms[0](x) * (1 + a) + b), 3)
        x = x + (1 + c) * self.attended(self._joined(query, key, value, None))
        (query,) = self._heads(self.ask(self.norms[1](x)), 1)
        key, value = self._heads(self.text(text), 2)
        x = x + self.told(self._joined(query, key, value, read))
        h: Tensor = self.mlp(self.norms[2](x) * (1 + d) + e)
        return x + (1 + f) * h

    def _heads(self, x: Tensor, parts: int) -> list[Tensor]:
        split = x.unflatten(2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return list(split.unbind(0))

    def _joined(self, query: Tensor, key: Tensor, value: Tensor, read: Tensor | None) -> Tensor:
        h = F.scaled_dot_product_attention(query, key, value, attn_mask=read)
        return h.transpose(1, 2).flatten(2)


class TokenTransformer(nn.Module):
    """Predicts the levels of hidden tokens from the others and the caption."""

    def __init__(
        self, config: TransformerConfig, *, levels: tuple[int, ...], tokens: int, text_width: int
    ) -> None:
        super().__init__()
        self.config, self.levels = config, levels
        width = config.width
        self.embeddings = nn.ModuleList(nn.Embedding(count, width) for count in levels)
        for values in self.embeddings.parameters():
            nn.init.normal_(values, std=0.02)
        self.hidden = nn.Parameter(torch.randn(width) * 0.02)
        self.positions = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.text = nn.Linear(text_width, width)
        self.sentence = nn.Sequential(nn.Linear(text_width, width), nn.SiLU())
        self.blocks = nn.ModuleList(
            _Block(width, config.heads, config.mlp_ratio) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, sum(levels))

    def forward(
        self, levels: Tensor, hidden: Tensor, text: TextEmbedding, *, masked: bool
    ) -> Tensor:
        """Return logits, the channels' softmaxes one after the other."""
        each = [table(levels[..., d]) for d, table in enumerate(self.embeddings)]
        seen = torch.stack(each).sum(dim=0)
        x = torch.where(hidden[..., None], self.hidden.to(seen.dtype), seen) + self.positions
        sentence = self.sentence(text.pooled.to(x.dtype))
        told = self.text(text.tokens.to(x.dtype))
        read = None
        if masked:
            # A caption of no tokens would leave nothing to attend to: its first place is read.
            read = text.mask.bool().clone()
            read[:, 0] = True
            read = read[:, None, None]
        for block in self.blocks:
            x = block(x, sentence, told, read)
        logits: Tensor = self.out(self.norm(x))
        return logits

    def of_channels(self, logits: Tensor) -> list[Tensor]:
        """Return logits (..., sum(levels)) as one (..., levels[d]) for each channel."""
        return list(logits.split(self.levels, dim=-1))
