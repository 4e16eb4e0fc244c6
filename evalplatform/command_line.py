"""The command `evalplatform`, and manage.py: starts the embedded database where one is used."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")
    from django.core.management import execute_from_command_line

    from evalplatform.core.embedded_postgres import DatabaseError, ensure_running_for_command

    try:
        ensure_running_for_command(sys.argv)
    except DatabaseError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    execute_from_command_line(sys.argv)
