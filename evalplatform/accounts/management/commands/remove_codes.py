"""Let an account sign in without codes from an app."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import CommandParser

from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Remove the authenticator app and the recovery codes of an account, for somebody who has "
        "lost both. Make sure who asks: afterwards the password alone lets in. An operator is led "
        "to set codes up anew at the next sign-in where OPERATORS_NEED_TOTP is set."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        removed, _ = Authenticator.objects.filter(user=user).delete()
        said = "signs in without codes now" if removed else "had no codes"
        self.stdout.write(f"{user} {said}.")
