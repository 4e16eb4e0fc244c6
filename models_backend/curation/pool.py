"""A pool: the images that the automatic rules left, as a folder that people's curation reads.

Format `t2i-pool/1`; docs/curation.md tells what each field means. `pool.json` is written last and
holds the hash of `pool.jsonl`: a folder without it, or whose list was changed, is refused. No
torch here.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models_backend.errors import InputError
from models_backend.files import (
    read_json,
    sha256_of_bytes,
    temporary_sibling,
    write_bytes_atomically,
    write_json_atomically,
)

FORMAT = "t2i-pool/1"
MARK, LIST, IMAGES = "pool.json", "pool.jsonl", "images"
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class PoolEntry:
    """One image of a pool: a line of `pool.jsonl`."""

    sha256: str
    """Of the image file's bytes."""
    file: str
    """Relative to the pool: `images/`, the first two letters of the hash, the hash, the ending."""
    width: int
    """Pixels, as the picture is shown: turned as its EXIF data says."""
    height: int
    caption: str
    """The source's own; empty where it has none."""
    concept: str
    """What quotas are by; empty where nothing was told or found."""
    licence: str
    """SPDX id, or `unknown`."""
    scores: dict[str, float | str | None] = field(default_factory=dict)
    """By `scorer/measure`; None where a scorer could not tell."""
    popularity: float | None = None
    """The source's number, such as likes; left out where it has none."""

    def line(self) -> dict[str, Any]:
        """Return the entry as it is written."""
        content = dict(vars(self))
        if self.popularity is None:
            del content["popularity"]
        return content


@dataclass(frozen=True)
class PoolMark:
    """What `pool.json` says of a pool."""

    images: int
    rules_sha256: str
    """Of the rules file's bytes."""
    scores_sha256: str
    """Over the scores that the rules were applied to."""
    source: str
    """What was scored, as it was given."""
    scorers: dict[str, dict[str, str]]
    """Name, version and weights_sha256 of each scorer, by its name."""
    list_sha256: str
    """Of `pool.jsonl`."""


def image_file(sha256: str, ending: str) -> str:
    """Return where an image lies in a pool; the ending has no dot."""
    return f"{IMAGES}/{sha256[:2]}/{sha256}.{ending}"


def store_image(pool: Path, file: str, data: bytes, original: Path | None) -> None:
    """Put an image into a pool: linked to the original file where the disk can, else written.

    Raises:
        InputError: the disk is full, or the folder may not be written to.
    """
    target = pool / file
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if original is None or not _linked(original, target):
            write_bytes_atomically(target, data)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror})") from None


def _linked(original: Path, target: Path) -> bool:
    try:
        os.link(original.resolve(), target)
    except OSError:  # another disk, or one that knows no links
        return False
    return True


def begin_pool(folder: Path) -> None:
    """Make an empty folder for a pool, or clear one that was not finished.

    Raises:
        InputError: the folder holds a finished pool or something else.
    """
    if (folder / MARK).exists():
        raise InputError(f"{folder} holds a finished pool; give another folder, or remove it")
    if folder.is_dir():
        others = {path.name for path in folder.iterdir()} - _OWN
        if others:
            raise InputError(
                f"{folder} holds {sorted(others)[0]}, which no pool does; give an empty folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


_OWN = {LIST, IMAGES, "funnel.json", "dropped.parquet", "audit", "rules.toml"}


def finish_pool(
    folder: Path,
    entries: Iterable[PoolEntry],
    *,
    rules_sha256: str,
    scores_sha256: str,
    source: str,
    scorers: dict[str, dict[str, str]],
) -> PoolMark:
    """Write the list of a pool whose images are stored, and then its mark."""
    partial, count = temporary_sibling(folder / LIST), 0
    with partial.open("w", encoding="utf-8") as file:
        for entry in entries:
            file.write(json.dumps(entry.line(), sort_keys=True, ensure_ascii=False) + "\n")
            count += 1
    data = partial.read_bytes()
    os.replace(partial, folder / LIST)
    mark = PoolMark(count, rules_sha256, scores_sha256, source, scorers, sha256_of_bytes(data))
    write_json_atomically(folder / MARK, {"format": FORMAT, **vars(mark)})
    return mark


def read_mark(folder: Path) -> PoolMark:
    """Return what `pool.json` says.

    Raises:
        InputError: no finished pool, or of another format.
    """
    path = folder / MARK
    if not path.is_file():
        raise InputError(
            f"{folder} is no finished pool ({MARK} is missing); make one with: "
            "python -m models_backend.curation select"
        )
    content = read_json(path)
    if content.pop("format", None) != FORMAT:
        raise InputError(f"{path} is not of the format {FORMAT}")
    try:
        return PoolMark(**content)
    except TypeError as error:
        raise InputError(f"{path} does not fit the format {FORMAT} ({error})") from None


def read_entries(folder: Path) -> Iterator[PoolEntry]:
    """Return every image of a finished pool, in the order of its list.

    Raises:
        InputError: an unfinished or changed pool, a line that does not fit, or an image twice.
    """
    mark, path = read_mark(folder), folder / LIST
    data = path.read_bytes() if path.is_file() else b""
    if sha256_of_bytes(data) != mark.list_sha256:
        raise InputError(f"{path} differs from the hash in {MARK}; make the pool again")
    seen: set[str] = set()
    for number, line in enumerate(data.splitlines(), start=1):
        entry = _entry(line, f"{path}, line {number}")
        if entry.sha256 in seen:
            raise InputError(f"{path}, line {number}: image {entry.sha256[:12]} is there twice")
        seen.add(entry.sha256)
        yield entry


def _entry(line: bytes, name: str) -> PoolEntry:
    try:
        entry = PoolEntry(**json.loads(line))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} does not fit the format {FORMAT} ({error})") from None
    if len(entry.sha256) != 64 or not set(entry.sha256) <= _HEX:
        raise InputError(f"{name}: sha256 must be 64 hexadecimal digits, not {entry.sha256!r}")
    ending = entry.file.rpartition(".")[2]
    if entry.file != image_file(entry.sha256, ending) or not ending.isalnum():
        raise InputError(f"{name}: {entry.file!r} is not where a pool keeps this image")
    if entry.popularity is not None and not 0 <= entry.popularity < math.inf:
        raise InputError(f"{name}: popularity {entry.popularity} is not a number of at least 0")
    return entry


def read_image(folder: Path, entry: PoolEntry) -> bytes:
    """Return an image's bytes.

    Raises:
        InputError: the file is missing or was changed.
    """
    path = folder / entry.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make the pool again") from None
    if sha256_of_bytes(data) != entry.sha256:
        raise InputError(f"{path} differs from its hash; make the pool again")
    return data
