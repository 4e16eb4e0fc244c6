"""Sampling many images in one process: loaded pipelines, parts as large as memory allows."""

from __future__ import annotations

import logging
import platform
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import psutil
import torch

from models_backend.checkpoints.loading import load_pipeline
from models_backend.errors import InputError
from models_backend.families.settings import SamplingSettings
from models_backend.nn.memory import held_by_others, is_out_of_memory, release_memory, usable_bytes
from models_backend.sampling.generate import check_request
from models_backend.sampling.parts import DecodesAtOnce, DenoisedPart, UndecodedParts
from models_backend.sampling.pipeline_cache import PipelineCache

logger = logging.getLogger(__name__)

# Of the device's memory; the rest is for what sampling itself takes.
_PIPELINES_SHARE = {"cuda": 0.7, "cpu": 0.5}


class ImageSampler:
    """What a worker process samples with.

    `memory_bytes` bounds the pipelines kept loaded (0: a share of the device's memory),
    `images_per_step` how many images are denoised together.
    """

    def __init__(self, *, memory_bytes: int = 0, images_per_step: int = 8) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device_bytes = _device_bytes(self.device)
        share = int(
            usable_bytes(self.device, self.device_bytes) * _PIPELINES_SHARE[self.device.type]
        )
        self.pipelines = PipelineCache(
            memory_bytes or share, partial(load_pipeline, device=str(self.device))
        )
        self.images_per_step = images_per_step
        # What was seen to fit, by what decides it: checkpoint, size, and whether guided.
        self._fitting: dict[tuple[Any, ...], int] = {}
        self._decoding: defaultdict[tuple[Any, ...], DecodesAtOnce] = defaultdict(DecodesAtOnce)
        # Where a part that is being decoded leaves too little for the next to be denoised.
        self._one_after_the_other: set[tuple[Any, ...]] = set()
        self._pending = UndecodedParts()

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
        settings: SamplingSettings,
        expected_bytes: int = 0,
    ) -> Iterator[DenoisedPart]:
        """Denoise every (prompt, seed) and yield part by part, in order.

        Where memory runs out, what is being decoded is waited for, then other pipelines are
        dropped, then the parts halved; what helped is remembered.

        Raises:
            InputError: settings the checkpoint cannot honour, or an image that does not fit alone.
            CheckpointError: the directory cannot be loaded.
        """
        check_request(prompts, seeds)
        begun = time.perf_counter()
        if directory not in self.pipelines.directories:
            self._pending.wait()  # loading may drop the pipeline that is still to decode them
        family = self.pipelines.get(directory, expected_bytes)
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
            part = DenoisedPart(
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
        if self.pipelines.keep_only(key[0]):
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
