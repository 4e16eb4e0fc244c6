"""Captioned image sets larger than memory: WebDataset tar files and parquet files, indexed once.

A WebDataset sample is `key.png` (jpg, jpeg, webp) with `key.txt` (the caption) or `key.json` (an
object with `caption`, and optionally the other fields of a manifest's record). A parquet row has
`image` (bytes) and `caption`, and optionally the same fields.

`shards.json` names the files with their hashes; beside each file stands an index of where every
sample is and how large its picture: any sample is read without scanning, so a run resumes in the
middle of an epoch at once. (The webdataset library reads tar files as streams: it resumes by
reading again what was read.) No torch here.

Usage::

    python -m models_backend.data.shards --index FOLDER
    python -m models_backend.data.shards --from DATA --out FOLDER [--kind tar|parquet]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from models_backend.data.manifest import read_records
from models_backend.data.pictures import size_of
from models_backend.data.source import Sample
from models_backend.errors import InputError, run_cli
from models_backend.files import (
    read_json,
    sha256_of_bytes,
    sha256_of_file,
    temporary_sibling,
    write_bytes_atomically,
    write_json_atomically,
)

INDEX = "shards.json"
FORMAT = "t2i-shards/1"
_IMAGES = (".png", ".jpg", ".jpeg", ".webp")
_TEXTS = (".json", ".txt")
_ROW_GROUP = 64
_PLACE = np.dtype(
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
        self._places = [_read_index(path) for path in self.files]
        for path, places, shard in zip(self.files, self._places, content["shards"], strict=True):
            if not path.is_file() or path.stat().st_size != shard["bytes"]:
                raise InputError(f"{path} is missing or was changed; copy it again, or index again")
            if len(places) != shard["samples"]:
                raise InputError(f"{_index_path(path)} does not fit {INDEX}; index again")

    def sizes(self) -> list[npt.NDArray[np.int32]]:
        """Return (height, width) of every picture, an array (samples, 2) a shard."""
        return [np.stack([p["height"], p["width"]], axis=1) for p in self._places]

    def read(self, shard: int, row: int) -> Sample:
        """Return one sample."""
        path, place = self.files[shard], self._places[shard][row]
        if path.suffix == ".parquet":
            return _parquet_sample(path, int(place["image"]), int(place["text"]))
        with path.open("rb") as file:
            data = os.pread(file.fileno(), int(place["image_bytes"]), int(place["image"]))
            text = os.pread(file.fileno(), int(place["text_bytes"]), int(place["text"]))
        return _sample(data, text, f"{path}, sample {row}")


def _sample(data: bytes, text: bytes, name: str) -> Sample:
    """Return a sample; its text is a JSON object or a bare caption."""
    try:
        decoded = text.decode()
        fields = json.loads(decoded) if decoded.lstrip().startswith("{") else {"caption": decoded}
    except ValueError as error:
        raise InputError(f"{name}: its text is not UTF-8 or not JSON ({error})") from None
    return Sample.of(data, fields, name)


@lru_cache(maxsize=64)
def _parquet_rows(path: Path, group: int) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.ParquetFile(path).read_row_group(group).to_pylist()
    return rows


def _parquet_sample(path: Path, group: int, row: int) -> Sample:
    fields = dict(_parquet_rows(path, group)[row])
    data = fields.pop("image", None)
    if not isinstance(data, bytes):
        raise InputError(f"{path}: column image must hold the bytes of an image file")
    return Sample.of(data, fields, f"{path}, row {row} of group {group}")


# -- indexing -------------------------------------------------------------------------------------


def index_folder(folder: Path) -> Path:
    """Index every shard of a folder; shards whose index is newer are not read again.

    Raises:
        InputError: no shards, or a sample without a caption or without a readable image.
    """
    paths = sorted([*folder.glob("*.tar"), *folder.glob("*.parquet")])
    if not paths:
        raise InputError(f"{folder} holds no .tar and no .parquet file")
    licences: set[str] = set()
    shards = []
    for path in tqdm(paths, desc="index", unit="shard"):
        places, found = _scan(path)
        licences |= found
        buffer = io.BytesIO()
        np.save(buffer, places)
        write_bytes_atomically(_index_path(path), buffer.getvalue())
        shards.append({"file": path.name, "samples": len(places), "sha256": sha256_of_file(path),
                       "bytes": path.stat().st_size})  # fmt: skip
    hashes = "\n".join(f"{shard['file']} {shard['sha256']}" for shard in shards)
    content = {"format": FORMAT, "shards": shards, "licences": sorted(licences),
               "sha256": sha256_of_bytes(hashes.encode())}  # fmt: skip
    write_json_atomically(folder / INDEX, content)
    return folder / INDEX


def _scan(path: Path) -> tuple[npt.NDArray[Any], set[str]]:
    rows: list[tuple[int, ...]] = []
    licences: set[str] = set()
    scan = _scan_parquet if path.suffix == ".parquet" else _scan_tar
    for place, sample in scan(path):
        height, width = size_of(sample.image, sample.name)
        rows.append((*place, height, width))
        licences.add(sample.licence)
    if not rows:
        raise InputError(f"{path} holds no samples; remove it")
    return np.array(rows, dtype=_PLACE), licences


def _scan_parquet(path: Path) -> Iterator[tuple[tuple[int, ...], Sample]]:
    from pyarrow import ArrowInvalid, parquet

    try:
        groups = parquet.ParquetFile(path).num_row_groups
    except (OSError, ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read as parquet ({error})") from None
    for group in range(groups):
        for row in range(len(_parquet_rows(path, group))):
            yield (group, 0, row, 0), _parquet_sample(path, group, row)


def _scan_tar(path: Path) -> Iterator[tuple[tuple[int, ...], Sample]]:
    members: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile():
                    # WebDataset: the key ends at the first dot of the file's name.
                    folder, _, name = member.name.rpartition("/")
                    key, _, rest = name.partition(".")
                    kind = f".{rest.lower()}"
                    members.setdefault(f"{folder}/{key}", {})[kind] = (
                        member.offset_data,
                        member.size,
                    )
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path} cannot be read as a tar file ({error})") from None
    with path.open("rb") as file:
        for key, parts in members.items():
            image = next((parts[kind] for kind in _IMAGES if kind in parts), None)
            text = next((parts[kind] for kind in _TEXTS if kind in parts), None)
            where = f"{path}, sample {key.lstrip('/')}"
            if image is None:
                raise InputError(f"{where}: no image ({', '.join(_IMAGES)})")
            if text is None:
                raise InputError(f"{where}: no caption (.txt, or .json with caption)")
            data, words = (os.pread(file.fileno(), size, at) for at, size in (image, text))
            yield (*image, *text), _sample(data, words, where)


def _index_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.index.npy")


def _read_index(path: Path) -> npt.NDArray[Any]:
    try:
        places: npt.NDArray[Any] = np.load(_index_path(path), mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"{_index_path(path)} cannot be read ({error}); index again") from None
    return places


# -- writing --------------------------------------------------------------------------------------


def write_shards(data: Path, out: Path, *, kind: str, samples: int) -> Path:
    """Write a finished data directory as indexed shards of so many samples each."""
    records = read_records(data)
    if not records:
        raise InputError(f"{data} holds no images")
    out.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(records), samples)):
        path = out / f"{number:05d}.{kind}"
        partial = temporary_sibling(path)
        part = [(asdict(r), (data / r.file).read_bytes()) for r in records[start : start + samples]]
        try:
            _write_tar(partial, part) if kind == "tar" else _write_parquet(partial, part)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return index_folder(out)


def _write_tar(path: Path, part: list[tuple[dict[str, Any], bytes]]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, (record, image) in enumerate(part):
            words = json.dumps(record, sort_keys=True, ensure_ascii=False).encode()
            suffix = Path(record["file"]).suffix
            for name, content in ((f"{number:06d}{suffix}", image), (f"{number:06d}.json", words)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def _write_parquet(path: Path, part: list[tuple[dict[str, Any], bytes]]) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([{**record, "image": image} for record, image in part])
    parquet.write_table(table, path, row_group_size=_ROW_GROUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.data.shards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--index", type=Path, help="folder of shards to index")
    what.add_argument("--from", dest="data", type=Path, help="finished data directory to convert")
    parser.add_argument("--out", type=Path, help="folder for the shards (with --from)")
    parser.add_argument("--kind", choices=("tar", "parquet"), default="tar")
    parser.add_argument("--samples", type=int, default=1000, help="samples a shard (default: 1000)")
    options = parser.parse_args(argv)
    if options.data and (not options.out or options.samples < 1):
        parser.error("--from needs --out, and --samples of at least 1")

    def run() -> None:
        if options.index:
            print(index_folder(options.index))
        else:
            print(
                write_shards(options.data, options.out, kind=options.kind, samples=options.samples)
            )

    return run_cli(run)


if __name__ == "__main__":
    sys.exit(main())
