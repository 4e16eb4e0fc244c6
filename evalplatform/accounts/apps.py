from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "evalplatform.accounts"

    def ready(self) -> None:
        from evalplatform.accounts import receivers  # noqa: F401
