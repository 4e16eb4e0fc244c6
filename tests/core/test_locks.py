"""Turns that last as long as a block, or as the process that has them."""

import time

import pytest
from django.db import connection, connections

from evalplatform.core import locks
from evalplatform.core.locks import is_turn_taken, session_turn

pytestmark = pytest.mark.django_db
HOLDERS = """
SELECT pid, backend_xid, backend_xmin FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND database = datid AND datname = current_database()
"""


def holders() -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees one moment
        cursor.execute(HOLDERS)
        return cursor.fetchall()


def end_at_the_server() -> int:
    """End the one connection that has a turn; return its number."""
    ((number, *_),) = holders()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
    return number


def test_turn_is_taken_once_and_given_back_at_the_end_of_the_block():
    with session_turn("a job") as first, session_turn("a job") as second:
        assert (first, second) == (True, False)
        with session_turn("another") as third:
            assert third
    assert not is_turn_taken("a job")
    with session_turn("a job") as again:
        assert again


def test_turn_is_given_back_where_the_block_fails():
    with pytest.raises(KeyError), session_turn("a job"):
        raise KeyError
    assert not is_turn_taken("a job")


def test_taken_turns_are_told_from_others_whatever_their_number():
    names = [f"job {number}" for number in range(8)]  # of either sign
    for name in names:
        with session_turn(name):
            assert [each for each in names if is_turn_taken(each)] == [name]


@pytest.mark.django_db(transaction=True)
def test_turn_outlasts_the_connections_of_the_orm():
    with session_turn("a job"):
        connections.close_all()
        assert is_turn_taken("a job")


def test_turn_keeps_nothing_that_vacuum_would_remove():
    with session_turn("a job"):
        ((_, transaction, snapshot),) = holders()
    assert (transaction, snapshot) == (None, None)


def test_turn_that_was_lost_with_its_connection_is_taken_again(monkeypatch):
    monkeypatch.setattr(locks, "SECONDS_BETWEEN", 0.01)
    with session_turn("a job"):
        first = end_at_the_server()
        until = time.monotonic() + 20
        while not (there := holders()):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert there[0][0] != first
    assert not is_turn_taken("a job")


def test_turn_that_another_took_meanwhile_is_left_to_them(monkeypatch, caplog):
    monkeypatch.setattr(locks, "SECONDS_BETWEEN", 0.01)
    turn = locks._Turn("a job")
    assert turn.take()
    end_at_the_server()
    with session_turn("a job") as is_anothers:
        turn._keep()
        assert is_anothers
        assert len(holders()) == 1
    turn.close()
    assert "another has it" in caplog.text
