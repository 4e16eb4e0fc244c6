"""Images that were denoised together, and are decoded as many at once as memory allows."""

from __future__ import annotations

import logging
import threading
import time

from PIL.Image import Image

from models_backend.families.base import Family
from models_backend.families.denoised import Denoised
from models_backend.nn.memory import is_out_of_memory, release_memory
from models_backend.nn.reading import Reading

logger = logging.getLogger(__name__)


class UndecodedParts:
    """How many parts wait to be decoded: until then their pipeline's weights are needed."""

    def __init__(self) -> None:
        self._none_left = threading.Condition()
        self._count = 0

    def add(self, change: int) -> None:
        with self._none_left:
            self._count += change
            self._none_left.notify_all()

    def wait(self) -> None:
        with self._none_left:
            self._none_left.wait_for(lambda: self._count == 0)

    def __bool__(self) -> bool:
        return self._count > 0


class DenoisedPart:
    """Images that were denoised together; whoever takes it must decode or discard it.

    `start` and `count` say which of what was asked for; `seconds` the time by stage so far: `load`
    (0 where the pipeline was loaded before), `denoise`, and on a CPU `decode`. `readings`: how
    much of each prompt was read, None where that is not known.
    """

    def __init__(
        self, start: int, seconds: dict[str, float], family: Family, denoised: Denoised,
        pending: UndecodedParts, readings: list[Reading | None], fitting: DecodesAtOnce,
    ) -> None:  # fmt: skip
        self.start = start
        self.readings = readings
        self.count = len(denoised)
        self.seconds = seconds
        self._family = family
        self._denoised: Denoised | None = denoised
        self._images: list[Image] = []
        self._pending = pending
        self._fitting = fitting
        pending.add(1)

    def decode(self) -> list[Image]:
        """Return the images; safe in another thread while the next part is being denoised."""
        try:
            self.decode_ahead()
            return self._images
        finally:
            self.discard()

    def decode_ahead(self) -> None:
        """Decode now, so that :meth:`decode` only hands the images over.

        For a CPU, whose cores denoising has taken already: two threads that compute there make each
        other slower than one after the other.
        """
        if self._denoised is None:
            raise ValueError("this part was decoded or discarded before")
        if not self._images:
            begun = time.perf_counter()
            self._images = self._fitting.decode(self._family, self._denoised)
            self.seconds["decode"] = time.perf_counter() - begun

    def discard(self) -> None:
        """Let go of what was denoised."""
        if self._denoised is not None:
            self._denoised = None
            self._pending.add(-1)


class DecodesAtOnce:
    """How many images of one kind were seen to fit when they are decoded together."""

    def __init__(self) -> None:
        self._most: int | None = None

    def decode(self, family: Family, denoised: Denoised) -> list[Image]:
        """Return the images of what was denoised, in halves where memory runs out."""
        images: list[Image] = []
        while len(images) < len(denoised):
            left = len(denoised) - len(images)
            size = left if self._most is None else min(left, self._most)
            try:
                images += family.decode(denoised[len(images) : len(images) + size])
            except Exception as error:
                if not is_out_of_memory(error) or size < 2:
                    raise
                release_memory(error)
                self._most = size // 2
                logger.warning("out of memory: going on with %d images decoded at once", size // 2)
        return images
