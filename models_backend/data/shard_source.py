"""Indexed shards, read: WebDataset tar files and parquet files larger than memory. No torch here.

`shards.json` names the files with their hashes; beside each file stands an index of where every
sample is and how large its picture: any sample is read without scanning, so a run resumes in the
middle of an epoch at once. (The webdataset library reads tar files as streams: it resumes by
reading again what was read.) What a sample is, and how shards are made: `shards`.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models_backend.data.source import CaptionedImage
from models_backend.errors import InputError
from models_backend.files import read_json

INDEX = "shards.json"
FORMAT = "t2i-shards/2"
CAPTION = "caption"
_FIELDS = ("keywords", "style", "licence")
PLACE = np.dtype(
    [("image", "<i8"), ("image_bytes", "<i8"), ("text", "<i8"), ("text_bytes", "<i8"),
     ("height", "<i4"), ("width", "<i4")]
)  # fmt: skip
"""Of a tar sample: offsets and lengths in the file. Of a parquet row: row group and row in it."""


class ShardSource:
    """A folder of indexed shards; samples are read at random, a few kilobytes of memory each."""

    def __init__(self, folder: Path) -> None:
        content = read_json(folder / INDEX)
        if content.get("format") != FORMAT or not content.get("shards"):
            raise InputError(f"{folder / INDEX} is not of the format {FORMAT}; index it again")
        self.folder = folder
        self.files = [folder / shard["file"] for shard in content["shards"]]
        self.licences: list[str] = content["licences"]
        self.sha256: str = content["sha256"]
        self._caption: str = content["caption"]
        self._places = [_read_index(path) for path in self.files]
        for path, places, shard in zip(self.files, self._places, content["shards"], strict=True):
            if not path.is_file() or path.stat().st_size != shard["bytes"]:
                raise InputError(f"{path} is missing or was changed; copy it again, or index again")
            if len(places) != shard["samples"]:
                raise InputError(f"{index_path(path)} does not fit {INDEX}; index again")

    def sizes(self) -> list[npt.NDArray[np.int32]]:
        """Return (height, width) of every picture, an array (samples, 2) a shard."""
        return [np.stack([p["height"], p["width"]], axis=1) for p in self._places]

    def read(self, shard: int, row: int) -> CaptionedImage:
        """Return one sample."""
        path, place = self.files[shard], self._places[shard][row]
        if path.suffix == ".parquet":
            return parquet_sample(path, int(place["image"]), int(place["text"]), self._caption)
        with path.open("rb") as file:
            data = os.pread(file.fileno(), int(place["image_bytes"]), int(place["image"]))
            text = os.pread(file.fileno(), int(place["text_bytes"]), int(place["text"]))
        return tar_sample(data, text, f"{path}, sample {row}", self._caption)


def tar_sample(data: bytes, text: bytes, name: str, caption: str) -> CaptionedImage:
    """Return a sample; its text is a JSON object, whose key `caption` counts, or a bare caption."""
    try:
        decoded = text.decode()
        if not decoded.lstrip().startswith("{"):
            return CaptionedImage.of(data, {CAPTION: decoded}, name)
        fields = json.loads(decoded)
    except ValueError as error:
        raise InputError(f"{name}: its text is not UTF-8 or not JSON ({error})") from None
    return CaptionedImage.of(data, fields, name, key=caption)


@lru_cache(maxsize=64)
def parquet_rows(path: Path, group: int, caption: str) -> list[dict[str, Any]]:
    """Return the rows of a row group, of its columns those that a sample has.

    Raises:
        InputError: it has no column of images, or none of that name for captions.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        columns: list[str] = file.schema_arrow.names
        for wanted in ("image", caption):
            if wanted not in columns:
                raise InputError(
                    f"{path} has no column {wanted}; its columns are {', '.join(columns)}",
                    by_command="`--caption-column` names it." if wanted == caption else "",
                )
        chosen = [name for name in columns if name in ("image", caption, *_FIELDS)]
        rows: list[dict[str, Any]] = file.read_row_group(group, columns=chosen).to_pylist()
    return rows


def parquet_sample(path: Path, group: int, row: int, caption: str) -> CaptionedImage:
    """Return one row of a row group as a sample."""
    fields = dict(parquet_rows(path, group, caption)[row])
    name = f"{path}, row {row} of group {group}"
    data = fields.pop("image", None)
    if isinstance(data, dict):  # as a hub's library writes images
        data = data.get("bytes")
    if not isinstance(data, bytes):
        raise InputError(
            f"{name}: column image must hold the bytes of an image file, alone or in a struct of "
            "bytes and path"
        )
    return CaptionedImage.of(data, fields, name, key=caption)


def index_path(path: Path) -> Path:
    """Return the file in which the places of a shard's samples stand."""
    return path.with_name(f"{path.name}.index.npy")


def _read_index(path: Path) -> npt.NDArray[Any]:
    try:
        places: npt.NDArray[Any] = np.load(index_path(path), mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"{index_path(path)} cannot be read ({error}); index again") from None
    return places
