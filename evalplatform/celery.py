"""The Celery application; brokers differ in transport options only."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    celeryd_init,
    import_modules,
)
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from evalplatform.core.garbage import begin_loading, end_loading
from evalplatform.core.logs import PrivateFormatter
from evalplatform.core.wrong_settings import end_celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")

QUEUES = ("default", "generation")
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


def queues(broker_url: str, prefix: str) -> list[Queue]:
    """Return our queues as `broker_url` declares them, named PREFIX + `generation` or `default`.

    Code and `celery worker --queues` say the names without the prefix.
    """
    # Quorum queues redeliver what a killed worker held within seconds (RabbitMQ).
    arguments = {"x-queue-type": "quorum"} if broker_url.startswith(("amqp", "pyamqp")) else None
    exchange = Exchange(f"{prefix}evalplatform", type="direct")
    return [
        Queue(
            prefix + name,
            exchange,
            # Left out, Celery binds every queue to the default queue's key.
            routing_key=prefix + name,
            alias=name,
            queue_arguments=arguments,
        )
        for name in QUEUES
    ]


def configure(
    celery_app: Celery, *, broker_url: str, queue_prefix: str, database: dict[str, Any]
) -> None:
    """Point an app that has sent nothing yet at a broker."""
    celery_app.conf.broker_url = broker_url
    celery_app.conf.broker_transport_options = transport_options(broker_url, database)
    celery_app.conf.task_queues = queues(broker_url, queue_prefix)


def make_app() -> Celery:
    from django.conf import settings

    celery_app = Celery("evalplatform")
    celery_app.config_from_object("django.conf:settings", namespace="CELERY")
    configure(
        celery_app,
        broker_url=settings.CELERY_BROKER_URL,
        queue_prefix=settings.QUEUE_PREFIX,
        database=settings.DATABASES["default"],
    )
    celery_app.autodiscover_tasks()
    return celery_app


@import_modules.connect
def begin_loading_worker(**kwargs: Any) -> None:
    """Come before Celery's own receivers, which load the site: so it stands above the app."""
    begin_loading()


@celeryd_init.connect
def end_loading_worker(**kwargs: Any) -> None:
    """Search for garbage again once a worker has loaded the site and all tasks."""
    end_loading()


try:
    app = make_app()
except ImproperlyConfigured as error:
    end_celery(error)


@after_setup_logger.connect
@after_setup_task_logger.connect
def write_privately(logger: logging.Logger, **kwargs: Any) -> None:
    """Let Celery's own log handlers, also those of `--logfile`, leave out what the site's do."""
    for handler in logger.handlers:
        handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
