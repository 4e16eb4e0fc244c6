"""What the database says is told in its own words: away is said only where it is away."""

import logging
from contextlib import closing

import psycopg
import pytest
from django.core.management import CommandError
from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from kombu.exceptions import OperationalError as BrokerError

from evalplatform.core.commands import PlatformCommand
from evalplatform.core.database_faults import FaultKind, fault_of, warn_of


def raised_with(state, kind=OperationalError, text="the server said so"):
    error = kind(text)
    error.__cause__ = psycopg.errors.lookup(state)(text)
    return error


def told(error):
    """The line that a command ends with."""

    class Failing(PlatformCommand):
        requires_system_checks = []

        def handle(self, *args, **options):
            raise error

    with pytest.raises(CommandError) as raised:
        Failing().execute(no_color=True, force_color=False, skip_checks=True)
    assert raised.value.returncode == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("state", "kind", "says"),
    [
        ("08006", FaultKind.AWAY, "the connection to the database broke"),
        ("57P01", FaultKind.AWAY, "the database is stopping or starting"),
        ("57P03", FaultKind.AWAY, "the database is stopping or starting"),
        ("57014", FaultKind.SLOW, "the database gave a statement up"),
        ("53100", FaultKind.FULL, "the database's disk is full"),
        ("53200", FaultKind.BUSY, "the database is out of memory"),
        ("53300", FaultKind.BUSY, "the database has no connection left"),
        ("53400", FaultKind.BUSY, "the database has reached a limit of its configuration"),
        ("55P03", FaultKind.BUSY, "another transaction holds what this one needs"),
        ("40P01", FaultKind.BUSY, "two transactions waited for each other"),
        ("40001", FaultKind.BUSY, "another transaction changed the same rows"),
        ("58030", FaultKind.FULL, "the database cannot read or write its files"),
        ("28P01", FaultKind.SETUP, "the database refuses this user"),
        ("3D000", FaultKind.SETUP, "there is no such database"),
        ("54000", FaultKind.SETUP, "the statement is beyond a limit of the database"),
        ("55000", FaultKind.SETUP, "the database is not in a state for this"),
    ],
)
def test_each_state_is_told_in_words_of_its_own(state, kind, says):
    error = raised_with(state)
    assert fault_of(error).kind is kind
    said = told(error)
    assert said.startswith(f"{says} (the server said so); ")
    assert "cannot be reached" not in said
    # What a page or `/readyz` may show, and what a command adds.
    assert said.endswith(fault_of(error).for_command())
    assert "command" not in fault_of(error).advice


@pytest.mark.parametrize("state", ["08006", "40P01", "53100", "55P03", "57P01"])
def test_only_a_command_is_told_to_be_run_again(state):
    error = raised_with(state)
    assert told(error).endswith(". Then run the command again.")
    assert "again" not in fault_of(error).advice


@pytest.mark.parametrize(
    ("state", "kind", "says"),
    [
        ("42P01", ProgrammingError, "tables are not those of this version"),
        ("42703", ProgrammingError, "tables are not those of this version"),
        ("42501", ProgrammingError, "may not do this"),
        ("25006", InternalError, "the database takes no changes"),
        ("XX001", InternalError, "the database found its own files damaged"),
    ],
)
def test_states_that_are_no_operational_error_are_told_too(state, kind, says):
    assert says in told(raised_with(state, kind))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FATAL:  sorry, too many clients already", "the database has no connection left"),
        ("FATAL:  remaining connection slots are reserved", "the database has no connection left"),
        ('FATAL:  password authentication failed for user "x"', "the database refuses this user"),
        ('FATAL:  role "x" does not exist', "the database refuses this user"),
        ('FATAL:  database "x" does not exist', "there is no such database"),
        ("FATAL:  the database system is starting up", "the database is stopping or starting"),
        ("connection refused\n\tIs the server running?", "the database cannot be reached"),
        ("failed to resolve host 'nowhere'", "the database cannot be reached"),
        ("consuming input failed: server closed the connection", "the connection to the database"),
    ],
)
def test_refused_connection_is_told_by_what_the_server_says(text, says):
    """A server that refuses a connection sends no state with it that the driver passes on."""
    error = OperationalError(f"connection failed: {text}")
    error.__cause__ = psycopg.OperationalError(str(error))
    assert told(error).startswith(says)


def test_closed_connection_is_told_as_such():
    assert fault_of(InterfaceError("the connection is closed")).kind is FaultKind.AWAY


@pytest.mark.parametrize("state", ["23505", "22P02", "42601"])
def test_fault_of_ours_is_none_of_the_database(state):
    for kind in (IntegrityError, ProgrammingError):
        assert fault_of(raised_with(state, kind)) is None
        assert fault_of(kind("the driver said so before it asked the database")) is None


def test_fault_of_ours_keeps_its_traceback():
    error = raised_with("23505", IntegrityError)

    class Failing(PlatformCommand):
        def handle(self, *args, **options):
            raise error

    with pytest.raises(IntegrityError):
        Failing().execute(no_color=True, force_color=False, skip_checks=True)


@pytest.mark.django_db(transaction=True)
def test_faults_of_a_real_database_are_told_apart():
    """A statement that takes too long, a lock that is held, a table that is not there."""
    assert fault_of(failing("SELECT pg_sleep(5)", "SET LOCAL statement_timeout = 50")).said == (
        "the database gave a statement up"
    )
    table = "promptsets_promptset"
    other = psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None})
    with closing(other), other.transaction():
        other.execute(f"LOCK TABLE {table}")
        fault = fault_of(failing(f"SELECT * FROM {table}", "SET LOCAL lock_timeout = 50"))
    assert fault.said == "another transaction holds what this one needs"
    assert "not those of this version" in fault_of(failing("SELECT * FROM nowhere")).said
    read_only = failing(f"DELETE FROM {table}", "SET TRANSACTION READ ONLY")
    assert "takes no changes" in fault_of(read_only).said


def failing(statement, *before):
    """What a statement of a transaction raises."""
    with pytest.raises(Error) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join((*before, statement)))
    return raised.value


def test_warning_has_a_traceback_only_where_neither_database_nor_broker_is_at_fault(caplog):
    logger = logging.getLogger("evalplatform.test")
    warn_of(logger, "not done", OperationalError("connection refused"))
    warn_of(logger, "not done", BrokerError("[Errno 111] Connection refused"))
    warn_of(logger, "not done", ValueError("ours"))
    away, broker, ours = caplog.records
    said = "not done: the broker cannot be reached ([Errno 111] Connection refused)"
    assert (broker.getMessage(), broker.exc_info) == (said, None)
    assert (away.getMessage(), away.exc_info) == ("not done: the database cannot be reached", None)
    assert ours.getMessage() == "not done"
    assert "ours" in str(ours.exc_info[1])
