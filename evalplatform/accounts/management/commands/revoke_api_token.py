"""Take an API token back."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.accounts.tokens import revoke_api_token, token_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError


class Command(PlatformCommand):
    help = (
        "Revoke an API token, named by how it begins: requests with it are answered 401 from now "
        "on. Researchers see and revoke their own at /accounts/tokens/."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="the first 12 characters, such as evp_Ab12Cd34")

    def handle(self, *args: Any, **options: Any) -> None:
        token = token_named(options["prefix"])
        if not revoke_api_token(token=token, now=timezone.now()):
            raise BadInputError(f"{token} was revoked on {token.revoked_at:%Y-%m-%d %H:%M}.")
        self.stdout.write(f"revoked {token} ({token.label})")
