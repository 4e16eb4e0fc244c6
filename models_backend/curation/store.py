"""Scores on disk: parts of parquet that are only ever added to.

`SCORES/images/` has a row for each place an image was found in, with what its source says of it, or
why it cannot be read. `SCORES/scores/` has a row an image with the measures of the scorers that
looked at it; the file's metadata names them. An image is known by the hash of its file's bytes; of
several rows about one image the latest counts. Parts are written whole or not at all, under names
that no two processes choose. No torch here.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
from pyarrow import parquet

from models_backend.curation.columns import numbers, read_columns, valid
from models_backend.curation.scorers.base import Scorer, ScorerIdentity
from models_backend.errors import InputError
from models_backend.files import read_json, temporary_sibling, write_json_atomically

FORMAT = "t2i-scores/1"
MARK = "scores.json"
_SCORERS = b"t2i_scorers"
Keys = npt.NDArray[np.uint64]
HASH = pyarrow.binary(32)
IMAGES = pyarrow.schema(
    [
        ("image_sha256", HASH), ("place_key", pyarrow.uint64()), ("text_key", pyarrow.uint64()),
        ("file", pyarrow.string()), ("first", pyarrow.int64()), ("second", pyarrow.int64()),
        ("ending", pyarrow.string()), ("caption", pyarrow.string()),
        ("concept", pyarrow.string()), ("licence", pyarrow.string()),
        ("error", pyarrow.string()),
    ]
)  # fmt: skip


def keys_of(hashes: pyarrow.ChunkedArray) -> Keys:
    """Return the first 8 bytes of each hash (N,), by which images are joined.

    Two of a million images share them with a probability of 3e-8.
    """
    parts = []
    for chunk in hashes.chunks:
        raw = np.frombuffer(chunk.buffers()[1], dtype=np.uint8)
        rows = raw[chunk.offset * 32 : (chunk.offset + len(chunk)) * 32].reshape(-1, 32)
        parts.append(np.ascontiguousarray(rows[:, :8]).view(">u8").ravel().astype(np.uint64))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def latest(keys: Keys) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Return the distinct keys in rising order, and for each the row it stands in last."""
    if not len(keys):
        return keys, np.empty(0, dtype=np.int64)
    order = np.argsort(keys)
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    # Equal keys stand side by side, in any order: a stable sort would cost several times as much.
    return ordered[starts], np.maximum.reduceat(order, starts)


@dataclass(frozen=True)
class ScorePart:
    """A file of scores: who looked, and where it is."""

    path: Path
    scorers: tuple[ScorerIdentity, ...]
    columns: tuple[str, ...]


def scores_schema(scorers: Sequence[Scorer]) -> pyarrow.Schema:
    """Return the columns of a part of scores, and in its metadata who looked."""
    fields = [
        ("image_sha256", HASH), ("text_key", pyarrow.uint64()), ("error", pyarrow.string()),
    ]  # fmt: skip
    for scorer in scorers:
        for measure, kind in scorer.measures.items():
            name = f"{scorer.identity.name}/{measure}"
            fields.append((name, pyarrow.type_for_alias(kind)))
    told = json.dumps([scorer.identity.to_dict() for scorer in scorers])
    return pyarrow.schema(fields, metadata={_SCORERS: told.encode()})


class Store:
    """A folder of scores."""

    def __init__(self, folder: Path) -> None:
        """Open a folder of scores.

        Raises:
            InputError: it is none.
        """
        self.folder = folder
        if not (folder / MARK).is_file():
            raise InputError(
                f"{folder} holds no scores ({MARK} is missing); score images into it first",
                by_command="`python -m models_backend.curation score` does it.",
            )
        if read_json(folder / MARK).get("format") != FORMAT:
            raise InputError(f"{folder / MARK} is not of the format {FORMAT}")

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Open a folder of scores, or begin one in an empty folder.

        Raises:
            InputError: the folder holds something else.
        """
        if not (folder / MARK).exists():
            if folder.is_dir() and any(folder.iterdir()):
                raise InputError(f"{folder} is not empty and holds no scores; give another folder")
            for kind in ("images", "scores"):
                (folder / kind).mkdir(parents=True, exist_ok=True)
            write_json_atomically(folder / MARK, {"format": FORMAT})
        return cls(folder)

    # -- writing ----------------------------------------------------------------------------------

    def add_images(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a part of places."""
        if rows:
            self._write("images", pyarrow.Table.from_pylist(list(rows), schema=IMAGES))

    def add_scores(self, scorers: Sequence[Scorer], rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a part of scores; each row has image_sha256, text_key, error and `name/measure`."""
        if rows:
            schema = scores_schema(scorers)
            self.add_table(scorers, pyarrow.Table.from_pylist(list(rows), schema=schema))

    def add_table(self, scorers: Sequence[Scorer], table: pyarrow.Table) -> None:
        """Write a part of scores that is a table already."""
        self._write("scores", table.cast(scores_schema(scorers)))

    def _write(self, kind: str, table: pyarrow.Table) -> None:
        path = self.folder / kind / f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet"
        partial = temporary_sibling(path)
        try:
            # Hashes do not compress, and scores little; reading is what has to be fast.
            parquet.write_table(table, partial, compression="none", use_dictionary=_TEXTS)
            os.replace(partial, path)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror})") from None
        finally:
            partial.unlink(missing_ok=True)

    # -- reading ----------------------------------------------------------------------------------

    def images(self, columns: Sequence[str]) -> pyarrow.Table:
        """Return the table of places, oldest part first."""
        tables = [read_columns(path, columns) for path in self._paths("images")]
        if not tables:
            return IMAGES.empty_table().select(list(columns))
        return pyarrow.concat_tables(tables)

    def parts(self) -> Iterator[ScorePart]:
        """Yield the files of scores, oldest first.

        Raises:
            InputError: a file that is none of ours.
        """
        for path in self._paths("scores"):
            try:
                schema = parquet.read_schema(path)
                told = json.loads(schema.metadata[_SCORERS])
                scorers = tuple(ScorerIdentity(**each) for each in told)
            except (OSError, pyarrow.ArrowInvalid, KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path} is no part of scores ({error}); remove it") from None
            yield ScorePart(path, scorers, tuple(schema.names))

    def _paths(self, kind: str) -> list[Path]:
        return sorted((self.folder / kind).glob("part-*.parquet"))

    def known_places(self) -> tuple[Keys, Keys, npt.NDArray[np.bool_]]:
        """Return place keys in rising order, the key of the image of each, and if it is bad."""
        table = self.images(["place_key", "image_sha256", "error"])
        places = numbers(table.column("place_key"))
        bad = valid(table.column("error"))
        places, rows = latest(places)
        return places, keys_of(table.column("image_sha256"))[rows], bad[rows]

    def done(self, scorer: Scorer) -> Keys:
        """Return the keys of what a scorer has looked at, in rising order."""
        found = [np.empty(0, dtype=np.uint64)]
        for part in self.parts():
            if scorer.identity in part.scorers:
                table = read_columns(part.path, ["image_sha256", "text_key"])
                keys = keys_of(table.column("image_sha256"))
                if scorer.reads_fields:
                    keys = keys ^ numbers(table.column("text_key"))
                found.append(keys)
        return np.unique(np.concatenate(found))


_TEXTS = ["ending", "concept", "licence", "error", "concepts/name"]


def holds(keys: Keys, wanted: Keys) -> npt.NDArray[np.bool_]:
    """Return whether each of `wanted` is among `keys`, which rise."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=bool)
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.asarray(keys[at] == wanted)
