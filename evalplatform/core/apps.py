from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "evalplatform.core"

    def ready(self) -> None:
        # Tasks are sent by name from any process: each needs the configured Celery app.
        from evalplatform import celery  # noqa: F401
        from evalplatform.core import checks  # noqa: F401
