"""What every importer is given and yields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models_backend.errors import InputError
from models_backend.preferences.pictures import ImageStore
from models_backend.preferences.records import PreferencePair, PreferenceRanking

Found = Iterator[PreferencePair | PreferenceRanking]


@dataclass
class Importing:
    """An import: where it reads, where images go, and what the format cannot say."""

    source: Path
    store: ImageStore
    images: Path
    """Folder that paths of images are relative to."""
    aspect: str
    skipped: dict[str, int] = field(default_factory=dict)
    """Rows that were left out, by reason."""
    _people: dict[str, int] = field(default_factory=dict)
    _added: dict[str, str] = field(default_factory=dict)

    def person(self, name: object) -> int:
        """Return a number for an annotator, from 1; 0 for nobody."""
        if name in (None, ""):
            return 0
        return self._people.setdefault(str(name), len(self._people) + 1)

    def path(self, name: str) -> str:
        """Take the image of a path in; return its hash.

        Raises:
            InputError: it is missing, no image, or outside the folder of images.
        """
        if name not in self._added:
            path = (self.images / name).resolve()
            if not path.is_relative_to(self.images.resolve()):
                raise InputError(f"image {name}: outside {self.images}")
            self._added[name] = self.store.add_file(path)
        return self._added[name]

    def embedded(self, value: Any, name: str) -> str:
        """Take an image in that a row carries: bytes, or bytes and a path as `datasets` writes."""
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, str):
            return self.path(value)
        if not value:
            raise InputError(f"{name} has no image: export it with its images")
        return self.store.add(bytes(value), name)

    def skip(self, why: str) -> None:
        self.skipped[why] = self.skipped.get(why, 0) + 1


Importer = Callable[[Importing], Found]


def parquet_rows(source: Path, needed: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, or of every one in a folder.

    Raises:
        InputError: there is none, or a column is missing.
    """
    files = [source] if source.is_file() else sorted(source.rglob("*.parquet"))
    if not files:
        raise InputError(f"{source} holds no Parquet file")
    for path in files:
        try:
            file = pq.ParquetFile(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path} is not Parquet ({error})") from None
        missing = [name for name in needed if name not in file.schema_arrow.names]
        if missing:
            raise InputError(f"{path} lacks the column {missing[0]}; it is of another format")
        for batch in file.iter_batches(batch_size=256):
            yield from batch.to_pylist()


def json_entries(source: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the numbered objects of a JSON list or of JSON Lines.

    Raises:
        InputError: neither, or a key is missing.
    """
    if source.is_dir():
        has = sorted(path.name for path in source.glob("*.json*"))
        raise InputError(
            f"{source} is a folder; give one of its files: {', '.join(has[:5]) or 'it has no JSON'}"
        )
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source} cannot be read ({error})") from None
    try:
        found = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except ValueError as error:
        raise InputError(f"{source} is neither a JSON list nor JSON Lines ({error})") from None
    for number, entry in enumerate(found, start=1):
        if not isinstance(entry, dict):
            raise InputError(f"{source}, entry {number}: not an object")
        missing = [name for name in needed if name not in entry]
        if missing:
            raise InputError(f"{source}, entry {number}: {missing[0]} is missing")
        yield number, entry


def source_of(row: dict[str, Any]) -> str:
    """Return who preferred, where a row of one of our own exports says it."""
    return "simulated" if row.get("is_simulated") else "human"
