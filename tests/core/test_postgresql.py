"""Connections that are kept between requests: looked at, and asked only where something came."""

import psycopg
import pytest
from django.db import DataError, OperationalError, connection, connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept():
    """A second connection to the test database, as a request left it."""
    copy = connections["default"].copy()
    copy.ensure_connection()
    yield copy
    copy.close()


def end_at_the_server(other):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [other.connection.info.backend_pid])


def test_connection_that_has_nothing_to_say_is_not_asked(kept, monkeypatch):
    asked = []
    monkeypatch.setattr(psycopg.Connection, "cursor", lambda *args, **kwargs: asked.append(args))
    assert kept.is_usable()
    assert asked == []


def test_connection_that_its_server_ended_is_not_used_again(kept):
    end_at_the_server(kept)
    assert not kept.is_usable()
    kept.health_check_enabled, kept.health_check_done = True, False
    with kept.cursor() as cursor:  # a new one takes its place
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_closed_connection_is_not_usable(kept):
    kept.connection.close()
    assert not kept.is_usable()


def test_connection_whose_transaction_failed_is_not_usable_until_that_ended(kept):
    kept.set_autocommit(False)
    with pytest.raises(DataError), kept.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert not kept.is_usable()
    kept.rollback()
    assert kept.is_usable()


def test_notice_that_came_meanwhile_ends_no_connection(kept):
    number = kept.connection.info.backend_pid
    with kept.cursor() as cursor:
        cursor.execute("LISTEN something")
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY something")
    assert kept.is_usable()
    assert kept.connection.info.backend_pid == number


def test_whoever_uses_an_ended_connection_unasked_is_told(kept):
    end_at_the_server(kept)
    with pytest.raises(OperationalError), kept.cursor() as cursor:
        cursor.execute("SELECT 1")
