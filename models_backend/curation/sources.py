"""What is scored: a data directory, loose images, tar or parquet shards, or one parquet file.

Unlike training, scoring asks little of a source: a caption may be missing and an image may be
spoilt. No torch here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from models_backend.data.indexing import tar_members
from models_backend.data.loose import IMAGES, is_loose, read_loose
from models_backend.data.manifest import MARK_NAME, read_records
from models_backend.errors import InputError


@dataclass(frozen=True)
class SourceImage:
    """One image of a source: where its bytes are, and what is said of it."""

    file: str
    """Relative to the source."""
    first: int = -1
    """In a tar file the offset, in a parquet file the row group; -1 is the whole file."""
    second: int = -1
    """In a tar file the length, in a parquet file the row in its group."""
    stamp: str = ""
    """Changes when the file does."""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Name the place, for people and for looking it up."""
        return self.file if self.first < 0 else f"{self.file}, {self.first}+{self.second}"

    @property
    def caption(self) -> str:
        """What is said of the image, or nothing."""
        caption = self.fields.get("caption")
        return caption.strip() if isinstance(caption, str) else ""


@dataclass(frozen=True)
class Shard:
    """What one job scores: some of a source's images, in the source's own order."""

    file: str = ""
    """Name of a tar or parquet file of the source; empty: the source as a whole."""
    start: int = 0
    """Place of its first image, in the file or in the source, from 0."""
    stop: int | None = None
    """Place after its last image; None: to the end."""


def root_of(data: Path) -> Path:
    """Return the folder that items' files are relative to."""
    return data if data.is_dir() else data.parent


def plan_shards(data: Path, *, size: int, caption: str = "caption") -> list[Shard]:
    """Return the jobs that a source is scored by, of `size` images each; the last has fewer.

    A tar file is one job however many images it holds: to count them it would have to be read.

    Raises:
        InputError: see :func:`find_items`; or a size below 1.
    """
    if size < 1:
        raise InputError(f"{size} images a shard: give at least 1")
    files = _files_of(data)
    if not files:
        count = sum(1 for _ in find_items(data, caption=caption))
        return [Shard("", *ends) for ends in _cut(count, size)]
    shards = []
    for path in files:
        if path.suffix == ".parquet":
            shards += [Shard(path.name, *ends) for ends in _cut(_parquet_rows(path), size)]
        else:
            shards.append(Shard(path.name))
    return shards


def _cut(count: int, size: int) -> Iterator[tuple[int, int]]:
    yield from ((start, min(start + size, count)) for start in range(0, count, size))


def _files_of(data: Path) -> list[Path]:
    """Return the tar and parquet files of a source; none where it holds loose images."""
    if data.is_file():
        return [data]
    if (data / MARK_NAME).exists():
        return []
    return sorted([*data.glob("*.tar"), *data.glob("*.parquet")])


_WHOLE = Shard()


def find_items(
    data: Path, *, caption: str = "caption", shard: Shard = _WHOLE
) -> Iterator[SourceImage]:
    """Yield every image of a source, or those of a shard of it, in a fixed order.

    Raises:
        InputError: it is none of the kinds, holds no such shard, or cannot be read.
    """
    yield from islice(_all_items(data, caption, shard.file), shard.start, shard.stop)


def _all_items(data: Path, caption: str, only: str) -> Iterator[SourceImage]:
    if not data.exists():
        raise InputError(f"{data} does not exist; give a folder or a parquet file")
    files = _files_of(data)
    if only:
        files = [path for path in files if path.name == only]
        if not files:
            raise InputError(f"{data} holds no shard {only}")
    if files:
        for path in files:
            yield from (
                _in_parquet(path, caption) if path.suffix == ".parquet" else _in_tar(path, caption)
            )
    elif (data / MARK_NAME).exists():
        for record in read_records(data):
            yield SourceImage(record.file, stamp=record.sha256, fields=dict(vars(record)))
    elif is_loose(data):
        yield from _loose(data, caption)
    else:
        raise InputError(
            f"{data} holds no images: neither a finished data set, nor .tar or .parquet files, "
            f"nor {', '.join(IMAGES)}"
        )


def read_bytes(root: Path, item: SourceImage) -> bytes:
    """Return the bytes of an image file.

    Raises:
        InputError: they are not there.
    """
    path = root / item.file
    try:
        if item.first < 0:
            return path.read_bytes()
        if path.suffix == ".parquet":
            return _parquet_images(path, item.first)[item.second]
        with path.open("rb") as file:
            return os.pread(file.fileno(), item.second, item.first)
    except (OSError, IndexError) as error:
        raise InputError(f"{path} cannot be read ({error})") from None


def original_file(root: Path, item: SourceImage) -> Path | None:
    """Return the file that an image is alone in, if it is."""
    return root / item.file if item.first < 0 else None


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def _loose(data: Path, caption: str) -> Iterator[SourceImage]:
    for path, fields in read_loose(data, caption=caption):
        yield SourceImage(path.relative_to(data).as_posix(), stamp=_stamp(path), fields=fields)


def _in_tar(path: Path, caption: str) -> Iterator[SourceImage]:
    stamp = _stamp(path)
    with path.open("rb") as file:
        for parts in tar_members(path).values():
            image = next((parts[e] for e in IMAGES if e in parts), None)
            if image is None:
                continue
            texts = [
                os.pread(file.fileno(), parts[e][1], parts[e][0])
                for e in (".txt", ".json")
                if e in parts
            ]
            yield SourceImage(path.name, *image, stamp=stamp, fields=_fields(texts, caption))


def _fields(texts: list[bytes], caption: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for text in texts:
        words = text.decode(errors="replace").strip()
        try:
            content = json.loads(words) if words.startswith("{") else {"caption": words}
        except ValueError:
            continue
        if caption in content:
            content["caption"] = content[caption]
        fields |= content
    return fields


def _open_parquet(path: Path) -> Any:
    from pyarrow import ArrowInvalid, parquet

    try:
        return parquet.ParquetFile(path)
    except (OSError, ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read as parquet ({error})") from None


def _parquet_rows(path: Path) -> int:
    with _open_parquet(path) as file:
        rows: int = file.metadata.num_rows
    return rows


def _in_parquet(path: Path, caption: str) -> Iterator[SourceImage]:
    stamp = _stamp(path)
    with _open_parquet(path) as file:
        columns: list[str] = file.schema_arrow.names
        if "image" not in columns:
            raise InputError(f"{path} has no column image; its columns are {', '.join(columns)}")
        told = [name for name in columns if name != "image"]
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=told).to_pylist()
            for row in range(file.metadata.row_group(group).num_rows):
                fields = rows[row] if told else {}
                if caption in fields:
                    fields["caption"] = fields[caption]
                yield SourceImage(path.name, group, row, stamp, fields)


@lru_cache(maxsize=4)
def _parquet_images(path: Path, group: int) -> list[bytes]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        values = file.read_row_group(group, columns=["image"]).column(0).to_pylist()
    return [(v.get("bytes") if isinstance(v, dict) else v) or b"" for v in values]
