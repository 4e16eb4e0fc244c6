"""The list that a person reviews: who is to be approved, and which bonus they get."""

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

from evalplatform.core.csv_text import read_csv
from evalplatform.core.errors import BadInputError

APPROVE, LOOK, NOTHING = "approve", "look", ""
ACTIONS = (APPROVE, LOOK, NOTHING)
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class ReviewRow:
    """One submission, as the file has it; every value is a text."""

    campaign: str
    submission: str
    participant: str
    pseudonym: str
    status: str
    judged: str
    minutes: str
    gold_right: str
    excluded_by: str
    action: str
    bonus: str


@dataclass(frozen=True)
class Decision:
    """What a person decided of one submission."""

    submission: str
    approve: bool
    bonus: Decimal | None


COLUMNS = [each.name for each in fields(ReviewRow)]


def write_review(rows: Iterable[ReviewRow]) -> str:
    """Return the file's text."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(astuple(row) for row in rows)
    return text.getvalue()


def read_review(path: Path, *, most_bonus: Decimal) -> tuple[str, list[Decision]]:
    """Return the campaign's name and what was decided, read in full before anything is sent.

    Raises `BadInputError` naming the line: other columns, two campaigns, a submission twice, an
    action that is none, a bonus that is no amount, or above `most_bonus`.
    """
    columns, rows = read_csv(path)
    needed = {"campaign", "submission", "action", "bonus"}
    missing = needed - set(columns)
    if missing:
        raise BadInputError(
            f"{path} has no column {', '.join(sorted(missing))}; give the file that the review "
            "wrote.",
            by_command="`manage.py crowd review` writes one.",
        )
    campaigns = {(row["campaign"] or "").strip() for row in rows}
    if len(campaigns) != 1:
        raise BadInputError(f"{path} is of {len(campaigns)} campaigns; give one of one.")
    decisions: dict[str, Decision] = {}
    for number, row in enumerate(rows, start=2):
        decision = _decision(row, f"{path}, line {number}", most_bonus)
        if decisions.setdefault(decision.submission, decision) is not decision:
            raise BadInputError(f"{path}, line {number}: this submission stands above already.")
    return campaigns.pop(), list(decisions.values())


def _decision(row: dict[str, str | None], where: str, most_bonus: Decimal) -> Decision:
    action = (row["action"] or "").strip().lower()
    if action not in ACTIONS:
        raise BadInputError(
            f"{where}: action {action[:40]!r}; accepted are {APPROVE}, {LOOK} and an empty cell. "
            "Rejections are made on Prolific, by hand."
        )
    return Decision(
        submission=(row["submission"] or "").strip(),
        approve=action == APPROVE,
        bonus=_bonus((row["bonus"] or "").strip(), where, most_bonus),
    )


def _bonus(given: str, where: str, most: Decimal) -> Decimal | None:
    if not given:
        return None
    try:
        amount = Decimal(given)
        exact = amount.quantize(_CENT) if amount.is_finite() else None
    except InvalidOperation:
        exact = None
    if exact is None:
        raise BadInputError(
            f"{where}: bonus {given[:40]!r} is no amount; write 1.50, in the study's currency."
        )
    if not 0 <= exact == amount:
        raise BadInputError(f"{where}: bonus {given[:40]!r}; accepted are 0.00, 0.01, 0.02 …")
    if exact > most:
        raise BadInputError(
            f"{where}: bonus {given} is above {most}; allow so much if it is meant.",
            by_command="--most-bonus allows more.",
        )
    return exact or None
