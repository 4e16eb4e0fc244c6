"""What messages quote from a file: short, on one line, and printable whatever the file holds."""

from collections.abc import Iterable

_LONGEST = 64  # a hash in full
_LISTED = 10


def shown(text: object) -> str:
    """Return the beginning of a text in quotation marks; what cannot be printed is escaped."""
    whole = str(text)
    return repr(whole if len(whole) <= _LONGEST else whole[:_LONGEST] + "…")


def one_line(text: str, most: int) -> str:
    """Return the beginning of a message of others, without what cannot be printed."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:most])
    return " ".join(printable.split())


def listed(values: Iterable[str], most: int = _LISTED) -> str:
    """Return values with commas between; of many the first, and how many more there are."""
    given = list(values)
    more = f" and {len(given) - most:,} more" if len(given) > most else ""
    return ", ".join(given[:most]) + more
