"""The limit: what the server stores with nothing around it.

A vote is one transaction of plain SQL over one connection a client: claim a free slot that nobody
else is claiming, and insert the vote. No HTTP, no check of who asks, no progress, no second look
at what was answered. No site on this server can be faster.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.annotation.bench.clients import Nothing
from tests.annotation.bench.database import Server

SLOTS = 1_000_000  # more than any run claims
_TABLES = f"""
CREATE TABLE slot (
    id bigint PRIMARY KEY, serve_order integer NOT NULL, annotator bigint, completed_at timestamptz
);
CREATE TABLE vote (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, slot bigint NOT NULL REFERENCES slot,
    annotator bigint NOT NULL, answer text NOT NULL, voted_at timestamptz NOT NULL
);
INSERT INTO slot (id, serve_order) SELECT n, n / 5 FROM generate_series(1, {SLOTS}) n;
CREATE INDEX ON slot (serve_order, id) WHERE annotator IS NULL;
ANALYZE slot;
"""
_CLAIM = """
UPDATE slot SET annotator = %s, completed_at = now() WHERE id = (
    SELECT id FROM slot WHERE annotator IS NULL
    ORDER BY serve_order, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_INSERT = """
INSERT INTO vote (slot, annotator, answer, voted_at) VALUES (%s, %s, 'left', now()) RETURNING id
"""


@dataclass
class BareClient:
    """One client with a connection of its own."""

    server: Server
    database: str
    number: int
    asked: bool = False  # the slot is found as the vote is stored
    _connection: psycopg.Connection | None = field(default=None, repr=False)

    def begin(self) -> None:
        self._connection = self.server.connect(self.database)

    def ask(self) -> int | Nothing:
        return self.number

    def look(self, shown: int) -> int:
        return 0

    def vote(self, shown: int) -> str | None:
        assert self._connection is not None
        with self._connection.transaction():
            claimed = self._connection.execute(_CLAIM, [self.number]).fetchone()
            if claimed is None:
                return None
            stored = self._connection.execute(_INSERT, [claimed[0], self.number]).fetchone()
        return str(stored[0]) if stored else None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@dataclass(frozen=True)
class BareTables:
    """Slots and votes in a database of their own."""

    server: Server
    database: str

    def clients(self, count: int) -> list[Any]:
        return [BareClient(self.server, self.database, number) for number in range(count)]

    def check(self, acknowledged: Sequence[str]) -> dict[str, int]:
        """Count what must not be: a slot with two votes, a vote that is not there."""
        with self.server.connect(self.database) as connection:
            twice = connection.execute(
                "SELECT count(*) FROM (SELECT slot FROM vote GROUP BY slot HAVING count(*) > 1) x"
            ).fetchone()
            stored = {str(row[0]) for row in connection.execute("SELECT id FROM vote")}
        return {
            "over": twice[0] if twice else 0,
            "twice": 0,
            "lost": len(set(acknowledged) - stored),
        }


@contextmanager
def tables(server: Server) -> Iterator[BareTables]:
    """Make the tables in a new database of the server, dropped at the end."""
    with server.database("bare") as database:
        with server.connect(database) as connection:
            connection.execute(_TABLES)
        yield BareTables(server, database)
