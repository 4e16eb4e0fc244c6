"""Randomness that depends on (seed, stage, step, row) alone.

A resumed run needs no saved random state, and neither the number of processes nor the size of a
micro-batch changes what a step draws: every process draws the plan of the whole batch (which
images, which captions) from the step's generator and takes its rows; noise is drawn row by row.
"""

from __future__ import annotations

import hashlib
from typing import Self

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def _number(*key: object) -> int:
    digest = hashlib.sha256("\n".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class StepDraw(torch.Generator):
    """The generator of a step, and the rows of its batch that are to be computed.

    A step function that ignores `rows` computes the whole batch: right in one process, and wasted
    work in several.
    """

    rows: slice
    batch_size: int
    step: int
    _noise_key: int

    @classmethod
    def of(
        cls, seed: int, stage: str, step: int, *, batch_size: int = 0, rows: slice | None = None
    ) -> Self:
        """Return the draw of a step; `rows` defaults to the whole batch."""
        draw = cls()
        draw.manual_seed(_number(seed, stage, step))
        draw.step, draw.batch_size = step, batch_size
        draw.rows = slice(0, batch_size) if rows is None else rows
        draw._noise_key = _number(seed, stage, step, "noise")
        return draw

    def of_rows(self, device: torch.device) -> torch.Generator:
        """Return a generator on `device` of these rows' own, for a loss that draws by itself.

        Unlike :meth:`noise` its draws depend on how the batch is shared out.
        """
        generator = torch.Generator(device)
        generator.manual_seed(_mixed(self._noise_key - 1 - self.rows.start))
        return generator

    def noise(self, shape: tuple[int, ...], *, offset: float, device: torch.device) -> Tensor:
        """Return normal noise (rows, *shape), drawn on `device`, row by row.

        `offset` adds that much of one normal draw per row and channel (the noise offset of Emu:
        0.02 in the last stage of pre-training, 0.1 in quality-tuning).
        """
        count = self.rows.stop - self.rows.start
        noise = torch.empty((count, *shape), device=device)
        shift = torch.empty((count, shape[0]), device=device) if offset else None
        generator = torch.Generator(device)
        for place, row in enumerate(range(self.rows.start, self.rows.stop)):
            generator.manual_seed(_mixed(self._noise_key + row))
            noise[place].normal_(generator=generator)
            if shift is not None:
                shift[place].normal_(generator=generator)
        if shift is not None:
            noise += offset * shift.view(count, shape[0], *[1] * (len(shape) - 1))
        return noise


def _mixed(value: int) -> int:
    """SplitMix64 (Steele et al. 2014): neighbouring rows get unrelated seeds."""
    value = (value & _MASK) * 0x9E3779B97F4A7C15 & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return (value ^ (value >> 31)) >> 1
