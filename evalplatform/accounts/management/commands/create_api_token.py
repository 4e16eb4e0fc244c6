"""Make an API token."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.accounts.projects import project_named
from evalplatform.accounts.services import user_named
from evalplatform.accounts.tokens import MOST_DAYS, Scope, create_api_token
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError


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

        parser.add_argument(
            "--scope", action="append", choices=Scope.values, metavar="SCOPE", dest="scopes",
            help=f"what it may be used for, may be repeated: {', '.join(Scope.values)} "
            "(default: read)",
        )  # fmt: skip
        parser.add_argument(
            "--project", metavar="NAME", help="the only project it acts in (default: all of theirs)"
        )
        parser.add_argument(
            "--days", type=int, metavar="N", help="it expires after so many (default: never)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, days = timezone.now(), options["days"]
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise BadInputError(f"--days {days} is out of range; accepted: 1 to {MOST_DAYS:,}.")
        _, secret = create_api_token(
            user=user_named(options["user"]),
            label=options["label"],
            scopes=options["scopes"] or [Scope.READ],
            project=project_named(options["project"]) if options["project"] else None,
            expires_at=now + timedelta(days=days) if days else None,
            now=now,
        )
        self.stdout.write(secret)
