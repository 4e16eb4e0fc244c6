"""Captioned image sets larger than memory: WebDataset tar files and parquet files, indexed once.

A WebDataset sample is `key.png` (jpg, jpeg, webp) with `key.txt` (the caption) or `key.json` (an
object with `caption`, and optionally the other fields of a manifest's record); where both are there
the object's caption counts, and the other where it has none. A parquet row has `image` (the bytes
of a file, or a hub's struct of bytes and path) and `caption`, and optionally the same fields.

Indexing writes `shards.json` and an index beside each file (`indexing`); training reads them
(`shard_source`). No torch here.

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
from pathlib import Path
from typing import Any

from models_backend.data.indexing import index_folder
from models_backend.data.loose import is_loose, read_loose
from models_backend.data.manifest import MARK_NAME, read_records
from models_backend.data.shard_source import CAPTION
from models_backend.errors import InputError, run_cli
from models_backend.files import temporary_sibling

_ROW_GROUP = 64


def write_shards(
    data: Path, out: Path, *, kind: str, samples: int, caption: str = CAPTION,
    skip_bad: bool = False,
) -> Path:  # fmt: skip
    """Write a data directory, or loose images, as indexed shards of so many samples each.

    Raises:
        InputError: neither, nothing in it, or samples that cannot be used.
    """
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
