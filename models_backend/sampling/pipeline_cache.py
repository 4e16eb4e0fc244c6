"""Pipelines kept loaded in one process, bounded by the memory they were measured to take."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from models_backend.families.base import Family
from models_backend.nn.memory import is_out_of_memory, release_memory


class PipelineCache:
    """Loaded pipelines by directory; the least recently used is dropped first.

    Before asking for another, finish decoding what came from a pipeline that may be dropped.

    `capacity_bytes` bounds what the pipelines take together. One that is larger than that alone is
    still loaded, by itself: whether it fits is for the device to say.
    """

    def __init__(self, capacity_bytes: int, load: Callable[[Path], Family]) -> None:
        self.capacity_bytes = capacity_bytes
        self._load = load
        self._loaded: OrderedDict[Path, tuple[Family, int]] = OrderedDict()

    @property
    def directories(self) -> list[Path]:
        """What is loaded, least recently used first."""
        return list(self._loaded)

    @property
    def used_bytes(self) -> int:
        """Memory the loaded pipelines were measured to take."""
        return sum(size for _, size in self._loaded.values())

    def get(self, directory: Path, expected_bytes: int) -> Family:
        """Return the pipeline of a checkpoint directory, loading it where it is not there.

        Room for `expected_bytes` (the files' size) is made first; the true size is measured
        afterwards. Where memory runs out all the same, everything else is dropped and loading is
        tried once more.

        Raises:
            CheckpointError: the directory cannot be loaded.
        """
        if directory in self._loaded:
            self._loaded.move_to_end(directory)
            return self._loaded[directory][0]
        self._make_room(expected_bytes)
        pipeline = self._load_or_clear(directory)
        self._make_room(pipeline.memory_bytes())
        self._loaded[directory] = (pipeline, pipeline.memory_bytes())
        return pipeline

    def _load_or_clear(self, directory: Path) -> Family:
        try:
            return self._load(directory)
        except Exception as error:
            if not is_out_of_memory(error) or not self._loaded:
                raise
            release_memory(error)
        self.keep_only(None)
        return self._load(directory)

    def keep_only(self, directory: Path | None) -> bool:
        """Drop every pipeline but that one; return whether that freed anything."""
        others = [each for each in self._loaded if each != directory]
        for each in others:
            self._drop(each)
        return bool(others)

    def _make_room(self, needed: int) -> None:
        while self._loaded and self.used_bytes + needed > self.capacity_bytes:
            self._drop(next(iter(self._loaded)))

    def _drop(self, directory: Path) -> None:
        pipeline, _ = self._loaded.pop(directory)
        pipeline.unload()
