"""Functions and triggers of the database, each file whole: a migration loads it."""

from pathlib import Path


def text(name: str) -> str:
    """Return the SQL of one file."""
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
