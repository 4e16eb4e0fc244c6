from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "evalplatform.generation"

    def ready(self) -> None:
        # Connects the worker's signals; they fire in worker processes only.
        from evalplatform.generation import heartbeat  # noqa: F401
