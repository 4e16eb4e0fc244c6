"""The list that a person reviews: who is to be approved, and which bonus they get."""

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

from evalplatform.core.csv_text import CsvTable, read_csv
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
    pseudonym: str = ""  # whose the submission is, where that was told
    line: int | None = None  # of the file


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
    table = read_csv(path)
    needed = {"campaign", "submission", "action", "bonus"}
    missing = needed - set(table.columns)
    if missing:
        raise BadInputError(
            f"{path} has no column {', '.join(sorted(missing))}; give the file that the review "
            "wrote.",
            by_command="`manage.py crowd review` writes one.",
        )
    if not table.rows:
        raise BadInputError(f"{path} has no row below its header; there is nothing to settle.")
    campaign = _campaign_of(path, table)
    decisions: dict[str, Decision] = {}
    for line, row in table.rows:
        decision = _decision(row, path, line, most_bonus)
        first = decisions.setdefault(decision.submission, decision)
        if first is not decision:
            raise BadInputError(
                f"{path}, line {line}: this submission stands above already, on line "
                f"{first.line}; keep one of the two."
            )
    return campaign, list(decisions.values())


def _campaign_of(path: Path, table: CsvTable) -> str:
    first = ""
    for line, row in table.rows:
        name = row["campaign"].strip()
        first = first or name
        if not name or name != first:
            raise BadInputError(
                f"{path}, line {line}: campaign {name[:80]!r}; every row names the same one, as "
                "the review wrote it."
            )
    return first


def _decision(row: dict[str, str], path: Path, line: int, most_bonus: Decimal) -> Decision:
    where = f"{path}, line {line}"
    action = row["action"].strip().lower()
    if action not in ACTIONS:
        raise BadInputError(
            f"{where}: action {action[:40]!r}; accepted are {APPROVE}, {LOOK} and an empty cell. "
            "Rejections are made on Prolific, by hand."
        )
    return Decision(
        submission=row["submission"].strip(),
        approve=action == APPROVE,
        bonus=_bonus(row["bonus"].strip(), where, most_bonus),
        pseudonym=row.get("pseudonym", "").strip(),
        line=line,
    )


def _bonus(given: str, where: str, most: Decimal) -> Decimal | None:
    if not given:
        return None
    try:
        # Decimal reads 1_50 and other scripts' digits, too: not what was meant.
        amount = Decimal(given if given.isascii() and "_" not in given else "none")
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
