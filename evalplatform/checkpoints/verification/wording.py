"""What a refusal may show of what was sent: short, one line, in characters that any page takes."""

from collections.abc import Iterable


def shown(text: object, at_most: int = 80) -> str:
    """Return text of unknown origin, cut and with everything unusual escaped."""
    cut = str(text)[:at_most]
    return cut if cut.isprintable() and cut.isascii() else ascii(cut)[1:-1]


def listed(names: Iterable[object], at_most: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    every = [shown(name) for name in names]
    more = len(every) - at_most
    return ", ".join(every[:at_most]) + (f" and {more} more" if more > 0 else "")
