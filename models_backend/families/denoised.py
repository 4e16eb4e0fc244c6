"""What lies between the two halves of sampling: denoising a batch, and decoding it to pictures.

Decoding one batch while the next is denoised needs two threads. They share weights, which neither
changes, and nothing else. On a GPU each has a stream of its own, ordered by an event.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from PIL.Image import Image
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Denoised:
    """A batch that `Family.denoise` made, for `Family.decode` of the same family; opaque else."""

    latents: Tensor | None
    """What the decoder takes, batch first; None where `images` are there already."""
    size: tuple[int, int] | None = None
    """Height and width of the pictures in pixels, where decoding needs to be told."""
    images: tuple[Image, ...] = ()
    """The pictures, of a family that cannot be stopped before decoding."""
    ready: Any = None
    """On a GPU, the event that latents are computed."""

    @classmethod
    def of(cls, latents: Tensor, size: tuple[int, int] | None = None) -> Self:
        """Return latents whose computation was queued on the current stream."""
        ready = None
        if latents.is_cuda:
            with torch.cuda.device(latents.device):
                ready = torch.cuda.Event()
                ready.record()
        return cls(latents, size, ready=ready)

    def __len__(self) -> int:
        """Return how many pictures it will be."""
        return len(self.images) if self.latents is None else len(self.latents)

    def __getitem__(self, part: slice) -> Denoised:
        """Return a part of the batch, to be decoded by itself."""
        if self.latents is None:
            return replace(self, images=self.images[part])
        return replace(self, latents=self.latents[part])


class DecodingSide:
    """Where a family decodes: one batch at a time, on a GPU in a stream of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._stream: Any = None

    @contextmanager
    def of(self, denoised: Denoised) -> Iterator[None]:
        """Queue what is computed inside behind the batch's denoising; leave when it is done."""
        with self.lock, torch.no_grad():
            latents = denoised.latents
            if latents is None or not latents.is_cuda:
                yield
                return
            if self._stream is None:
                self._stream = torch.cuda.Stream(latents.device)
            self._stream.wait_event(denoised.ready)
            # The allocator must not reuse the latents' memory before this stream has read it.
            latents.record_stream(self._stream)
            with torch.cuda.stream(self._stream):
                yield
            self._stream.synchronize()
