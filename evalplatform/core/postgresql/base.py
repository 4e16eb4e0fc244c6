"""Django's PostgreSQL backend, whose connections are looked at before they are asked.

Django asks a kept connection `SELECT 1` before each request that uses it, a twelfth of what a
vote's request asks. A connection that its server ended (it was restarted, or a pooler gave it up)
can be read from: the end of the stream, or the words before it. One that has nothing to say is as
good as a `SELECT 1` could show.
"""

import select

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

_UNUSABLE = (TransactionStatus.INERROR, TransactionStatus.UNKNOWN)  # unknown: it is closed


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection to PostgreSQL."""

    def is_usable(self) -> bool:
        """Whether statements would be answered; the server is asked where something came unasked.

        Not in a transaction that failed: there it answers none.
        """
        if self.connection is None or self.connection.info.transaction_status in _UNUSABLE:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return True if not poll.poll(0) else bool(super().is_usable())
