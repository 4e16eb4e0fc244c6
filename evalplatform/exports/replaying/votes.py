"""The votes of an export as columns, whichever of the formats they are in."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pyarrow import parquet

from evalplatform.core.errors import BadInputError

Record = dict[str, Any]
_NEEDED = (
    "vote_id", "criterion", "item", "image_set", "prompt_id", "annotator", "answer", "order",
    "grades", "response_time_ms", "is_simulated", "counts", "excluded_by", "viewport_width",
    "zoomed", "shown_px", "language",
)  # fmt: skip
_NUMBERS = {"vote_id", "item", "image_set", "prompt_id", "response_time_ms", "viewport_width",
            "shown_px"}  # fmt: skip
_FLAGS = {"is_simulated", "counts", "zoomed"}


def vote_records(folder: Path, names: Iterable[str]) -> Iterator[Record]:
    """Yield every vote, `order` and `grades` as lists.

    `names`: the export's files; what else lies beside them (a file manager's notes, a copy of one)
    is not read. Raises `BadInputError` where none holds votes.
    """
    files = [folder / each for each in sorted(names) if each.startswith("data/")]
    if not files:
        raise BadInputError(f"{folder} has no files of votes in data/; give a whole export.")
    for path in files:
        yield from _READERS[path.suffix](path)


def json_lines(path: Path) -> Iterator[Record]:
    """Yield the objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise BadInputError(f"{path}: line {number} is no JSON; it was changed.") from error


def _parquet(path: Path) -> Iterator[Record]:
    for batch in parquet.ParquetFile(path).iter_batches(columns=list(_NEEDED)):
        yield from batch.to_pylist()


def _csv(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            record: Record = {name: row[name] for name in _NEEDED}
            for name in _NUMBERS:
                record[name] = int(row[name]) if row[name] else None
            for name in _FLAGS:
                record[name] = bool(int(row[name])) if row[name] else None
            for name in ("order", "grades"):
                record[name] = [int(each) for each in row[name].split()]
            yield record


_READERS = {".parquet": _parquet, ".jsonl": json_lines, ".csv": _csv}
