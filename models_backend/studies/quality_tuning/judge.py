"""A small network that looks at drawings: which style, and which thing?

It is trained here on the real training drawings alone, never on samples and never together with
the models it judges. What it can tell is measured on real drawings it has not seen.

Shapes: x (B, 3, H, W) in [-1, 1]; embeddings (B, 192) of length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.configuration.loops import LoopConfig
from models_backend.data.manifest import Record
from models_backend.nn.pixels import to_unit_range
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer

_WIDTHS = (32, 64, 96)
_BATCH = 64


class PictureJudge(nn.Module):
    """Three strided convolutions, pooled by mean and maximum, under two linear heads."""

    def __init__(self, styles: Sequence[str], concepts: Sequence[str]) -> None:
        super().__init__()
        self.styles, self.concepts = list(styles), list(concepts)
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [
                nn.Conv2d(before, width, 5, stride=2, padding=2),
                nn.GroupNorm(8, width),
                nn.SiLU(),
            ]
            before = width
        self.trunk = nn.Sequential(*layers, nn.Conv2d(before, before, 3, padding=1), nn.SiLU())
        self.style = nn.Linear(2 * before, len(self.styles))
        self.concept = nn.Linear(2 * before, len(self.concepts))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.trunk(x.to(self.style.weight.device))
        return torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)

    @torch.no_grad()
    def embed(self, x: Tensor) -> Tensor:
        """Return embeddings, on the CPU, by which drawings of one thing are near each other."""
        return torch.cat([F.normalize(self(part), dim=1).cpu() for part in x.split(_BATCH)])

    @torch.no_grad()
    def probability(self, x: Tensor, style: str) -> Tensor:
        """Return how sure it is, (B,) on the CPU, that each image has this style."""
        column = self.styles.index(style)
        parts = [self.style(self(part)).softmax(dim=1)[:, column] for part in x.split(_BATCH)]
        return torch.cat(parts).cpu()


def train_judge(
    pictures: Tensor, records: Sequence[Record], *, steps: int, seed: int, run: Path
) -> PictureJudge:
    """Train on bytes (N, 3, H, W) of `records`; resumes from `run`."""
    torch.manual_seed(seed)
    judge = PictureJudge(sorted({r.style for r in records}), sorted({r.concept for r in records}))
    style = torch.tensor([judge.styles.index(r.style) for r in records])
    concept = torch.tensor([judge.concepts.index(r.concept) for r in records])
    loop = LoopConfig(
        steps=steps, batch_size=_BATCH, learning_rate=2e-3, warmup_steps=min(50, steps // 10),
        weight_decay=0.05, ema_decay=0.99 if steps > 500 else 0.0,
    )  # fmt: skip

    def step(draw: StepDraw) -> StepLoss:
        rows = torch.randint(len(pictures), (_BATCH,), generator=draw)
        seen = judge(augment(to_unit_range(pictures[rows]), draw))
        kept = torch.rand(seen.shape, generator=draw) > 0.2
        seen = seen * kept.to(seen.device) / 0.8
        wanted = [part[rows].to(seen.device) for part in (style, concept)]
        losses = F.cross_entropy(judge.style(seen), wanted[0], reduction="none")
        losses = losses + F.cross_entropy(judge.concept(seen), wanted[1], reduction="none")
        return StepLoss(losses, rows, {})

    Trainer(module=judge, config=loop, seed=seed, stage="judge", run=run).fit(step)
    return judge


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return images moved, scaled, mirrored, tinted and half of the time blurred, on white."""
    count = len(x)
    scale = 0.85 + 0.4 * torch.rand(count, generator=generator)
    mirror = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    shift = 0.3 * (torch.rand((count, 2), generator=generator) - 0.5)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :, 2] = scale * mirror, scale, shift
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    moved = F.grid_sample(x - 1, grid, align_corners=False) + 1  # outside is white
    tint = 0.8 + 0.4 * torch.rand((count, 3, 1, 1), generator=generator)
    tinted = (moved - 1) * tint + 1
    blurred = F.avg_pool2d(F.pad(tinted, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    chosen = torch.rand((count, 1, 1, 1), generator=generator) < 0.5
    return torch.where(chosen, blurred, tinted)


def retrieve(queries: Tensor, references: Tensor) -> Tensor:
    """Return the reference indices (Q, R) of each query, the nearest first."""
    return (queries @ references.T).argsort(dim=1, descending=True)
