"""Waiting until another connection waits for a lock that the test's own connection holds."""

import time

from django.db import connection

# Of this connection alone: autovacuum, and what others do to each other, wait as well.
_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
AND wait_event_type = 'Lock' AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def wait_until_somebody_waits(seconds: float = 20) -> None:
    """Return as soon as another connection waits for this one's lock; fail if none does.

    Call it in the transaction that holds the lock.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees one moment
            cursor.execute(_WAITS)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock of this connection")
