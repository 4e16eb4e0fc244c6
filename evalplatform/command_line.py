"""The command `evalplatform`, and manage.py: starts the embedded database where one is used."""

import os
import sys

from evalplatform.core.garbage import begin_loading, end_loading


def main() -> None:
    """Run a command; a setting that is wrong, or a database that is away, is one line, status 2.

    Our commands say so of the database by themselves; Django's own (migrate, createsuperuser) and
    the settings, which are read before any command, end here.
    """
    begin_loading()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error

    try:
        _run()
    except (ImproperlyConfigured, Error) as error:
        said = _said_of(error)
        if said is None or "--traceback" in sys.argv:
            raise
        print(said, file=sys.stderr)
        sys.exit(2)


def _run() -> None:
    from django.core.management import BaseCommand, ManagementUtility

    from evalplatform.core.embedded_postgres import DatabaseError, ensure_running_for_command

    class Commands(ManagementUtility):
        def fetch_command(self, subcommand: str) -> BaseCommand:
            command = super().fetch_command(subcommand)  # the platform is loaded by now
            end_loading()
            return command

    try:
        ensure_running_for_command(sys.argv)
    except DatabaseError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    Commands(sys.argv).execute()


def _said_of(error: Exception) -> str | None:
    """Return the line for whoever gave the command; None where a fault of ours is behind it."""
    from django.db import Error

    from evalplatform.core.database_faults import said_to_commands

    return said_to_commands(error) if isinstance(error, Error) else str(error)
