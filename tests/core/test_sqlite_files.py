"""What the disk refuses to a SQLite file is an `OSError`, so that commands and pages say it."""

import errno
import sqlite3
from contextlib import closing

import pytest

from evalplatform.core.sqlite_files import open_file


def test_full_disk_is_told_as_of_any_file(tmp_path):
    path = tmp_path / "rows.sqlite"
    with closing(open_file(path)) as database:
        database.execute("CREATE TABLE rows (content)")
        database.execute("PRAGMA max_page_count = 4")  # as if the disk had no room for more
        with pytest.raises(OSError, match="No space left") as caught:
            database.executemany("INSERT INTO rows VALUES (?)", [["x" * 3000]] * 9)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
        with pytest.raises(OSError, match="No space left"):
            database.execute("INSERT INTO rows VALUES (?)", ["x" * 9000])


def test_fault_of_a_statement_stays_one(tmp_path):
    with (
        closing(open_file(tmp_path / "rows.sqlite")) as database,
        pytest.raises(sqlite3.OperationalError, match="no such table"),
    ):
        database.execute("SELECT * FROM missing")
