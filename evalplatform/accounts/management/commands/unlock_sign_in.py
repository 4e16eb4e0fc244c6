"""Let an account sign in again."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.lockout import unlock
from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Let an account sign in again that was locked after wrong passwords or codes "
        "(SIGN_IN_FAILURES, SIGN_IN_LOCK_MINUTES). Without this it is let in by itself when the "
        "time is over, and by a new password from a link. It changes nothing else: who is locked "
        "in the admin (an account that is not active) stays so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        places = unlock(username=user.get_username())
        if places:
            self.stdout.write(f"{user} may try again: wrong tries are forgotten.")
        else:
            self.stdout.write(f"{user} had no wrong tries to forget.")
