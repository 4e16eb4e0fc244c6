"""Where a run stands on its way from a request to an open campaign."""

from dataclasses import dataclass
from enum import StrEnum


class RunState(StrEnum):
    """The states of a run; each leads to the next, whoever advances it."""

    GENERATING = "generating"  # workers make its samples
    CHECKING = "checking"  # workers score them for safety
    HELD = "held"  # more samples are faulty than its rules let through; a person decides
    READY = "ready"  # gold is made; it can be opened
    OPEN = "open"  # or paused: annotators have its link
    CLOSED = "closed"


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        done, total: samples made or checked in this state; 0 of 0 where nothing is counted.
        note: what it waits for, or why it is held, in words; may be empty.
    """

    state: RunState
    done: int = 0
    total: int = 0
    note: str = ""
