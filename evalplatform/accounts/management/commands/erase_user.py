"""Erase who somebody with an account is."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.erasing import ERASED, erase_user
from evalplatform.accounts.models import ApiToken
from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Close an account and erase who it belonged to: user name, names, mail address, password, "
        "codes, API tokens, sessions, ties to an identity provider, memberships. What the account "
        "made stays, as made by `erased-NUMBER`; the audit log, of which nothing is removed, keeps "
        "the user name. Without --yes it only says what would go. The last owner of a project is "
        "refused: make somebody else an owner first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of the account")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        was = user.get_username()
        tokens = ApiToken.objects.filter(user=user).count()
        projects = ", ".join(str(each.project) for each in user.memberships.all())
        verb = "erased" if options["yes"] else "would erase"
        if options["yes"]:
            erase_user(user=user)
        self.stdout.write(
            f"{verb} {was}: the account is {ERASED}{user.pk}, closed; gone: {tokens} API tokens, "
            f"codes, sessions, memberships ({projects or 'none'}); what it made stays"
        )
        if not options["yes"]:
            self.stdout.write("nothing was changed; do it with --yes")
