"""The command `evalplatform`, and manage.py: starts the embedded database where one is used."""

import os
import sys

from evalplatform.core.garbage import begin_loading, end_loading


def main() -> None:
    begin_loading()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")
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
