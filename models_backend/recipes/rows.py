"""Which picture each row of a step's batch learns from, and between which noise levels it lies.

A plan draws from the step's generator alone, for the whole batch at once, so that neither a resume
nor the number of processes changes what a row is. Pictures are counted as `recipes.parts.prepared`
lays them out: N of them, then their N mirror images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models_backend.errors import InputError

_GRID = 100_000  # values of u at which a family's noise levels are looked at


class RowPlan(Protocol):
    """Chooses the rows of a batch."""

    def __call__(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Return each row's picture (B,), and its u (B,) in [0, 1) where the plan decides it."""


@dataclass(frozen=True)
class OneSet:
    """Every picture at every noise level."""

    count: int
    """N: how many pictures there are, beside their mirror images."""

    def __call__(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        return torch.randint(2 * self.count, (batch_size,), generator=generator), None


class TwoSets:
    """Content pictures at the noisy levels, style pictures at the others (Style Tailoring).

    Sinha et al. 2023 (arXiv 2311.10794) decouple the two losses over the denoising steps: the noisy
    ones decide what is drawn, the others how. Where they are split, and how a batch is shared
    between the sets, could not be confirmed from the paper; both are settings here.

    `time_first` draws a row's level as usual, and that decides its set, so a set's share of the
    loss is the share of levels it has. `halves` gives each set every second row and draws its
    levels from its own range, so both weigh the same.
    """

    def __init__(
        self,
        *,
        content: int,
        style: int,
        split: float,
        draw: str,
        levels: Callable[[Tensor], Tensor],
    ) -> None:
        """`content` pictures come first, then `style` ones; `levels` is `Family.noise_levels`.

        `split` and `draw` are as in `StyleTailorConfig`.

        Raises:
            InputError: a set is empty, or no level of this family lies on one side of the split.
        """
        if not content or not style:
            raise InputError(
                f"style_tailor has {content} content and {style} style images: give both lists"
            )
        self._content, self._style, self._draw = content, style, draw
        self._split, self._levels = split, levels
        grid = (torch.arange(_GRID, dtype=torch.float64) + 0.5) / _GRID
        is_content = levels(grid.float()) > split
        if bool(is_content.all()) or not bool(is_content.any()):
            left_out = "style" if is_content[0] else "content"
            raise InputError(
                f"split {split:g} leaves no noise level to the {left_out} set: give one between 0 "
                "and 1, away from both"
            )
        self.content_share = float(is_content.double().mean())
        """Share of the noise levels, drawn as in training, that learn from content."""
        # Levels only rise or only fall with u, so each set has one range of u.
        self._content_is_above = bool(is_content[-1])

    def __call__(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        u = torch.rand(batch_size, generator=generator)
        if self._draw == "halves":
            is_content = torch.arange(batch_size) % 2 == 0
            u = torch.where(is_content, self._within(u, True), self._within(u, False))
        else:
            is_content = self._levels(u).cpu() > self._split
        place = torch.rand(batch_size, dtype=torch.float64, generator=generator)
        mirrored = torch.randint(2, (batch_size,), generator=generator)
        of_content = (place * self._content).long()
        of_style = self._content + (place * self._style).long()
        pictures = torch.where(is_content, of_content, of_style)
        return pictures + mirrored * (self._content + self._style), u

    def _within(self, u: Tensor, of_content: bool) -> Tensor:
        """Return u (B,) moved into a set's own range."""
        share = self.content_share if of_content else 1 - self.content_share
        start = 1 - share if of_content == self._content_is_above else 0.0
        return (start + u * share).clamp(max=1 - 2**-24)
