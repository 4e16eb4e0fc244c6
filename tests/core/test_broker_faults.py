"""A broker that is away, or refuses: one line each, in commands and in workers."""

import pytest
from amqp.exceptions import AccessRefused, NotAllowed
from celery.exceptions import WorkerShutdown
from celery.utils.imports import symbol_by_name
from django.core.management import CommandError
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

from evalplatform.celery import app
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.waking import wake_or_wait

REFUSED = [
    AccessRefused("ACCESS_REFUSED - Login was refused"),
    NotAllowed("NOT_ALLOWED - vhost nosuch not found"),
]


def failing(error):
    def fail(*args, **more):
        raise error

    return fail


@pytest.fixture
def consumer():
    """As a worker makes it, but that it was told nothing."""
    kind = symbol_by_name(app.conf.worker_consumer)
    made = kind.__new__(kind)
    made.app = app
    return made


@pytest.mark.parametrize("error", REFUSED)
def test_worker_that_the_broker_refuses_ends_with_one_line(consumer, error, monkeypatch, caplog):
    monkeypatch.setattr(Connection, "ensure_connection", failing(error))
    with pytest.raises(WorkerShutdown) as ended:
        consumer.ensure_connected(Connection("amqp://"))
    assert ended.value.code == 2
    [line] = caplog.records
    assert error.reply_text in line.getMessage()
    assert "check user, password and virtual host in BROKER_URL" in line.getMessage()
    assert line.exc_info is None


def test_worker_declares_no_queues_but_ours(consumer):
    steps = consumer.Blueprint.default_steps
    assert any("tasks:Tasks" in each for each in steps)
    assert not any("delayed" in each for each in steps)


@pytest.mark.parametrize("error", REFUSED)
def test_command_that_the_broker_refuses_says_what_to_check(error, monkeypatch):
    monkeypatch.setattr(PlatformCommand, "handle", failing(error))
    with pytest.raises(CommandError, match=error.reply_text) as ended:
        PlatformCommand().execute(force_color=False, no_color=True, skip_checks=True)
    assert ended.value.returncode == 2
    assert "check user, password and virtual host" in str(ended.value)


@pytest.mark.parametrize("error", [BrokerError("[Errno 111] Connection refused"), *REFUSED])
def test_worker_ends_its_turn_whatever_the_broker_does(error, caplog):
    wake_or_wait(failing(error), 1)
    [line] = caplog.records
    assert line.getMessage().startswith("no other worker was woken: the broker ")
    assert line.exc_info is None
    with pytest.raises(ZeroDivisionError):
        wake_or_wait(failing(ZeroDivisionError()), 1)
