from django.apps import AppConfig


class TalliesConfig(AppConfig):
    name = "evalplatform.tallies"

    def ready(self) -> None:
        from evalplatform.tallies import ticking  # noqa: F401  # connects itself to workers
