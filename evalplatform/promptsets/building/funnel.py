"""How many lines each stage let through, and why the others went."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evalplatform.promptsets.building.stages import Balance

# What a dropped line's reason begins with, in the order of the stages.
STAGES = {
    "unreadable": "Readable",
    "personal": "Without personal data",
    "unsafe": "Without unsafe content",
    "empty": "More than prompt engineering",
    "length": "Of the length asked for",
    "language": "In a language asked for",
    "duplicate: the same text": "Each text once",
    "duplicate: a similar text": "Without near duplicates",
    "not drawn": "Drawn into the pool",
    "category": "With a category",
    "balance": "Chosen by the balance of categories",
}


@dataclass(frozen=True)
class Step:
    """One stage: lines it let through, lines it dropped, and these by reason."""

    stage: str
    kept: int
    dropped: int
    reasons: dict[str, int]


def steps(lines: int, counts: Mapping[str, int]) -> list[Step]:
    """Return the stages in their order. Each line dropped is counted once."""
    found = []
    left = lines
    for start, name in STAGES.items():
        reasons = {
            reason: count for reason, count in sorted(counts.items()) if reason.startswith(start)
        }
        dropped = sum(reasons.values())
        left -= dropped
        found.append(Step(name, left, dropped, reasons))
    return found


def as_json(
    lines: int, counts: Mapping[str, int], balance: Mapping[str, Balance], **more: Any
) -> dict[str, Any]:
    """Return the funnel as `funnel.json` and the set's page have it."""
    return {
        "lines": lines,
        "steps": [asdict(each) for each in steps(lines, counts)],
        "balance": {name: each._asdict() for name, each in balance.items()},
        **more,
    }
