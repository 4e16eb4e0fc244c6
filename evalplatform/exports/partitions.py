"""Which file a row goes to: that of its criterion, where several are asked, and of its split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evalplatform.exports.options import Options
from evalplatform.exports.shapes import Batch


@dataclass(frozen=True)
class Partition:
    """The rows of one criterion, or of all, in one split."""

    config: str  # as `load_dataset` names it; empty for the only one
    split: str

    def file_name(self, stamp: str, number: int, suffix: str) -> str:
        folder = f"data/{self.config}" if self.config else "data"
        return f"{folder}/{stamp}{self.split}-{number:05}.{suffix}"

    def pattern(self, stamp: str, suffix: str) -> str:
        return self.file_name(stamp, 0, suffix).replace("00000", "*")


def partitions_of(options: Options, criteria: list[str]) -> list[Partition]:
    """Return every partition an export may have.

    Formats of other projects know no criterion, so there each has files of its own: nobody is to
    train on two questions as if they were one.
    """
    asked = list(options.criteria) or criteria
    configs = [""] if options.of.is_raw or len(asked) == 1 else asked
    return [Partition(config, split) for config in configs for split in options.split_names]


def parted(
    options: Options, has_configs: bool, batch: Batch, table: pa.Table
) -> list[tuple[Partition, pa.Table]]:
    """Return the rows of a batch by the partition to which they belong."""
    names = options.split_names
    if not has_configs and len(names) == 1:
        return [(Partition("", names[0]), table)] if table.num_rows else []
    criteria = batch["criterion"] if has_configs else [""] * table.num_rows
    keys = list(zip(criteria, batch["split"], strict=True))
    found = []
    for key in sorted(set(keys)):
        (rows,) = np.nonzero([each == key for each in keys])
        found.append((Partition(key[0], names[key[1]]), table.take(pa.array(rows))))
    return found
