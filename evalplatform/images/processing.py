"""Decoding and storing many images, on every core: what an import costs.

A few chunks are under way at a time, so that memory stays flat however many images there are.
Results come in the order in which images were given.
"""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import Storage
from django.utils.module_loading import import_string

from evalplatform.core.errors import EvalPlatformError
from evalplatform.core.stored_images import StoredImage, pack_image, put_image
from evalplatform.images.decoding import decode, read_file
from evalplatform.images.faults import RowError
from evalplatform.images.staging import MadeBefore

_CHUNK_IMAGES = 8
_CHUNK_BYTES = 4 * 2**20
_CHUNKS_UNDER_WAY = 3  # a process
_FEW = 16  # images that are made before processes would have started
_PUTS = 4  # at once in each process: a store elsewhere answers late

Content = bytes | Path | None
Given = tuple[int, Content]
Result = tuple[int, "Stored | RowError"]


@dataclass(frozen=True)
class Stored:
    """An image of the import as it lies in object storage, and the hash of what was given."""

    source_sha256: str
    image: StoredImage


@dataclass(frozen=True)
class ImageWorkshop:
    """Where images go: what every process needs to know. Sent to processes, so plain values."""

    folder: str
    storage: dict[str, Any]
    made_before: Path | None

    @classmethod
    def of(cls, folder: str, made_before: Path | None) -> "ImageWorkshop":
        return cls(folder, dict(settings.STORAGES["default"]), made_before)

    def open(self) -> "_Worker":
        return _Worker(self)


class _Worker:
    """One process's storage and threads."""

    def __init__(self, workshop: ImageWorkshop) -> None:
        backend = import_string(workshop.storage["BACKEND"])
        self._storage: Storage = backend(**workshop.storage.get("OPTIONS", {}))
        self._folder = workshop.folder
        self._before = MadeBefore(workshop.made_before) if workshop.made_before else None
        self._threads = ThreadPoolExecutor(_PUTS, "put")

    def make(self, chunk: Sequence[Given]) -> list[Result]:
        """Return what became of each image. Raises where the storage refuses."""
        results: list[Result] = []
        puts: list[Future[None]] = []
        for position, content in chunk:
            try:
                results.append((position, self._make(content, puts)))
            except RowError as error:
                results.append((position, error))
        for put in puts:
            put.result()
        return results

    def close(self) -> None:
        """Let go of threads and file, in a process that goes on to other work."""
        self._threads.shutdown()
        if self._before is not None:
            self._before.close()

    def _make(self, content: Content, puts: list[Future[None]]) -> Stored:
        if content is None:
            raise RowError("row", "has no image")
        data = read_file(content) if isinstance(content, Path) else content
        digest = hashlib.sha256(data).hexdigest()
        before = self._before and self._before.find(digest)
        if before and self._storage.exists(before.name):
            return Stored(digest, before)
        image, packed = pack_image(decode(data), folder=self._folder)
        puts.append(self._threads.submit(put_image, image.name, packed, storage=self._storage))
        return Stored(digest, image)


_worker: _Worker


def _begin(workshop: ImageWorkshop) -> None:
    """Make this process ready; it ends with the one that started it, however that ends."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    _worker = workshop.open()


def _make_chunk(chunk: Sequence[Given]) -> list[Result]:
    return _worker.make(chunk)


def store_all(
    given: Iterable[Given], *, count: int, workshop: ImageWorkshop, processes: int | None = None
) -> Iterator[list[Result]]:
    """Yield what became of the images, a chunk at a time, in order.

    `count` is how many there are; a few are made in this process. Raises where the storage
    refuses, and `EvalPlatformError` where a process dies.
    """
    chunks = _chunks(given)
    if count <= _FEW or processes == 1:
        with closing(workshop.open()) as worker:
            yield from map(worker.make, chunks)
        return
    processes = processes or len(os.sched_getaffinity(0))
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(workshop,),
    )
    under_way: deque[Future[list[Result]]] = deque()
    try:
        for chunk in chunks:
            under_way.append(pool.submit(_make_chunk, chunk))
            if len(under_way) > processes * _CHUNKS_UNDER_WAY:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise EvalPlatformError(
            "a process that reads images was ended from outside (out of memory?); start it again "
            "to go on; one process at a time needs least memory.",
            by_command="--processes 1 has one.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(given: Iterable[Given]) -> Iterator[list[Given]]:
    chunk: list[Given] = []
    held = 0
    for each in given:
        chunk.append(each)
        held += len(each[1]) if isinstance(each[1], bytes) else 0
        if len(chunk) == _CHUNK_IMAGES or held >= _CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
