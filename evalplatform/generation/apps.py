from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate


class GenerationConfig(AppConfig):
    name = "evalplatform.generation"

    def ready(self) -> None:
        # Connects the worker's signals; they fire in worker processes only.
        from evalplatform.generation import heartbeat  # noqa: F401

        post_migrate.connect(install_embedded_broker, sender=self)


def install_embedded_broker(using: str, **kwargs: Any) -> None:
    """Create pgmq's schema in the database after migrating, where it is the broker."""
    if not settings.CELERY_BROKER_URL.startswith("pgmq"):
        return
    from pgmq.install import get_embedded_install_sql

    with connections[using].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'pgmq'")
        if cursor.fetchone() is None:
            cursor.execute(get_embedded_install_sql())
