"""Make an API token."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.services import user_named
from evalplatform.accounts.tokens import create_api_token
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Make a personal API token and print it, this once: it is kept as a hash. A script sends "
        "it as `Authorization: Bearer TOKEN` and acts for that user, see docs/api.md. "
        "`manage.py revoke_api_token` takes it back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of the researcher it acts for")
        parser.add_argument(
            "--label", default="command line", help="what it is for (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _, secret = create_api_token(user=user_named(options["user"]), label=options["label"])
        self.stdout.write(secret)
