"""Reading Prolific's table of submissions."""

from pathlib import Path

from evalplatform.core.csv_text import read_csv
from evalplatform.core.errors import BadInputError

LEFT = {"RETURNED", "TIMED-OUT", "TIMED OUT"}


def left_in_prolific_table(path: Path) -> list[str]:
    """Return the participant ids that a submissions export marks as returned or timed out."""
    table = read_csv(path)
    columns = {name.lower(): name for name in table.columns if name}
    if not {"participant id", "status"} <= set(columns):
        raise BadInputError(
            f"{path} has columns {', '.join(columns) or 'none'}; Prolific's export of submissions "
            "has Participant id and Status."
        )
    return [
        row[columns["participant id"]].strip()
        for _, row in table.rows
        if row[columns["status"]].strip().upper() in LEFT
    ]
