"""Cells that a spreadsheet shows and does not run."""


def spreadsheet_safe(value: object) -> object:
    """Return `value`, a text that begins like a formula with an apostrophe before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
