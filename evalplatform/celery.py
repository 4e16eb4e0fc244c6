"""The Celery application; brokers differ in transport options only."""

import os
from typing import Any

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")

# A message that a killed worker held comes back after this many seconds (pgmq, Redis). Jobs are
# rows with their own lease, so a message that comes back too early finds the row taken and ends.
VISIBILITY_TIMEOUT_SECONDS = 300


def transport_options(broker_url: str, database: dict[str, Any]) -> dict[str, Any]:
    """Return kombu's transport options for `broker_url`.

    The embedded broker is the pgmq queue in the Django database itself.
    """
    if broker_url.startswith("pgmq"):
        options = database.get("OPTIONS", {})
        parts = {
            # A Unix socket's directory may stand in the URL's query instead: ?host=/run/postgresql
            "host": database.get("HOST") or options.get("host"),
            "port": database.get("PORT"),
            "dbname": database["NAME"],
            "user": database.get("USER"),
            "password": database.get("PASSWORD"),
        }
        return {
            "conn_string": " ".join(f"{key}={value}" for key, value in parts.items() if value),
            "init_extension": False,
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "wait_time_seconds": 1,
            "polling_interval": 0.2,
        }
    if broker_url.startswith("redis"):
        return {
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 10,
        }
    return {"confirm_publish": True}


def make_app() -> Celery:
    from django.conf import settings

    celery_app = Celery("evalplatform")
    celery_app.config_from_object("django.conf:settings", namespace="CELERY")
    broker_url = settings.CELERY_BROKER_URL
    celery_app.conf.broker_transport_options = transport_options(
        broker_url, settings.DATABASES["default"]
    )
    # Quorum queues redeliver what a killed worker held within seconds (RabbitMQ).
    arguments = {"x-queue-type": "quorum"} if broker_url.startswith(("amqp", "pyamqp")) else None
    celery_app.conf.task_queues = [
        Queue(name, queue_arguments=arguments) for name in ("default", "generation")
    ]
    celery_app.autodiscover_tasks()
    return celery_app


app = make_app()
