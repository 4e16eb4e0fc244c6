"""Every image is looked at once: scores of a source, made by one process or several.

A kill at any moment loses the rows of the last half minute at most; what is written is never made
again, nor twice. `score_shard` is a job for a worker: any number may write to one folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from models_backend.curation.reading import read_picture
from models_backend.curation.scorers.base import Row, Scorer, ScorerInput
from models_backend.curation.scorers.registry import load_scorers
from models_backend.curation.sources import (
    Shard,
    SourceImage,
    find_items,
    read_bytes,
    root_of,
)
from models_backend.curation.store import Keys, Store, holds
from models_backend.errors import InputError, ModelsError

_CHUNK = 32
_FLUSH_SECONDS = 30.0
_FLUSH_ROWS = 20_000


@dataclass(frozen=True)
class Task:
    """What is asked: which scorers look at which source, and where scores go."""

    data: Path
    out: Path
    scorers: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    """By scorer's name: a folder of weights, a field of the source, a detector."""
    caption: str = "caption"
    """What the source calls its captions."""


@dataclass
class Count:
    """What came of a run, up to now."""

    images: int = 0
    scored: int = 0
    """Images that at least one scorer looked at in this run."""
    unreadable: int = 0
    known: int = 0
    """Images that had all scores before."""
    looked: int = 0
    """Images that this run is through with, known ones among them."""
    is_whole: bool = True
    """Whether it went to the end, or was told to stop."""


GoesOn = Callable[[Count], bool]
"""Asked after every few images, with what came of the run so far: shall it go on?"""


@dataclass(frozen=True)
class _Found:
    """What looking at some images gave."""

    images: list[dict[str, Any]]
    scores: list[tuple[tuple[str, ...], dict[str, Any]]]
    """The scorers that looked, and a row for `Store.add_scores`."""


def score(task: Task, *, processes: int = 1) -> Count:
    """Score a whole source, by so many processes; run again, go on.

    Raises:
        InputError: no such source or scorer, a scorer that lacks something, or another run writes
            to the same folder.
    """
    with _alone(task.out):
        return _run(task, _Looker(task), processes=processes)


def score_shard(
    task: Task,
    shard: Shard,
    *,
    scorers: Sequence[Scorer] | None = None,
    goes_on: GoesOn = lambda count: True,
) -> Count:
    """Score a part of a source, in this process; other processes may score others meanwhile.

    `scorers` are those of the task where they are loaded already. Told to stop, it writes what it
    has; the next call for the shard goes on from there.

    Raises:
        InputError: see :func:`score`.
    """
    return _run(task, _Looker(task, scorers), shard=shard, goes_on=goes_on)


def _run(
    task: Task,
    looker: _Looker,
    *,
    processes: int = 1,
    shard: Shard | None = None,
    goes_on: GoesOn = lambda count: True,
) -> Count:
    if processes < 1:
        raise InputError(f"{processes} processes cannot score; give at least 1")
    looker.scorers  # noqa: B018  (what is missing is told before anything is read)
    items = find_items(task.data, caption=task.caption, shard=shard or Shard())
    first = list(islice(items, 1))
    store = Store.create(task.out)
    looker.know(store)
    count, writer = Count(), _Writer(store, looker.scorers)
    chunks = _Plan(looker, store, count).chunks(chain(first, items))
    with tqdm(
        desc="score", unit="image", file=sys.stderr, mininterval=1.0, disable=shard is not None
    ) as bar:
        try:
            for found, size in _looked_at(looker, chunks, processes):
                writer.add(found, count)
                bar.update(size)
                count.looked += size
                if not goes_on(count):
                    count.is_whole = False
                    break
        finally:
            writer.flush()
    return count


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    Store.create(out)
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"another run writes to {out}; wait for it, or stop it") from None
        yield


class _Plan:
    """Which images of a source are still to be looked at."""

    def __init__(self, looker: _Looker, store: Store, count: Count) -> None:
        self._looker, self._count = looker, count
        self._places, self._images, self._bad = store.known_places()

    def chunks(self, items: Iterable[SourceImage]) -> Iterator[list[SourceImage]]:
        waiting: list[SourceImage] = []
        iterator = iter(items)
        while part := list(islice(iterator, 4096)):
            known = self._known(part)
            self._count.images += len(part)
            self._count.looked += int(known.sum())
            waiting += [item for item, there in zip(part, known, strict=True) if not there]
            while len(waiting) >= _CHUNK:
                yield waiting[:_CHUNK]
                waiting = waiting[_CHUNK:]
        if waiting:
            yield waiting

    def _known(self, items: Sequence[SourceImage]) -> np.ndarray:
        """Return whether each item was met before and has nothing left to do."""
        places = np.array([place_key(item) for item in items], dtype=np.uint64)
        met = holds(self._places, places)
        if not met.any():
            return met
        at = np.searchsorted(self._places, places).clip(max=len(self._places) - 1)
        images, bad = self._images[at], self._bad[at]
        texts = np.array([text_key(item) for item in items], dtype=np.uint64)
        complete = self._looker.complete(images, texts)
        self._count.known += int((met & (bad | complete)).sum())
        return np.asarray(met & (bad | complete))


class _Looker:
    """Looks at images with the scorers of a task; goes to other processes without them."""

    def __init__(self, task: Task, scorers: Sequence[Scorer] | None = None) -> None:
        self.task = task
        self._scorers = scorers
        self._done: list[Keys] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"task": self.task, "_scorers": None, "_done": self._done}

    @property
    def scorers(self) -> Sequence[Scorer]:
        """The scorers, loaded at first use."""
        if self._scorers is None:
            self._scorers = load_scorers(self.task.scorers, self.task.options)
        return self._scorers

    def know(self, store: Store) -> None:
        """Learn what has been scored."""
        self._done = [store.done(scorer) for scorer in self.scorers]

    def complete(self, images: Keys, texts: Keys) -> np.ndarray:
        """Return whether every scorer has looked at each image."""
        seen = np.ones(len(images), dtype=bool)
        for scorer, done in zip(self.scorers, self._done, strict=True):
            seen &= holds(done, images ^ texts if scorer.reads_fields else images)
        return seen

    def look(self, items: Sequence[SourceImage]) -> _Found:
        """Read and score images; what one of them does wrong is a row."""
        found, samples = _Found([], []), {}
        for item in items:
            row, sample = self._read(item)
            found.images.append(row)
            if sample is not None:
                samples[row["image_sha256"], row["text_key"]] = row, sample
        wanted: dict[tuple[int, ...], list[tuple[dict[str, Any], ScorerInput]]] = {}
        for row, sample in samples.values():
            key = np.array([int.from_bytes(row["image_sha256"][:8], "big")], dtype=np.uint64)
            text = np.array([row["text_key"]], dtype=np.uint64)
            missing = tuple(
                number for number, scorer in enumerate(self.scorers)
                if not holds(self._done[number], key ^ text if scorer.reads_fields else key)[0]
            )  # fmt: skip
            if missing:
                wanted.setdefault(missing, []).append((row, sample))
        for missing, group in wanted.items():
            found.scores.extend(self._score(missing, group))
        return found

    def _read(self, item: SourceImage) -> tuple[dict[str, Any], ScorerInput | None]:
        row: dict[str, Any] = {
            "place_key": place_key(item), "text_key": text_key(item), "file": item.file,
            "first": item.first, "second": item.second, "caption": item.caption,
            "concept": _text(item.fields.get("concept")),
            "licence": _text(item.fields.get("licence")) or "unknown",
            "ending": "", "error": None,
            "image_sha256": hashlib.sha256(item.place.encode()).digest(),  # until it is read
        }  # fmt: skip
        try:
            data = read_bytes(root_of(self.task.data), item)
            digest = hashlib.sha256(data)
            row["image_sha256"] = digest.digest()
            picture = read_picture(data)
        except InputError as error:
            row["error"] = str(error)
            return row, None
        row["ending"] = picture.ending
        return row, ScorerInput(
            digest.hexdigest(), picture.image, item.caption, len(data), picture.frames, item.fields
        )

    def _score(
        self, chosen: tuple[int, ...], group: list[tuple[dict[str, Any], ScorerInput]]
    ) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        rows: list[dict[str, Any]] = [
            {"image_sha256": row["image_sha256"], "text_key": row["text_key"], "error": None}
            for row, _ in group
        ]
        names = []
        for number in chosen:
            scorer = self.scorers[number]
            names.append(scorer.identity.name)
            for row, (measures, error) in zip(rows, _scores(scorer, [s for _, s in group]),
                                              strict=True):  # fmt: skip
                row |= {f"{names[-1]}/{measure}": value for measure, value in measures.items()}
                if error:
                    row["error"] = "; ".join(filter(None, [row["error"], error]))
        yield from ((tuple(names), row) for row in rows)


def _scores(scorer: Scorer, samples: list[ScorerInput]) -> list[tuple[Row, str]]:
    """Return each image's measures, and what went wrong with it.

    An image that a scorer cannot take has none. Where it takes none of many, the scorer itself is
    at fault, and the run stops.
    """
    try:
        return [(row, "") for row in scorer.score(samples)]
    except ModelsError:
        raise
    except Exception as error:  # a scorer is anybody's code
        if len(samples) == 1:
            return [(dict.fromkeys(scorer.measures), f"{scorer.identity.name}: {error}"[:300])]
    each = [_scores(scorer, [sample])[0] for sample in samples]
    if len(each) >= 8 and all(error for _, error in each):
        raise InputError(f"the scorer fails on every image; the last error: {each[-1][1]}")
    return each


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def text_key(item: SourceImage) -> int:
    """Return 64 bits that change with anything the source says of an image."""
    return _key(json.dumps(item.fields, sort_keys=True, default=str))


def place_key(item: SourceImage) -> int:
    """Return 64 bits that change with an image's place, its file, or what is said of it."""
    return _key(f"{item.file}|{item.first}|{item.second}|{item.stamp}|{text_key(item)}")


_KEPT = ("image_sha256", "text_key", "error")


class _Writer:
    """Collects rows and writes them as parts, each image once."""

    def __init__(self, store: Store, scorers: Sequence[Scorer]) -> None:
        self._store = store
        self._scorers = {scorer.identity.name: scorer for scorer in scorers}
        self._images: list[dict[str, Any]] = []
        self._rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        self._seen: set[int] = set()
        self._told: set[int] = set()
        self._reading = {name for name, each in self._scorers.items() if each.reads_fields}
        self._flushed = time.monotonic()

    def add(self, found: _Found, count: Count) -> None:
        self._images += found.images
        count.unreadable += sum(row["error"] is not None for row in found.images)
        for names, row in found.scores:
            image = int.from_bytes(row["image_sha256"][:8], "big")
            again = image in self._seen
            if again:  # at another place; what is said of it may be another thing there
                names = tuple(name for name in names if name in self._reading)
                row = {k: v for k, v in row.items() if k.partition("/")[0] in (*names, *_KEPT)}
            if names and image ^ row["text_key"] not in self._told:
                self._seen.add(image)
                self._told.add(image ^ row["text_key"])
                self._rows.setdefault(names, []).append(row)
                count.scored += not again
        waited = time.monotonic() - self._flushed
        if waited > _FLUSH_SECONDS or len(self._images) >= _FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        for names, rows in self._rows.items():
            self._store.add_scores([self._scorers[name] for name in names], rows)
        self._store.add_images(self._images)
        self._images, self._rows, self._flushed = [], {}, time.monotonic()


# -- processes ------------------------------------------------------------------------------------

_here: _Looker | None = None


def _begin(looker: _Looker) -> None:
    global _here
    _here = looker
    _one_thread()


def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _look(items: list[SourceImage]) -> _Found:
    assert _here is not None
    return _here.look(items)


def _looked_at(
    looker: _Looker, chunks: Iterator[list[SourceImage]], processes: int
) -> Iterator[tuple[_Found, int]]:
    """Yield what each chunk gave, as it comes."""
    if processes == 1:
        yield from ((looker.look(chunk), len(chunk)) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process that ran torch may hang
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(looker,))
    try:
        running: dict[Future[_Found], int] = {}
        while True:
            for chunk in islice(chunks, 2 * processes - len(running)):
                running[pool.submit(_look, chunk)] = len(chunk)
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield future.result(), running.pop(future)
    except BrokenProcessPool:
        raise InputError(
            "a process was killed, perhaps for memory; go on with fewer at a time",
            by_command="Run the same command again; `--processes` says how many.",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
