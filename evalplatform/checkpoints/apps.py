from django.apps import AppConfig


class CheckpointsConfig(AppConfig):
    name = "evalplatform.checkpoints"

    def ready(self) -> None:
        from evalplatform.checkpoints import ticking  # noqa: F401  # connects itself to workers
