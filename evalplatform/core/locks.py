"""Taking turns at what no row stands for: a name that is new, room that is promised, work at hand.

A turn is an advisory lock of the database, named by a text.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from django.db import connection

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 5.0  # of looks at the connection of a turn
_PATIENCE = 10.0  # seconds that a block that ends waits for its last look
_TAKE = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
_IS_TAKEN = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0)
)
"""
# Either side finds out within a minute that the other's machine is gone without a word, and not
# after the two hours that are usual. Nothing ends a connection that is as it should be.
_OURS = {
    "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}  # fmt: skip
_THE_SERVERS = (
    "SET LOCAL tcp_keepalives_idle = 30",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 3",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)


def take_turn(what: str) -> None:
    """Wait for all others at the same `what`; the turn is over when the transaction is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [what])


def is_turn_taken(what: str) -> bool:
    """Return whether anybody has the turn at `what` now, this process too."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_TAKEN, [what])
        return bool(cursor.fetchone()[0])


@contextmanager
def session_turn(what: str) -> Iterator[bool]:
    """Have the turn at `what` until the block ends; yield False at once where another has it.

    It lasts over any number of transactions, and ends with the process however that ends: killed,
    or with its machine. Raises `OperationalError` where the database cannot be reached.
    """
    turn = _Turn(what)
    try:
        with connection.wrap_database_errors:
            is_ours = turn.take()
        if is_ours:
            with turn.kept():
                yield True
        else:
            yield False
    finally:
        turn.close()


class _Turn:
    """A turn on a connection of its own.

    Not the ORM's: Django closes that when it is old or broken, may give it to a pool with the lock
    still on it, and ends the transaction at each commit. Here one transaction stays open, which
    holds no row and, of READ COMMITTED, no snapshot that would keep vacuum from its work. It serves
    as a lock of the session would, and does so behind a pooler too: a pooler that lends connections
    by the transaction would leave a session's lock on whatever connection took it, for ever.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        # Values bound at the server would leave a portal open, and with it a snapshot.
        binding = {"cursor_factory": psycopg.ClientCursor}
        self._parameters = _OURS | connection.get_connection_params() | binding
        self._own: psycopg.Connection[Any] | None = None
        self._over = threading.Event()

    def take(self) -> bool:
        """Take the turn; False where another has it. Raises `psycopg.Error`."""
        self._own = own = psycopg.connect(**self._parameters)
        own.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        for each in _THE_SERVERS:
            own.execute(each)
        taken = own.execute(_TAKE, [self._what]).fetchone()
        return bool(taken and taken[0])

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Look at the connection now and then, so that nothing on the way takes it for unused."""
        keeper = threading.Thread(target=self._keep, name="turn", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self._over.set()
            keeper.join(_PATIENCE)
            if not keeper.is_alive():
                self._give_back()

    def _keep(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN):
            try:
                assert self._own is not None
                self._own.execute("SELECT 1")
            except psycopg.Error:
                self._take_again()

    def _take_again(self) -> None:
        """Take what was lost with its connection: the server was restarted, or a network broke."""
        self.close()
        try:
            if not self.take():
                logger.warning("the turn at %s was lost, and another has it", self._what)
                self._over.set()
        except psycopg.Error:
            logger.warning("the turn at %s is lost until the database is there", self._what)

    def _give_back(self) -> None:
        """Let others have it at once: a server takes a while to see that a connection is closed."""
        if self._own is not None:
            with suppress(psycopg.Error):
                self._own.rollback()

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
