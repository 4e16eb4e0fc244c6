"""The brokers the tests run on, each with queues that are ours alone.

RABBITMQ_URL and REDIS_URL name servers other than the ones on this machine.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery
from django.db import connection, connections
from kombu import Message

from evalplatform.celery import configure

URLS = {
    "pgmq": "pgmq://embedded",
    "rabbitmq": os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/15"),
}


@dataclass
class Broker:
    """A broker, and an app in this process that sends to it and looks into its queues."""

    name: str
    prefix: str
    app: Celery

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use this broker and these queues."""
        return {"BROKER_URL": URLS[self.name], "QUEUE_PREFIX": self.prefix}

    def waiting(self, queue: str) -> int:
        """Return how many messages a worker could take now."""
        with self.app.connection_for_write() as link:
            return self.app.amqp.queues[queue](link.default_channel).queue_declare().message_count

    def take(self, queue: str, seconds: float) -> Message:
        """Take one message as a worker would, for good."""
        deadline = time.monotonic() + seconds
        with self.app.connection_for_read() as link:
            bound = self.app.amqp.queues[queue](link.default_channel)
            while (message := bound.get()) is None:
                assert time.monotonic() < deadline, f"no message came within {seconds} s"
                time.sleep(0.1)
            message.ack()
            return message

    def let_time_pass(self, queue: str) -> None:
        """Let the broker find that the worker that held a message is gone."""
        if self.name == "pgmq":
            table = f"pgmq.q_{self.prefix}{queue}".replace("-", "_")
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {table} SET vt = clock_timestamp() WHERE vt > now()")
                assert cursor.rowcount >= 1
        elif self.name == "redis":
            options = self.app.conf.broker_transport_options
            with self.app.connection_for_read(
                transport_options=options | {"visibility_timeout": 0}
            ) as link:
                link.default_channel.qos.restore_visible()


def broker(name: str) -> Broker:
    """Return a broker with queues of its own; skip the test where it does not answer."""
    app, prefix = Celery(name, set_as_current=False), f"test-{uuid.uuid4().hex[:8]}-"
    configure(
        app,
        broker_url=URLS[name],
        queue_prefix=prefix,
        database=connections["default"].settings_dict,
    )
    if name != "pgmq":
        link = app.connection_for_write()
        try:
            with link:
                link.ensure_connection(max_retries=1, interval_start=0.1, timeout=5)
        except link.recoverable_connection_errors as error:
            pytest.skip(f"{URLS[name]} does not answer ({error}); name one in {name.upper()}_URL")
    return Broker(name, prefix, app)


@contextmanager
def lent(name: str) -> Iterator[Broker]:
    """Yield a broker with queues of its own, and leave nothing of them behind."""
    ours = broker(name)
    try:
        yield ours
    finally:
        remove_queues(ours.app)
        ours.app.close()


def remove_queues(app: Celery) -> None:
    """Remove an app's queues from its broker, with what they hold."""
    with app.connection_for_write() as link:
        channel = link.default_channel
        for queue in app.amqp.queues.values():
            bound = queue(channel)
            bound.declare()
            bound.delete()
            if link.transport.driver_type == "redis":
                _forget_unacknowledged(channel, queue.name)
        if link.transport.driver_type == "amqp":
            queue.exchange(channel).delete()


def _forget_unacknowledged(channel: Any, queue: str) -> None:
    """Drop what killed workers held: Redis would put it back later, into a queue that is gone."""
    for tag, held in channel.client.hgetall(channel.unacked_key).items():
        if json.loads(held)[2] == queue:
            channel.client.hdel(channel.unacked_key, tag)
            channel.client.zrem(channel.unacked_index_key, tag)
