"""Captioned image sets larger than memory: WebDataset tar files and parquet files, indexed once.

A WebDataset sample is `key.png` (jpg, jpeg, webp) with `key.txt` (the caption) or `key.json` (an
object with `caption`, and optionally the other fields of a manifest's record); where both are there
the object's caption counts, and the other where it has none. A parquet row has `image` (the bytes
of a file, or a hub's struct of bytes and path) and `caption`, and optionally the same fields.

`shards.json` names the files with their hashes; beside each file stands an index of where every
sample is and how large its picture: any sample is read without scanning, so a run resumes in the
middle of an epoch at once. (The webdataset library reads tar files as streams: it resumes by
reading again what was read.) No torch here.

Usage::

    python -m models_backend.data.shards --index FOLDER [--caption-column NAME] [--skip-bad]
    python -m models_backend.data.shards --from DATA --out FOLDER [--kind tar|parquet]

DATA is a finished data directory, or a folder of loose images: with `metadata.jsonl` or
`metadata.csv` (file_name and a caption), or each beside a `.txt` of the same name.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models_backend.data.manifest import MARK_NAME, read_records
from models_backend.data.source import Sample
from models_backend.errors import InputError, run_cli
from models_backend.files import read_json, temporary_sibling

INDEX = "shards.json"
FORMAT = "t2i-shards/2"
CAPTION = "caption"
_FIELDS = ("keywords", "style", "licence")
_ROW_GROUP = 64
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

    def read(self, shard: int, row: int) -> Sample:
        """Return one sample."""
        path, place = self.files[shard], self._places[shard][row]
        if path.suffix == ".parquet":
            return parquet_sample(path, int(place["image"]), int(place["text"]), self._caption)
        with path.open("rb") as file:
            data = os.pread(file.fileno(), int(place["image_bytes"]), int(place["image"]))
            text = os.pread(file.fileno(), int(place["text_bytes"]), int(place["text"]))
        return tar_sample(data, text, f"{path}, sample {row}", self._caption)


def tar_sample(data: bytes, text: bytes, name: str, caption: str) -> Sample:
    """Return a sample; its text is a JSON object, whose key `caption` counts, or a bare caption."""
    try:
        decoded = text.decode()
        if not decoded.lstrip().startswith("{"):
            return Sample.of(data, {CAPTION: decoded}, name)
        fields = json.loads(decoded)
    except ValueError as error:
        raise InputError(f"{name}: its text is not UTF-8 or not JSON ({error})") from None
    return Sample.of(data, fields, name, key=caption)


@lru_cache(maxsize=64)
def parquet_rows(path: Path, group: int, caption: str) -> list[dict[str, Any]]:
    """Return the rows of a row group, of its columns those that a sample has.

    Raises:
        InputError: it has no column of images, or none of that name for captions.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        columns: list[str] = file.schema_arrow.names
        for wanted, option in (("image", ""), (caption, "; name it with --caption-column")):
            if wanted not in columns:
                raise InputError(
                    f"{path} has no column {wanted}; its columns are {', '.join(columns)}{option}"
                )
        chosen = [name for name in columns if name in ("image", caption, *_FIELDS)]
        rows: list[dict[str, Any]] = file.read_row_group(group, columns=chosen).to_pylist()
    return rows


def parquet_sample(path: Path, group: int, row: int, caption: str) -> Sample:
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
    return Sample.of(data, fields, name, key=caption)


def index_path(path: Path) -> Path:
    """Return the file in which the places of a shard's samples stand."""
    return path.with_name(f"{path.name}.index.npy")


def _read_index(path: Path) -> npt.NDArray[Any]:
    try:
        places: npt.NDArray[Any] = np.load(index_path(path), mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"{index_path(path)} cannot be read ({error}); index again") from None
    return places


# -- writing --------------------------------------------------------------------------------------


def write_shards(
    data: Path, out: Path, *, kind: str, samples: int, caption: str = CAPTION,
    skip_bad: bool = False,
) -> Path:  # fmt: skip
    """Write a data directory, or loose images, as indexed shards of so many samples each.

    Raises:
        InputError: neither, nothing in it, or samples that cannot be used.
    """
    from models_backend.data.indexing import index_folder
    from models_backend.data.loose import is_loose, read_loose

    if not (data / MARK_NAME).exists() and is_loose(data):
        images = read_loose(data, caption=caption)
    else:
        images = [(data / record.file, asdict(record)) for record in read_records(data)]
    if not images:
        raise InputError(f"{data} holds no images")
    out.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(images), samples)):
        path = out / f"{number:05d}.{kind}"
        partial = temporary_sibling(path)
        part = [(r, p.suffix, _bytes(p)) for p, r in images[start : start + samples]]
        try:
            _write_tar(partial, part) if kind == "tar" else _write_parquet(partial, part)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return index_folder(out, skip_bad=skip_bad)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def _write_tar(path: Path, part: list[tuple[dict[str, Any], str, bytes]]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, (record, suffix, image) in enumerate(part):
            words = json.dumps(record, sort_keys=True, ensure_ascii=False).encode()
            for name, content in ((f"{number:06d}{suffix}", image), (f"{number:06d}.json", words)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def _write_parquet(path: Path, part: list[tuple[dict[str, Any], str, bytes]]) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([{**record, "image": image} for record, _, image in part])
    parquet.write_table(table, path, row_group_size=_ROW_GROUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    from models_backend.data.indexing import index_folder

    parser = argparse.ArgumentParser(
        prog="models_backend.data.shards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--index", type=Path, help="folder of shards to index")
    what.add_argument(
        "--from", dest="data", type=Path, help="data directory or loose images to convert"
    )
    parser.add_argument("--out", type=Path, help="folder for the shards (with --from)")
    parser.add_argument("--kind", choices=("tar", "parquet"), default="tar")
    parser.add_argument("--samples", type=int, default=1000, help="samples a shard (default: 1000)")
    parser.add_argument(
        "--caption-column", default=CAPTION, metavar="NAME",
        help="what parquet columns, JSON keys or metadata files call the caption "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--skip-bad", action="store_true",
        help="leave out samples without a readable image or a caption, and list them",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.data and (not options.out or options.samples < 1):
        parser.error("--from needs --out, and --samples of at least 1")

    def run() -> None:
        chosen = {"caption": options.caption_column, "skip_bad": options.skip_bad}
        if options.index:
            print(index_folder(options.index, **chosen))
        else:
            kind, samples = options.kind, options.samples
            print(write_shards(options.data, options.out, kind=kind, samples=samples, **chosen))

    return run_cli(run)


if __name__ == "__main__":
    sys.exit(main())
