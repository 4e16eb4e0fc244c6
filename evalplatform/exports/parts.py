"""The files of rows: part by part, each whole or not at all, so that a killed export goes on.

A part is so many rows of the statement, one file for each criterion and split that they fall into.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
from pyarrow import parquet

from evalplatform.core.csv_text import csv_header, csv_text
from evalplatform.exports.kinds import Container

BETWEEN = {"tags": ",", "marks": ",", "arm_names": "|"}
"""What is between the values of a list in a cell of CSV, by column: these may have spaces."""
_HALF_WRITTEN = ".part"
_UNDER_WAY = re.compile(r"\..+\.[a-z0-9_]{8}")  # as `core.files.write_pieces` names them
_BLOCK = 1 << 20


class TableWriter(Protocol):
    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _Parquet:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd", compression_level=1)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


class _Text:
    """A file of lines."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="")

    def put(self, pieces: Iterable[str]) -> None:
        self._file.writelines(pieces)

    def close(self) -> None:
        self._file.close()


class _Csv(_Text):
    def __init__(self, path: Path, schema: pa.Schema, *, for_excel: bool) -> None:
        super().__init__(path)
        self._names, self._for_excel = schema.names, for_excel
        self.put([csv_header(self._names, for_excel=for_excel)])

    def write(self, table: pa.Table) -> None:
        records = [
            {name: _cell(name, value) for name, value in row.items()} for row in table.to_pylist()
        ]
        text = csv_text(self._names, records, for_excel=self._for_excel)
        self.put([text.partition("\n")[2]])


class _JsonLines(_Text):
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path)

    def write(self, table: pa.Table) -> None:
        self.put(_json(row) + "\n" for row in table.to_pylist())


class _JsonList(_Text):
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path)
        self._is_first = True
        self.put("[")

    def write(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self.put(["\n" if self._is_first else ",\n", _json(row)])
            self._is_first = False

    def close(self) -> None:
        self.put(["\n]\n"])
        super().close()


def table_writer(
    container: Container, path: Path, schema: pa.Schema, *, for_excel: bool = False
) -> TableWriter:
    """Return what writes tables of this schema to a file."""
    if container is Container.PARQUET:
        return _Parquet(path, schema)
    if container is Container.CSV:
        return _Csv(path, schema, for_excel=for_excel)
    return (_JsonLines if container is Container.JSONL else _JsonList)(path, schema)


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=_plain, separators=(",", ":"))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} has no JSON.")


def _cell(name: str, value: object) -> object:
    """A cell of CSV; a list has between its values what `votes.csv` has there."""
    if isinstance(value, list):
        texts = ["?" if each is None else str(each) for each in value]
        return BETWEEN.get(name, " ").join(texts)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


class PartFiles:
    """The files of one part; none bears its name before the part is complete."""

    def __init__(
        self, folder: Path, container: Container, schema: pa.Schema, *, for_excel: bool
    ) -> None:
        self._folder, self._container, self._schema = folder, container, schema
        self._for_excel = for_excel
        self._open: dict[str, TableWriter] = {}
        self.rows: dict[str, int] = {}

    def write(self, name: str, table: pa.Table) -> None:
        """Add rows to the file of this name."""
        writer = self._open.get(name)
        if writer is None:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(path.name + _HALF_WRITTEN)
            writer = table_writer(self._container, half, self._schema, for_excel=self._for_excel)
            self._open[name], self.rows[name] = writer, 0
        writer.write(table)
        self.rows[name] += table.num_rows

    def finish(self) -> dict[str, int]:
        """Give the files their names; return how many rows each has."""
        for name, writer in self._open.items():
            writer.close()
            path = self._folder / name
            os.replace(path.with_name(path.name + _HALF_WRITTEN), path)
        self._open = {}
        return self.rows

    def abandon(self) -> None:
        """Remove what is half written."""
        for name, writer in self._open.items():
            with suppress(Exception):
                writer.close()
            path = self._folder / name
            path.with_name(path.name + _HALF_WRITTEN).unlink(missing_ok=True)


def remove_half_written(folder: Path) -> None:
    """Remove what a killed process left of a part, and of a file that is written whole."""
    for path in folder.rglob("*"):
        if path.name.endswith(_HALF_WRITTEN) or _UNDER_WAY.fullmatch(path.name):
            path.unlink()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read a block at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pieces_of(path: Path) -> Iterator[bytes]:
    """Yield a file a block at a time."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
