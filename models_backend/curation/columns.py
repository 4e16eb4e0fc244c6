"""Columns of parquet files as numpy arrays, and back. No torch here, and no pandas.

pyarrow's own `to_numpy` and `pyarrow.array` import pandas, and `parquet.read_table` does so by way
of pyarrow.dataset: that alone takes longer than rules over a million rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
from pyarrow import parquet

Mask = npt.NDArray[np.bool_]
Column = Any
"""A `pyarrow.Array` or a `pyarrow.ChunkedArray`."""

_TYPES: dict[str, type] = {
    "double": np.float64, "float": np.float32, "int64": np.int64, "int32": np.int32,
    "int16": np.int16, "int8": np.int8, "uint64": np.uint64,
}  # fmt: skip


def read_columns(
    path: Path, columns: Sequence[str], *, dictionaries: Sequence[str] = ()
) -> pyarrow.Table:
    """Return some columns of a parquet file, those of `dictionaries` as codes.

    The file is mapped, so it must not be written to meanwhile: parts are never changed.
    """
    with parquet.ParquetFile(
        path, read_dictionary=list(dictionaries) or None, memory_map=True
    ) as file:
        return file.read(columns=list(columns))


def is_number(column: Column) -> bool:
    """Return whether a column holds numbers that :func:`numbers` can return."""
    return str(column.type) in _TYPES


def numbers(column: Column) -> npt.NDArray[Any]:
    """Return the numbers (N,) of a column, whatever lies in memory where there is none."""
    parts = [_numbers(chunk) for chunk in _chunks(column)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, _TYPES[str(column.type)])


def valid(column: Column) -> Mask:
    """Return where a column (N,) has a value."""
    parts = [_valid(chunk) for chunk in _chunks(column)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=bool)


def places(rows: npt.NDArray[np.integer[Any]], there: Mask | None = None) -> pyarrow.Array:
    """Return row numbers (N,) as pyarrow's `take` wants them, null where `there` is false."""
    held = None
    if there is not None:
        held = pyarrow.py_buffer(np.packbits(there, bitorder="little"))
    values = np.ascontiguousarray(rows, dtype=np.int64)
    return pyarrow.Array.from_buffers(
        pyarrow.int64(), len(values), [held, pyarrow.py_buffer(values)]
    )


def texts(words: Sequence[str]) -> pyarrow.Array:
    """Return texts (N,) as a column."""
    each = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, each)], dtype=np.int32)
    held = [None, pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(each))]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(each), held)


def _chunks(column: Column) -> list[pyarrow.Array]:
    return column.chunks if isinstance(column, pyarrow.ChunkedArray) else [column]


def _numbers(chunk: pyarrow.Array) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = np.frombuffer(
        chunk.buffers()[1] or b"", dtype=_TYPES[str(chunk.type)]
    )
    return values[chunk.offset : chunk.offset + len(chunk)]


def _valid(chunk: pyarrow.Array) -> Mask:
    held = chunk.buffers()[0]
    if pyarrow.types.is_null(chunk.type):
        return np.zeros(len(chunk), dtype=bool)
    if held is None:
        return np.ones(len(chunk), dtype=bool)
    bits = np.unpackbits(np.frombuffer(held, dtype=np.uint8), bitorder="little")
    return bits[chunk.offset : chunk.offset + len(chunk)].astype(bool)
