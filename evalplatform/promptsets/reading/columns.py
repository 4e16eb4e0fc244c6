"""Which column of a file holds which of our fields."""

from collections.abc import Iterable, Mapping, Sequence

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.words import listed, shown

FIELDS = ("prompt", "category", "challenge", "note", "tags")
# Other names that files give them. Capitals mean nothing.
_ALIASES = {"prompt": ("prompts",)}

Chosen = Mapping[str, str]


def check_fields(chosen: Chosen) -> None:
    """Raise `BadInputError` where a column is given for a field that there is not."""
    unknown = [field for field in chosen if field not in FIELDS]
    if unknown:
        raise BadInputError(
            f"a column is named for {unknown[0]!r}, and there is no such field; fields are "
            f"{', '.join(FIELDS)}."
        )


def fields_of(given: Sequence[str], chosen: Chosen, where: str) -> dict[str, str]:
    """Return our fields that there are, each with its column: as chosen, or by its name.

    A field that is chosen to be "" is not read. Raises `BadInputError` where two columns could be
    one field.
    """
    found = {}
    taken = {column for column in chosen.values() if column}
    for field in FIELDS:
        if field in chosen:
            columns = [column for column in given if column == chosen[field] != ""][:1]
        else:
            names = (field, *_ALIASES.get(field, ()))
            columns = [
                column
                for column in given
                if column.strip().lower() in names and column not in taken
            ]
        if len(columns) > 1:
            raise BadInputError(
                f"{where}: columns {listed(map(shown, columns))} could all be {field}; remove one, "
                "or say which it is.",
                by_command=f"--column {field}=NAME says it.",
            )
        if columns:
            found[field] = columns[0]
    return found


def check_header(given: Sequence[str], chosen: Chosen, name: str) -> None:
    """Raise `BadInputError` where a file's columns lack a chosen one, or the prompt."""
    missing = [column for column in chosen.values() if column and column not in given]
    if missing:
        raise BadInputError(
            f"{name} has no column {listed(map(shown, missing))}; its columns are {_named(given)}."
        )
    if "prompt" not in fields_of(given, chosen, name):
        raise BadInputError(
            f"{name} has no column Prompt; its columns are {_named(given)}. Say which one holds "
            "the prompts, or that the format is txt if every line is a prompt.",
            by_command="--column prompt=NAME or --format txt says it.",
        )


def _named(columns: Iterable[str]) -> str:
    return listed(shown(column) for column in columns if column) or "without names"
