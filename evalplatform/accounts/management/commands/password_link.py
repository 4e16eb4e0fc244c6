"""Make a link that sets a new password."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.core.management.base import CommandParser

from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Print a link by which somebody sets a new password for their account: for sites without "
        "a mail server, and for the first password of an account that was made without one. It is "
        "good for one day and one use, and ends when the password changes or the person signs in. "
        "Give it to that person alone: who has it has the account."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
        self.stdout.write(get_adapter().get_reset_password_from_key_url(key))
