"""Functions and triggers of the database, kept as files: `<app>/sql/<name>.sql`.

A migration loads them; a test holds what the database has against what the files say. A file that
changes is loaded again by a new migration, so every statement of it may run twice.
"""

from pathlib import Path

_APPS = Path(__file__).parents[1]


def sql_file(app: str, name: str) -> str:
    """Return the SQL of one file, such as `sql_file("annotation", "lease")`."""
    return (_APPS / app / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def sql_files() -> dict[str, str]:
    """Return the SQL of every file by `app/name`."""
    return {
        f"{path.parents[1].name}/{path.stem}": path.read_text(encoding="utf-8")
        for path in sorted(_APPS.glob("*/sql/*.sql"))
    }
