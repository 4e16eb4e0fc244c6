"""The PostgreSQL servers the sites are measured on, each in a database of its own, dropped after.

Our server is the one `DATABASE_URL` names, else the embedded one with its data in var/bench. The
peer needs extensions that the embedded one lacks, so its server is the one `DATABASE_URL` names,
else one on this machine. Nothing that was on a server before is touched.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"
_EXTENSIONS = ("pg_trgm", "btree_gin")


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server, by its address without a database."""

    host: str  # or the directory of its Unix socket
    port: str
    user: str
    password: str
    version: str

    def url(self, database: str) -> str:
        """Return the address of a database as `DATABASE_URL` takes it."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        if self.host.startswith("/"):
            place = f"@/{database}?host={quote(self.host, safe='')}"
        else:
            place = f"@{self.host}:{self.port}/{database}"
        return f"postgresql://{quote(self.user, safe='')}{secret}{place}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        given = {"host": self.host, "port": self.port, "user": self.user}
        secret = {"password": self.password} if self.password else {}
        return psycopg.connect(make_conninfo(dbname=database, **given, **secret), autocommit=True)

    def pids(self) -> list[int]:
        """Return the server's process where it runs on this machine."""
        with self.connect() as connection:
            try:
                backend = psutil.Process(connection.info.backend_pid)
                parent = backend.parent() if "postgres" in backend.name() else None
            except psutil.Error:
                return []
        return [parent.pid] if parent else []

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Create a database of this name, empty, and drop it at the end."""
        name = f"bench_{name}_{os.getpid()}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield name
        finally:
            with self.connect() as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Yield the server; the embedded one is started for the bench and stopped after it."""
    address = os.environ.get("DATABASE_URL")
    if address:
        yield _described(address)
        return
    from evalplatform.core import embedded_postgres

    try:
        embedded_postgres.start(folder)
        socket_dir = embedded_postgres.socket_dir(folder)
        yield _described(f"postgresql://{embedded_postgres.USER}@/?host={quote(str(socket_dir))}")
    finally:
        stop_embedded(folder)


def stop_embedded(folder: Path) -> None:
    """Stop the embedded server of this data folder if it runs."""
    from evalplatform.core import embedded_postgres

    embedded_postgres.stop(folder)


def with_extensions() -> Server | None:
    """Return a server that offers what the peer asks for, None where there is none."""
    try:
        server = _described(os.environ.get("DATABASE_URL") or LOCAL)
        with server.connect() as connection:
            count = "SELECT count(*) FROM pg_available_extensions WHERE name = ANY(%s)"
            row = connection.execute(count, [list(_EXTENSIONS)]).fetchone()
    except psycopg.Error:
        return None
    return server if row and row[0] == len(_EXTENSIONS) else None


def _described(address: str) -> Server:
    given = conninfo_to_dict(address)
    with psycopg.connect(make_conninfo(address, dbname=given.get("dbname") or "postgres")) as held:
        version = str(held.info.server_version // 10000)
    return Server(
        host=str(given.get("host") or "127.0.0.1"),
        port=str(given.get("port") or 5432),
        user=str(given.get("user") or "postgres"),
        password=str(given.get("password") or ""),
        version=version,
    )
