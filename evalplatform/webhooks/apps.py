from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "evalplatform.webhooks"

    def ready(self) -> None:
        from evalplatform.webhooks import ticking  # noqa: F401  # connects itself to workers
