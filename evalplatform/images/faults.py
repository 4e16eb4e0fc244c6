"""What is wrong with single rows of an import."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evalplatform.core.errors import BadInputError

# Kinds in the order they are told, each with what it says of n rows.
KINDS = {
    "row": "cannot be read as rows",
    "unmatched": "match no prompt of the set",
    "repeated": "are given twice",
    "unreadable": "cannot be read as images",
    "refused": "are images that are not accepted",
}
_NAMED = 10


class RowError(Exception):
    """A row that cannot be imported; its text says why."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(kind, why)
        self.kind, self.why = kind, why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class Fault:
    """A row that was refused: where it stands, and why."""

    where: str
    kind: str  # of KINDS
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class FaultyRowsError(BadInputError):
    """Some rows cannot be imported, so none was."""

    def __init__(self, faults: Sequence[Fault], rows: int, hint: str = "") -> None:
        self.short = f"{len(faults):,} of {rows:,} rows cannot be imported, so nothing was{hint}"
        super().__init__(
            f"{self.short}; mend them, or have them left out.",
            by_command="--skip-bad leaves them out.",
        )
        self.faults = faults


def counted(faults: Sequence[Fault]) -> dict[str, int]:
    """Return how many faults there are of each kind that there is."""
    counts = Counter(fault.kind for fault in faults)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def listed(faults: Sequence[Fault]) -> list[str]:
    """Return lines for a person: each kind with its count, and the first ten of it by name."""
    lines = []
    for kind, count in counted(faults).items():
        lines.append(f"{count:,} {KINDS[kind]}:")
        of_kind = [fault for fault in faults if fault.kind == kind]
        lines += [f"  {fault}" for fault in of_kind[:_NAMED]]
        if count > _NAMED:
            lines.append(f"  and {count - _NAMED:,} more")
    return lines
