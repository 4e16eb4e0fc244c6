"""A finished data directory as a source of one shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models_backend.data.manifest import manifest_sha256, read_records
from models_backend.data.pictures import size_of
from models_backend.data.source import CaptionedImage
from models_backend.errors import InputError


class ManifestSource:
    """A finished data directory as one shard; pictures stay on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = read_records(folder)
        self.sha256 = manifest_sha256(folder)
        self.licences = sorted({record.licence for record in self.records})
        if not self.records:
            raise InputError(f"{folder} holds no images; build the data set again")

    def sizes(self) -> list[npt.NDArray[np.int32]]:
        """Return (height, width) of every picture, in one shard (N, 2)."""
        rows = [size_of(self._bytes(row), record.file) for row, record in enumerate(self.records)]
        return [np.array(rows, dtype=np.int32)]

    def read(self, shard: int, row: int) -> CaptionedImage:
        """Return one sample."""
        record = self.records[row]
        return CaptionedImage.of(self._bytes(row), vars(record), str(self.folder / record.file))

    def _bytes(self, row: int) -> bytes:
        path = self.folder / self.records[row].file
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); build it again") from None
