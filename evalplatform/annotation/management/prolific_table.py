"""Reading Prolific's table of submissions."""

import csv
from pathlib import Path

from evalplatform.core.errors import BadInputError

LEFT = {"RETURNED", "TIMED-OUT", "TIMED OUT"}


def left_in_prolific_table(path: Path) -> list[str]:
    """Return the participant ids that a submissions export marks as returned or timed out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: cannot be read ({error}).") from error
    columns = {name.strip().lower(): name for name in (rows[0] if rows else {}) if name}
    if not {"participant id", "status"} <= set(columns):
        raise BadInputError(
            f"{path} has columns {', '.join(columns) or 'none'}; Prolific's export of submissions "
            "has Participant id and Status."
        )
    return [
        row[columns["participant id"]].strip()
        for row in rows
        if (row[columns["status"]] or "").strip().upper() in LEFT
    ]
