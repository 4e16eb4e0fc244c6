"""States of a submission on Prolific."""

# How far a submission is: a late message never takes one back to an earlier state.
_STAGES = {
    "RESERVED": 0,
    "ACTIVE": 1,
    "TIMED-OUT": 2,
    "AWAITING REVIEW": 3,
    "RETURNED": 4,
    "APPROVED": 4,
    "PARTIALLY APPROVED": 4,
    "REJECTED": 4,
    "SCREENED OUT": 4,
}
LEFT = frozenset({"RETURNED", "TIMED-OUT"})
AWAITS_REVIEW = "AWAITING REVIEW"


def status_of(given: object) -> str:
    """Return a status as Prolific's pages write it, whichever way it was spelled; at most 20 long.

    Its interfaces write `TIMED-OUT`, `TIMED OUT`, `AWAITING_REVIEW` and `AWAITING REVIEW`.
    """
    words = " ".join(str(given).upper().replace("_", " ").split())
    return {"TIMED OUT": "TIMED-OUT"}.get(words, words)[:20]


def is_later(new: str, old: str) -> bool:
    """Whether a submission that was in the state `old` may have come to `new` since."""
    return _STAGES.get(new, 4) >= _STAGES.get(old, -1)
