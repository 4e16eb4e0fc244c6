"""What went wrong with the database, by the state (SQLSTATE) that it gives with an error.

Only an error without a state is a connection that could not be made. A database that is full, slow
or waits for a lock can be reached; who is told to start it looks in the wrong place.

Reference: PostgreSQL documentation, Appendix A, "PostgreSQL Error Codes".
"""

import logging
from dataclasses import dataclass
from enum import Enum

from django.db import DataError, Error, InterfaceError, OperationalError

from evalplatform.core.broker_faults import BROKER_ERRORS, said_of_broker


class FaultKind(Enum):
    """What a person in front of a page needs to know."""

    AWAY = "away"
    BUSY = "busy"
    SLOW = "slow"
    FULL = "full"
    SETUP = "setup"


@dataclass(frozen=True)
class DatabaseFault:
    """What happened, and what whoever runs the site does about it.

    `advice` holds for every way in; `by_command` is what only a command adds.
    """

    kind: FaultKind
    said: str
    advice: str
    by_command: str = ""

    def for_command(self) -> str:
        """Return what a command advises."""
        return f"{self.advice} {self.by_command}".rstrip()


_BY_COMMAND = "Then run the command again."
_NO_CONNECTION = DatabaseFault(
    FaultKind.AWAY,
    "the database cannot be reached",
    "start it, or check DATABASE_URL.",
    by_command="`python manage.py services start postgres` starts the embedded one.",
)
_BROKEN = DatabaseFault(
    FaultKind.AWAY,
    "the connection to the database broke",
    "the server's log says why.",
    by_command=_BY_COMMAND,
)
_STARTING = DatabaseFault(
    FaultKind.AWAY,
    "the database is stopping or starting",
    "wait until it is there.",
    by_command=_BY_COMMAND,
)
_NO_SLOT = DatabaseFault(
    FaultKind.BUSY,
    "the database has no connection left",
    "raise its max_connections, or run fewer processes, each of which holds one.",
)
_NO_ENTRY = DatabaseFault(
    FaultKind.SETUP, "the database refuses this user", "check user and password of DATABASE_URL."
)
_NO_DATABASE = DatabaseFault(
    FaultKind.SETUP, "there is no such database", "create it, or check the name in DATABASE_URL."
)
READ_ONLY = DatabaseFault(
    FaultKind.SETUP,
    "the database takes no changes",
    "DATABASE_URL names a standby or a read-only database; give the one that takes writes.",
)
_OTHER_TABLES = DatabaseFault(
    FaultKind.SETUP,
    "the database's tables are not those of this version",
    "it has to be migrated.",
    by_command="`python manage.py migrate` does it.",
)
_FILES = "look at its disk and the server's log before anything is written again."
# By the beginning of a state; the longest one that fits holds.
_BY_STATE = {
    "08": _BROKEN,
    "25006": READ_ONLY,
    "28": _NO_ENTRY,
    "3D": _NO_DATABASE,
    "40": DatabaseFault(
        FaultKind.BUSY,
        "the database gave a transaction up",
        "nothing of it was kept.",
        by_command=_BY_COMMAND,
    ),
    "40001": DatabaseFault(
        FaultKind.BUSY,
        "another transaction changed the same rows",
        "nothing of this one was kept.",
        by_command=_BY_COMMAND,
    ),
    "40P01": DatabaseFault(
        FaultKind.BUSY,
        "two transactions waited for each other",
        "the database gave this one up.",
        by_command=_BY_COMMAND,
    ),
    "42501": DatabaseFault(
        FaultKind.SETUP,
        "the database's user may not do this",
        "give it the right, or the tables to it (ALTER TABLE … OWNER TO).",
    ),
    "42703": _OTHER_TABLES,
    "42P01": _OTHER_TABLES,
    "53": DatabaseFault(
        FaultKind.BUSY, "the database is short of something", "the server's log says of what."
    ),
    "53100": DatabaseFault(
        FaultKind.FULL,
        "the database's disk is full",
        "make room on it.",
        by_command=_BY_COMMAND,
    ),
    "53200": DatabaseFault(
        FaultKind.BUSY,
        "the database is out of memory",
        "“shared memory” is for locks: raise its max_locks_per_transaction; else give the server "
        "more memory, or lower work_mem.",
    ),
    "53300": _NO_SLOT,
    "53400": DatabaseFault(
        FaultKind.BUSY,
        "the database has reached a limit of its configuration",
        "raise the one it names, such as temp_file_limit.",
    ),
    "54": DatabaseFault(
        FaultKind.SETUP,
        "the statement is beyond a limit of the database",
        "give less at once; if that is no answer, this is a fault of the platform: report it.",
    ),
    "55": DatabaseFault(
        FaultKind.SETUP,
        "the database is not in a state for this",
        "the message says what is missing.",
    ),
    "55006": DatabaseFault(
        FaultKind.BUSY,
        "somebody else uses this",
        "wait until they are done.",
        by_command=_BY_COMMAND,
    ),
    "55P03": DatabaseFault(
        FaultKind.BUSY,
        "another transaction holds what this one needs",
        "wait until it is done; pg_stat_activity shows which one it is.",
        by_command=_BY_COMMAND,
    ),
    "57014": DatabaseFault(
        FaultKind.SLOW,
        "the database gave a statement up",
        "it took longer than statement_timeout, or somebody cancelled it: raise that, or ask for "
        "less at once.",
    ),
    "57": DatabaseFault(
        FaultKind.AWAY,
        "an operator ended this",
        "the server's log says when.",
        by_command=_BY_COMMAND,
    ),
    "57P01": _STARTING,
    "57P02": _STARTING,
    "57P03": _STARTING,
    "58": DatabaseFault(FaultKind.FULL, "the database cannot read or write its files", _FILES),
    "XX001": DatabaseFault(FaultKind.FULL, "the database found its own files damaged", _FILES),
    "XX002": DatabaseFault(FaultKind.FULL, "the database found its own files damaged", _FILES),
}
# A server that refuses a connection says why in words alone.
_BY_WORDS = {
    "too many clients": _NO_SLOT,
    "too many connections": _NO_SLOT,
    "connection slots are reserved": _NO_SLOT,
    "database system is": _STARTING,
    "authentication failed": _NO_ENTRY,
    "no password supplied": _NO_ENTRY,
    "no pg_hba.conf entry": _NO_ENTRY,
    'fatal:  role "': _NO_ENTRY,
    'fatal:  database "': _NO_DATABASE,
    "server closed the connection": _BROKEN,
    "connection is closed": _BROKEN,
    "connection is lost": _BROKEN,
    "connection already closed": _BROKEN,
    "terminating connection": _BROKEN,
}

# Too long, beyond a number's range, no day or time, no text of UTF-8, not of the column's type.
_OF_A_VALUE = ("22001", "22003", "22007", "22008", "22021", "22P02", "22P05")


def is_of_a_value(error: DataError) -> bool:
    """Return whether what was given to a statement is at fault, and not the statement.

    psycopg refuses some values itself, such as a NUL character, without a state. A division by
    zero, for one, is no visitor's doing.
    """
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state is None or state in _OF_A_VALUE


def fault_of(error: Error) -> DatabaseFault | None:
    """Return what went wrong with the database; None where a statement of ours is at fault."""
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    if state:
        return next((_BY_STATE[state[:n]] for n in (5, 2) if state[:n] in _BY_STATE), None)
    if isinstance(error, OperationalError | InterfaceError):
        said = str(error).lower()
        found = next((fault for words, fault in _BY_WORDS.items() if words in said), None)
        return found or (_BROKEN if isinstance(error, InterfaceError) else _NO_CONNECTION)
    return None


def said_to_commands(error: Error) -> str | None:
    """Return the line that a command ends with; None where a statement of ours is at fault."""
    fault = fault_of(error)
    if fault is None:
        return None
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{fault.said} ({reason}); {fault.for_command()}"


def warn_of(logger: logging.Logger, failed: str, error: Exception) -> None:
    """Log what failed beside other work, and is tried again soon: in one line where database or
    broker are at fault, which fails every try until it is back; with the traceback where we may be.
    """
    if isinstance(error, BROKER_ERRORS):
        logger.warning("%s: %s", failed, said_of_broker(error))
        return
    fault = fault_of(error) if isinstance(error, Error) else None
    if fault is None:
        logger.warning(failed, exc_info=error)
    else:
        logger.warning("%s: %s", failed, fault.said)
