"""What rules do to a haystack whose needles are known (`planting`): how many of each kind go."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from models_backend.curation.columns import places
from models_backend.curation.selecting import Selection
from models_backend.errors import InputError

CLEAN = "clean"
WANTED_REMOVED = ("blurred", "text", "copy", "crop")
"""What the automatic stages have to find; noise and darkness are told beside it."""


@dataclass(frozen=True)
class Planted:
    """What became of one kind of image."""

    kind: str
    images: int
    removed: int
    by: dict[str, int]
    """How many each rule removed."""

    @property
    def share(self) -> float:
        """The share that was removed, 0 to 1."""
        return self.removed / self.images if self.images else 0.0


@dataclass(frozen=True)
class Recall:
    """What became of every kind, and the two figures that rules are judged by."""

    kinds: list[Planted]

    @property
    def removed(self) -> float:
        """Of planted blur, text and near-duplicates the share that the rules removed."""
        spoilt = [each for each in self.kinds if each.kind in WANTED_REMOVED]
        return sum(each.removed for each in spoilt) / max(1, sum(each.images for each in spoilt))

    @property
    def kept(self) -> float:
        """Of images that were not planted the share that the rules kept."""
        return 1 - next(each.share for each in self.kinds if each.kind == CLEAN)

    def lines(self) -> list[str]:
        """Return a table for people."""
        rows = [f"{'kind':<10}{'images':>8}{'removed':>9}   by"]
        for each in self.kinds:
            by = ", ".join(f"{rule}: {count}" for rule, count in each.by.items())
            rows.append(f"{each.kind:<10}{each.images:>8}{each.removed:>9}   {by}")
        rows.append(f"blur, text and near-duplicates removed: {self.removed:.1%}")
        rows.append(f"images that were not planted kept:      {self.kept:.1%}")
        return rows


def recall(selection: Selection, haystack: Path) -> Recall:
    """Hold a selection against what was planted.

    Raises:
        InputError: nothing was planted there, or it is not what was scored.
    """
    planted = _planted(haystack)
    table = selection.store.images(["file"])
    rows = selection.loaded.image_rows
    files = table.column("file").take(places(rows)).to_pylist()
    if not planted.keys() >= set(files):
        raise InputError(f"{haystack} is not what was scored; give the folder that `plant` wrote")
    told: dict[str, Counter[str]] = {}
    for file, reason in zip(files, selection.decision.reason.tolist(), strict=True):
        rule = selection.decision.reasons[reason][1] if reason >= 0 else ""
        told.setdefault(planted[file] or CLEAN, Counter())[rule] += 1
    return Recall([_kind(kind, told[kind]) for kind in sorted(told)])


def _kind(kind: str, counts: Counter[str]) -> Planted:
    by = {rule: count for rule, count in counts.most_common() if rule}
    return Planted(kind, counts.total(), sum(by.values()), by)


def _planted(haystack: Path) -> dict[str, str]:
    path = haystack / "metadata.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {line["file_name"]: line["planted"] for line in lines}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{haystack} tells of nothing that was planted ({error}); make one: "
            "python -m models_backend.curation plant"
        ) from None
