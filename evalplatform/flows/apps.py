from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "evalplatform.flows"

    def ready(self) -> None:
        from evalplatform.flows import ticking  # noqa: F401  # workers hear of its signals
