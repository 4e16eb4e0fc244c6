"""As many images of a pool as one likes, drawn at random: what people's picks have to beat."""

from __future__ import annotations

import shutil
from pathlib import Path

from models_backend.curation.pool import PoolEntry, read_entries, read_image
from models_backend.data.manifest import FORMAT, MANIFEST_NAME, MARK_NAME, Record, dump_records
from models_backend.errors import InputError
from models_backend.files import (
    sha256_of_bytes,
    temporary_sibling,
    write_bytes_atomically,
    write_json_atomically,
)


def draw(pool: Path, count: int, out: Path, *, seed: int = 0) -> list[Record]:
    """Write a data set folder of `count` images of a pool with their own captions.

    For one seed a smaller draw is part of a larger one. The folder is whole or not there.

    Raises:
        InputError: fewer images with a caption than that, or a folder that is there already.
    """
    if out.exists():
        raise InputError(f"{out} is there already; give another folder, or remove it")
    entries = [entry for entry in read_entries(pool) if entry.caption]
    if not 1 <= count <= len(entries):
        raise InputError(f"--count {count}: {pool} has {len(entries)} images with a caption")
    ranked = sorted(entries, key=lambda each: sha256_of_bytes(f"{seed} {each.sha256}".encode()))
    partial = temporary_sibling(out)
    try:
        records = [_written(pool, entry, partial, seed) for entry in ranked[:count]]
        data = dump_records(records)
        write_bytes_atomically(partial / MANIFEST_NAME, data)
        mark = {"format": FORMAT, "manifest_sha256": sha256_of_bytes(data), "images": count}
        write_json_atomically(partial / MARK_NAME, mark)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return records


def _written(pool: Path, entry: PoolEntry, folder: Path, seed: int) -> Record:
    write_bytes_atomically(folder / entry.file, read_image(pool, entry))
    return Record(
        concept=entry.sha256[:16], caption=entry.caption, keywords=[], category=entry.concept,
        style="", source=f"drawn at random, seed {seed}", licence=entry.licence,
        sha256=entry.sha256, file=entry.file,
    )  # fmt: skip
