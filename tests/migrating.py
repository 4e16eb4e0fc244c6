"""One process of a run migrates its test database; the others load what that came to.

To migrate takes several seconds of a core, nearly all of it for what Django computes between the
migrations: what the models were then.
"""

import fcntl
import subprocess
from pathlib import Path
from typing import Any

from django.core.management.commands.migrate import Command
from django.db import connections

from evalplatform.core import embedded_postgres


def share(folder: Path, data_dir: Path) -> None:
    """Let the next `migrate` be that of all processes of a run, which have this folder in common.

    It lasts until then: a test that migrates does so itself.
    """
    migrate = Command.handle
    programs = embedded_postgres._server(data_dir).bin_path
    dump = folder / f"migrated-{programs.parent.name}.sql"  # a cluster may be of an older version

    def handle(command: Command, *args: Any, **options: Any) -> None:
        Command.handle = migrate
        with (folder / "migrating.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process that has it
            if dump.exists() and not connections["default"].introspection.table_names():
                _run(programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump)
                return
            migrate(command, *args, **options)
            part = dump.with_suffix(".part")
            _run(programs / "pg_dump", "-f", part)
            part.rename(dump)

    Command.handle = handle


def _run(*command: str | Path) -> None:
    """Run one of PostgreSQL's programs on the test database."""
    asked = connections["default"].settings_dict
    address = ("-h", asked["HOST"], "-U", embedded_postgres.USER, "-d", asked["NAME"])
    subprocess.run([*command, *address], check=True, stdout=subprocess.DEVNULL)
