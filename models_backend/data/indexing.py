"""Indexing shards: where every sample is, and whether training will be able to read it.

Every image is decoded, by all cores. A shard's result is kept beside it, so that an index that was
interrupted, or a folder to which shards were added, costs only what is new. No torch here.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from models_backend.data.loose import IMAGES, is_loose
from models_backend.data.pictures import examine
from models_backend.data.shard_source import (
    CAPTION,
    FORMAT,
    INDEX,
    PLACE,
    index_path,
    parquet_rows,
    parquet_sample,
    tar_sample,
)
from models_backend.data.source import CaptionedImage
from models_backend.errors import InputError
from models_backend.files import (
    read_json,
    sha256_of_bytes,
    sha256_of_file,
    write_bytes_atomically,
    write_json_atomically,
)

SKIPPED = "skipped.txt"

_TEXTS = (".json", ".txt")


@dataclass(frozen=True)
class _Entry:
    """A sample that was found: its place in the file, its name, and how it is read."""

    place: tuple[int, ...]
    name: str
    read: Callable[[], tuple[tuple[int, ...], CaptionedImage]]
    """Its place again, with the text that has the caption, and the sample; raises `InputError`."""


def index_folder(folder: Path, *, caption: str = CAPTION, skip_bad: bool = False) -> Path:
    """Index every shard of a folder; shards that are as they were are not read again.

    With `skip_bad` samples that cannot be used are left out, and listed in `skipped.txt`.

    Raises:
        InputError: no shards, or samples without a caption or without a readable image.
    """
    paths = sorted([*folder.glob("*.tar"), *folder.glob("*.parquet")])
    if not paths:
        by_command = (
            f"`python -m models_backend.data.shards --from {folder} --out OTHER` makes some of its "
            "loose images."
        )
        raise InputError(
            f"{folder} holds no .tar and no .parquet file",
            by_command=by_command if is_loose(folder) else "",
        )
    with tqdm(desc="index", unit="image", file=sys.stderr, mininterval=1.0) as bar:
        shards = []
        for number, path in enumerate(paths, start=1):
            bar.set_postfix_str(f"shard {number} of {len(paths)}")
            shards.append(_indexed(path, caption, skip_bad, bar))
    _report(folder, shards)
    shards = [shard for shard in shards if shard["samples"]]
    if not shards:
        raise InputError(f"{folder} holds no samples that can be used; see {folder / SKIPPED}")
    hashes = [f"caption {caption}"]
    hashes += [f"{shard['file']} {shard['sha256']} {shard['samples']}" for shard in shards]
    content = {
        "format": FORMAT,
        "caption": caption,
        "shards": [
            {**{key: shard[key] for key in ("file", "samples", "sha256", "bytes")},
             "skipped": len(shard["skipped"])}
            for shard in shards
        ],
        "licences": sorted({licence for shard in shards for licence in shard["licences"]}),
        "sha256": sha256_of_bytes("\n".join(hashes).encode()),
    }  # fmt: skip
    write_json_atomically(folder / INDEX, content)
    return folder / INDEX


def _report(folder: Path, shards: list[dict[str, Any]]) -> None:
    listed = folder / SKIPPED
    skipped = [line for shard in shards for line in shard["skipped"]]
    listed.unlink(missing_ok=True)
    if skipped:
        write_bytes_atomically(listed, "".join(f"{line}\n" for line in skipped).encode())
        left = sum(shard["samples"] for shard in shards)
        print(f"{len(skipped)} samples skipped, {left} left; see {listed}", file=sys.stderr)


def _indexed(path: Path, caption: str, skip_bad: bool, bar: Any) -> dict[str, Any]:
    """Return what is known of a shard, from the last time where nothing has changed since."""
    status, known = path.stat(), path.with_name(f"{path.name}.index.json")
    asked = {
        "format": FORMAT, "file": path.name, "bytes": status.st_size,
        "changed": status.st_mtime_ns, "caption": caption,
    }  # fmt: skip
    content = read_json(known) if known.is_file() and index_path(path).is_file() else {}
    if {key: content.get(key) for key in asked} == asked:
        bar.update(content["samples"] + len(content["skipped"]))
    else:
        rows, licences, skipped = _examined(path, caption, bar)
        if not rows and not skipped:
            raise InputError(f"{path} holds no samples; remove it")
        buffer = io.BytesIO()
        np.save(buffer, np.array(rows, dtype=PLACE))
        write_bytes_atomically(index_path(path), buffer.getvalue())
        content = asked | {
            "samples": len(rows), "sha256": sha256_of_file(path), "licences": sorted(licences),
            "skipped": skipped,
        }  # fmt: skip
        write_json_atomically(known, content)
    if content["skipped"] and not skip_bad:
        first, *others = content["skipped"]
        more = f" ({len(others)} more of this file cannot be used either)" if others else ""
        raise InputError(
            f"{first}{more}; mend or remove what cannot be used",
            by_command="`--skip-bad` goes on without, and lists them.",
        )
    return content


def _examined(
    path: Path, caption: str, bar: Any
) -> tuple[list[tuple[int, ...]], set[str], list[str]]:
    """Return the places of a shard's samples, their licences, and what is wrong with the others."""
    rows: list[tuple[int, ...]] = []
    licences: set[str] = set()
    skipped: list[str] = []

    def look(entry: _Entry) -> tuple[tuple[int, ...], str] | str:
        try:
            place, sample = entry.read()
            return (*place, *examine(sample.image, entry.name)), sample.licence
        except InputError as error:
            return str(error)

    scan = _scan_parquet if path.suffix == ".parquet" else _scan_tar
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(look, list(scan(path, caption))):
            bar.update()
            if isinstance(found, str):
                skipped.append(found)
            else:
                rows.append(found[0])
                licences.add(found[1])
    return rows, licences, skipped


def _scan_parquet(path: Path, caption: str) -> Iterator[_Entry]:
    from pyarrow import ArrowInvalid, parquet

    try:
        with parquet.ParquetFile(path) as file:
            sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
    except (OSError, ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read as parquet ({error})") from None
    for group, count in enumerate(sizes):
        parquet_rows(path, group, caption)  # its columns, told before any row
        for row in range(count):
            place = (group, 0, row, 0)

            def read(place: tuple[int, ...] = place) -> tuple[tuple[int, ...], CaptionedImage]:
                return place, parquet_sample(path, place[0], place[2], caption)

            yield _Entry(place, f"{path}, row {row} of group {group}", read)


def _scan_tar(path: Path, caption: str) -> Iterator[_Entry]:
    for key, parts in tar_members(path).items():
        name = f"{path}, sample {key.lstrip('/')}"

        def read(
            parts: dict[str, tuple[int, int]] = parts, name: str = name
        ) -> tuple[tuple[int, ...], CaptionedImage]:
            return _read_member(path, parts, name, caption)

        yield _Entry((), name, read)


def tar_members(path: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the files of a tar's samples: by key, then by ending, offset and length."""
    members: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile():
                    # WebDataset: the key ends at the first dot of the file's name.
                    folder, _, name = member.name.rpartition("/")
                    key, _, rest = name.partition(".")
                    place = member.offset_data, member.size
                    members.setdefault(f"{folder}/{key}", {})[f".{rest.lower()}"] = place
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path} cannot be read as a tar file ({error})") from None
    return members


def _read_member(
    path: Path, parts: dict[str, tuple[int, int]], name: str, caption: str
) -> tuple[tuple[int, ...], CaptionedImage]:
    images, texts = _with_ending(parts, IMAGES), _with_ending(parts, _TEXTS)
    if not images:
        raise InputError(f"{name}: no image ({', '.join(IMAGES)})")
    if not texts:
        raise InputError(f"{name}: no caption (.txt, or .json with {caption})")
    with path.open("rb") as file:
        image = os.pread(file.fileno(), images[0][1], images[0][0])
        for text in texts:
            words = os.pread(file.fileno(), text[1], text[0])
            try:
                return (*images[0], *text), tar_sample(image, words, name, caption)
            except InputError:
                if text is texts[-1]:
                    raise
    raise AssertionError("unreachable: the last text is returned or raises")


def _with_ending(
    parts: dict[str, tuple[int, int]], endings: tuple[str, ...]
) -> list[tuple[int, int]]:
    """Return the files of these endings, in their order; a name may have more dots before it."""
    exact = [parts[ending] for ending in endings if ending in parts]
    return exact or [parts[kind] for e in endings for kind in sorted(parts) if kind.endswith(e)]
