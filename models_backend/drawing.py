"""Drawing many images in one process: warm pipelines, and parts as large as memory allows."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import psutil
import torch
from PIL.Image import Image

from models_backend.errors import InputError
from models_backend.families.base import Denoised, Family, SamplerSettings
from models_backend.nn.memory import held_by_others, is_out_of_memory, release_memory, usable_bytes
from models_backend.nn.reading import Reading
from models_backend.sample import check_request, load_pipeline
from models_backend.warm import PipelineCache

logger = logging.getLogger(__name__)

# Of the device's memory; the rest is for what drawing itself takes.
_WARM_SHARE = {"cuda": 0.7, "cpu": 0.5}


class _Pending:
    """Counts parts that wait to be decoded: until then their pipeline's weights are needed."""

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


class Part:
    """Images that were denoised together; whoever takes it must decode or discard it.

    `start` and `count` say which of what was asked for; `seconds` the time by stage so far: `load`
    (0 where the pipeline was warm), `denoise`, and on a CPU `decode`. `readings`: how much of each
    prompt was read, None where that is not known.
    """

    def __init__(
        self, start: int, seconds: dict[str, float], family: Family, denoised: Denoised,
        pending: _Pending, readings: list[Reading | None], fitting: DecodesAtOnce,
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


class Drawer:
    """What a worker process draws with.

    `memory_bytes` bounds the warm pipelines (0: a share of the device's memory), `images_per_step`
    how many images are denoised together.
    """

    def __init__(self, *, memory_bytes: int = 0, images_per_step: int = 8) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device_bytes = _device_bytes(self.device)
        share = int(usable_bytes(self.device, self.device_bytes) * _WARM_SHARE[self.device.type])
        self.warm = PipelineCache(
            memory_bytes or share, partial(load_pipeline, device=str(self.device))
        )
        self.images_per_step = images_per_step
        # What was seen to fit, by what decides it: checkpoint, size, and whether guided.
        self._fitting: dict[tuple[Any, ...], int] = {}
        self._decoding: defaultdict[tuple[Any, ...], DecodesAtOnce] = defaultdict(DecodesAtOnce)
        # Where a part that is being decoded leaves too little for the next to be denoised.
        self._one_after_the_other: set[tuple[Any, ...]] = set()
        self._pending = _Pending()

    @property
    def environment(self) -> dict[str, str]:
        """Device and versions: what, beside the sample's own key, can change a pixel's last bit."""
        return {
            "device": self.device_name,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        }

    @property
    def device_name(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"

    def parts(
        self,
        directory: Path,
        *,
        prompts: Sequence[str],
        seeds: Sequence[int],
        settings: SamplerSettings,
        expected_bytes: int = 0,
    ) -> Iterator[Part]:
        """Denoise every (prompt, seed) and yield part by part, in order.

        Where memory runs out, what is being decoded is waited for, then other pipelines are
        dropped, then the parts halved; what helped is remembered.

        Raises:
            InputError: settings the checkpoint cannot honour, or an image that does not fit alone.
            CheckpointError: the directory cannot be loaded.
        """
        check_request(prompts, seeds)
        begun = time.perf_counter()
        if directory not in self.warm.directories:
            self._pending.wait()  # loading may drop the pipeline that is still to decode them
        family = self.warm.get(directory, expected_bytes)
        load_seconds = time.perf_counter() - begun
        key = (directory, settings.height, settings.width, settings.guidance_scale > 1)
        start = 0
        while start < len(prompts):
            size = self._fitting.get(key, self.images_per_step)
            if key in self._one_after_the_other:
                self._pending.wait()
            beside = bool(self._pending)
            begun = time.perf_counter()
            try:
                denoised = family.denoise(
                    prompts=prompts[start : start + size],
                    seeds=seeds[start : start + size],
                    settings=settings,
                )
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(key, min(size, len(prompts) - start), error, beside)
                continue
            seconds = {"load": load_seconds, "denoise": time.perf_counter() - begun}
            readings = family.readings(prompts[start : start + len(denoised)])
            part = Part(
                start, seconds, family, denoised, self._pending, readings, self._decoding[key]
            )
            if self.device.type == "cpu":
                try:
                    part.decode_ahead()
                except BaseException:
                    part.discard()
                    raise
            yield part
            start += part.count
            load_seconds = 0.0

    def _shrink(self, key: tuple[Any, ...], size: int, error: Exception, beside: bool) -> None:
        """Make room after memory ran out with `size` images, or say that nothing helps.

        `beside`: whether another part was there to be decoded meanwhile.
        """
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        release_memory(error)
        self._pending.wait()
        if beside:  # its memory is free now: no reason to halve this one
            self._one_after_the_other.add(key)
            logger.warning("out of memory while decoding: going on one after the other")
            return
        if self.warm.keep_only(key[0]):
            return
        if size == 1:
            raise InputError(
                f"one image does not fit into the memory of {self.device_name} "
                f"({self.device_bytes / 2**30:.1f} GiB{held_by_others(self.device)}): {reason}; "
                "use a smaller size or a larger device"
            )
        self._fitting[key] = size // 2
        logger.warning("out of memory with %d images at once; going on with %d", size, size // 2)


def _device_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    total = int(psutil.virtual_memory().total)
    limit = Path("/sys/fs/cgroup/memory.max")  # a container's own limit
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, int(text)) if text.isdigit() else total
