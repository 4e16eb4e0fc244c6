"""Tensors on disk by content hash: latents and text embeddings computed once, memory-mapped.

A cache folder holds, for each process that writes, a file of rows of one shape and a file of their
keys. The row is written before its key, so that a kill leaves at most a row nobody finds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes

_KEY = 16
_DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype("<f4"),
    torch.float16: np.dtype("<f2"),
}


class TensorCache:
    """Rows of one shape and type; `writer` tells concurrent processes apart."""

    def __init__(
        self, folder: Path, shape: tuple[int, ...], dtype: torch.dtype, writer: int = 0
    ) -> None:
        name = "x".join(map(str, shape)) + "-" + _DTYPES[dtype].name
        self.folder = folder / name
        self._shape, self._dtype = shape, _DTYPES[dtype]
        self._bytes = int(np.prod(shape)) * self._dtype.itemsize
        self._where: dict[bytes, tuple[Path, int]] = {}
        self._maps: dict[Path, npt.NDArray[np.uint8]] = {}
        self._own = self.folder / f"{writer}.rows"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.folder, error) from None
        for rows in sorted(self.folder.glob("*.rows")):
            self._read_keys(rows)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, key: bytes) -> bool:
        return key in self._where

    def _read_keys(self, rows: Path) -> None:
        keys = rows.with_suffix(".keys")
        data = keys.read_bytes() if keys.exists() else b""
        count = min(len(data) // _KEY, rows.stat().st_size // self._bytes)
        for row in range(count):
            self._where[data[row * _KEY : (row + 1) * _KEY]] = rows, row
        if rows == self._own and len(data) != count * _KEY:
            os.truncate(keys, count * _KEY)

    def get(self, keys: Sequence[bytes], compute: Callable[[list[int]], Tensor]) -> Tensor:
        """Return rows (len(keys), *shape); `compute` makes those at the given places, each once.

        Raises:
            InputError: the disk is full or the folder cannot be written.
        """
        first: dict[bytes, int] = {}
        for place, key in enumerate(keys):
            if key not in self._where:
                first.setdefault(key, place)
        missing = list(first.values())
        if missing:
            self._append([keys[i] for i in missing], compute(missing))
        rows = np.stack([self._row(*self._where[key]) for key in keys])
        return torch.from_numpy(rows)

    def _row(self, path: Path, row: int) -> npt.NDArray[Any]:
        held = self._maps.get(path)
        if held is None or (row + 1) * self._bytes > held.size:
            held = self._maps[path] = np.memmap(path, np.uint8, "r")
        raw = held[row * self._bytes : (row + 1) * self._bytes]
        return raw.view(self._dtype).reshape(self._shape)

    def _append(self, keys: list[bytes], values: Tensor) -> None:
        data = values.detach().cpu().numpy().astype(self._dtype)
        key_file = self._own.with_suffix(".keys")
        first = key_file.stat().st_size // _KEY if key_file.exists() else 0
        try:
            with self._own.open("r+b" if self._own.exists() else "w+b") as rows:
                rows.seek(first * self._bytes)
                rows.write(data.tobytes())
            with key_file.open("ab") as file:
                file.write(b"".join(keys))
        except OSError as error:
            if key_file.exists():
                os.truncate(key_file, first * _KEY)
            raise _cannot_write(self.folder, error) from None
        for place, key in enumerate(keys):
            self._where[key] = self._own, first + place


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"the cache {folder} cannot be written ({error.strerror}); what it holds stays valid: free "
        "some space or name another cache_dir, then resume"
    )


def content_key(*parts: bytes | str) -> bytes:
    """Return a 16-byte key of some content, for a cache."""
    joined = b"\0".join(part.encode() if isinstance(part, str) else part for part in parts)
    return bytes.fromhex(sha256_of_bytes(joined))[:16]
