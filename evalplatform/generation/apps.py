from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.management import CommandError
from django.db import ProgrammingError, connections
from django.db.models.signals import post_migrate
from psycopg.errors import InsufficientPrivilege


class GenerationConfig(AppConfig):
    name = "evalplatform.generation"

    def ready(self) -> None:
        # Connects the worker's signals; they fire in worker processes only.
        from evalplatform.generation import heartbeat  # noqa: F401

        post_migrate.connect(install_embedded_broker, sender=self)


def install_embedded_broker(using: str, **kwargs: Any) -> None:
    """Create pgmq's schema in the database after migrating, where it is the broker.

    Needs no extension. Raises `CommandError` where the role may not create a schema.
    """
    if not settings.CELERY_BROKER_URL.startswith("pgmq"):
        return
    from pgmq.install import get_embedded_install_sql

    with connections[using].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'pgmq'")
        if cursor.fetchone() is None:
            try:
                cursor.execute(get_embedded_install_sql())
            except ProgrammingError as error:
                if not isinstance(error.__cause__, InsufficientPrivilege):
                    raise
                database = connections[using].settings_dict
                raise CommandError(
                    f"the role {database['USER']!r} may not create the schema pgmq, which holds "
                    f"the message queue; let an administrator run GRANT CREATE ON DATABASE "
                    f'"{database["NAME"]}" TO "{database["USER"]}" and migrate again, or name '
                    "RabbitMQ or Redis in BROKER_URL.",
                    returncode=2,
                ) from error
