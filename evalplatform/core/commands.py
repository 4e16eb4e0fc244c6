"""The base of our management commands: errors become one line and exit status 2."""

import os
import pwd
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from evalplatform.core.acting import Actor, acting
from evalplatform.core.broker_faults import BROKER_ERRORS, advice_on_broker, said_of_broker
from evalplatform.core.database_faults import said_to_commands
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.object_storage import MissingObjectError


class PlatformCommand(BaseCommand):
    """A command whose known failures print one clear line instead of a traceback."""

    def _actor(self) -> Actor:
        """Return who is written down as acting: the command, with an operator's rights.

        And whose shell it was: the user of this machine.
        """
        name = type(self).__module__.rpartition(".")[2]
        return {"who": f"command {name} by {_user_of_the_machine()}", "via": "command"}

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with acting(self._actor):
                return super().execute(*args, **options)
        except EvalPlatformError as error:
            raise CommandError(error.for_command(), returncode=2) from error
        except KeyboardInterrupt:
            raise CommandError(
                "interrupted; what was done is kept, run the same command again to go on.",
                returncode=130,
            ) from None
        except DatabaseError as error:
            said = said_to_commands(error)
            if said is None:
                raise
            raise CommandError(said, returncode=2) from error
        except BROKER_ERRORS as error:
            raise CommandError(
                f"{said_of_broker(error)}; {advice_on_broker(error)}, then run the command again.",
                returncode=2,
            ) from error
        except MissingObjectError as error:
            raise CommandError(
                f"{error.filename}: {error.strerror}; check the bucket and prefix of "
                "OBJECT_STORAGE_URL, or bring the objects back from a backup, then run the command "
                "again.",
                returncode=2,
            ) from error
        except OSError as error:
            raise CommandError(
                f"{error.filename or 'a file'}: {error.strerror or error}; check the path, its "
                "permissions and free disk space, then run the command again.",
                returncode=2,
            ) from error


def _user_of_the_machine() -> str:
    """Return the name that the process runs under; its number where that has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def add_for_excel(parser: CommandParser) -> None:
    """Add `--for excel` to a command that gives CSV; `options["for"]` is "excel" or None."""
    parser.add_argument(
        "--for",
        choices=("excel",),
        help="excel: CSV that Excel opens as UTF-8 and runs no formula of (default: plain CSV)",
    )


def columns_by_field(given: list[str]) -> dict[str, str]:
    """Return what `--column FIELD=NAME`, given any number of times, says: a column for a field.

    Raises `BadInputError` without a = in it.
    """
    columns = {}
    for each in given:
        field, is_there, name = each.partition("=")
        if not is_there:
            raise BadInputError(f"--column {each!r}: give FIELD=NAME, e.g. prompt=caption.")
        columns[field] = name
    return columns
