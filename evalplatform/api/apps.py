from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "evalplatform.api"

    def ready(self) -> None:
        from evalplatform.api import ticking  # noqa: F401  # connects itself to workers
