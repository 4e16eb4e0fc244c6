"""Filling in masked tokens step by step: which stay at each step, drawn by each image's own seed.

MaskGIT (Chang et al. 2022, arXiv 2202.04200): at each step all hidden tokens are drawn, the surest
stay, and the share still hidden falls by a cosine. `halton` settles them in the order of a Halton
sequence instead, so that neighbours are not drawn at once (Besnier et al. 2025, arXiv 2503.17076).

Shapes: levels (B, N, D) int64, hidden (B, N) bool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models_backend.errors import InputError

SAMPLERS = ("confidence", "halton")
Logits = Callable[[Tensor, Tensor, float], list[Tensor]]
"""Of levels, what is hidden and the guidance scale: logits (B, N, levels[d]) of each channel."""


def accepted_sampler(name: str) -> str:
    """Return the order that a sampler's name means; `default` is the first.

    Raises:
        InputError: a sampler of another family.
    """
    if name not in (*SAMPLERS, "default"):
        raise InputError(
            f"sampler {name!r}: a masked transformer fills in tokens; accepted are "
            f"{', '.join(SAMPLERS)} and default"
        )
    return SAMPLERS[0] if name == "default" else name


def still_hidden(step: int, steps: int, tokens: int) -> int:
    """Return how many tokens are hidden after a step, 0-based; none after the last."""
    if step == steps - 1:
        return 0
    kept = math.floor(tokens * math.cos(math.pi / 2 * (step + 1) / steps))
    return min(kept, tokens - 1)


def fill_in(
    logits: Logits,
    *,
    levels: Sequence[int],
    grid: tuple[int, int],
    seeds: Sequence[int],
    steps: int,
    guidance: float,
    sampler: str,
    temperature: float,
    order_temperature: float,
    device: torch.device,
) -> Tensor:
    """Return the levels (B, N, D) of new images, one a seed.

    Guidance rises from 1 to its scale, as Muse has it. More steps than tokens are as many as
    tokens.
    """
    tokens = grid[0] * grid[1]
    steps = min(steps, tokens)
    filled = torch.zeros((len(seeds), tokens, len(levels)), dtype=torch.long, device=device)
    hidden = torch.ones((len(seeds), tokens), dtype=torch.bool, device=device)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    first_settled = halton_order(grid).to(device)
    for step in range(steps):
        scale = 1 + (guidance - 1) * (step + 1) / steps
        drawn, sureness = _draw(
            logits(filled, hidden, scale), generators, levels, temperature, device
        )
        shaken = order_temperature * (1 - (step + 1) / steps)
        noise = _gumbel(generators, (tokens,), device)  # drawn for either order: seeds stay in step
        rank = sureness + shaken * noise
        if sampler == "halton":
            rank = -first_settled.to(rank).expand(len(seeds), -1)
        filled = torch.where(hidden[..., None], drawn, filled)
        # What is settled stays settled: it is surer than anything drawn now.
        rank = torch.where(hidden, rank, torch.full_like(rank, torch.inf))
        count = still_hidden(step, steps, tokens)
        hidden = torch.zeros_like(hidden)
        if count:
            least = rank.argsort(dim=1, stable=True)[:, :count]
            hidden.scatter_(1, least, True)
    return filled


def _draw(
    logits: list[Tensor],
    generators: list[torch.Generator],
    levels: Sequence[int],
    temperature: float,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return drawn levels (B, N, D) and how likely they were, as log probabilities (B, N)."""
    chosen, sure = [], []
    for each, count in zip(logits, levels, strict=True):
        scores = each.float().log_softmax(dim=-1)
        noise = _gumbel(generators, (each.shape[1], count), device)
        level = (scores + temperature * noise).argmax(dim=-1)
        chosen.append(level)
        sure.append(scores.gather(-1, level[..., None]).squeeze(-1))
    return torch.stack(chosen, dim=-1), torch.stack(sure).sum(dim=0)


def _gumbel(
    generators: list[torch.Generator], shape: tuple[int, ...], device: torch.device
) -> Tensor:
    """Return Gumbel noise (B, *shape), each row from its own generator, drawn on the CPU."""
    u = torch.stack([torch.rand(shape, generator=generator) for generator in generators])
    return -(-(u.clamp(1e-9, 1 - 1e-6).log())).log().to(device)


def halton_order(grid: tuple[int, int]) -> Tensor:
    """Return when each token of a grid is settled, (N,): places spread evenly at every moment."""
    height, width = grid
    order: dict[int, int] = {}
    index = 1
    while len(order) < height * width:
        row, column = (
            int(_van_der_corput(index, 2) * height),
            int(_van_der_corput(index, 3) * width),
        )
        order.setdefault(row * width + column, len(order))
        index += 1
    return torch.tensor([order[place] for place in range(height * width)])


def _van_der_corput(index: int, base: int) -> float:
    value, share = 0.0, 1.0
    while index:
        share /= base
        index, digit = divmod(index, base)
        value += digit * share
    return value
