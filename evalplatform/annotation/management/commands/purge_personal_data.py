"""Remove who annotators are, once its time is over."""

import re
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.annotation.services import purge_personal_data
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted


class Command(PlatformCommand):
    help = (
        "Remove who annotators are from campaigns that were closed long enough ago: ids on crowd "
        "platforms, sessions, answers to questionnaires, personal links. Votes stay, under "
        "pseudonyms: no figure changes. Campaigns that are not closed are left alone, since their "
        "people may come back; so is who has a payment on its way. Also removes sessions of "
        "browsers whose time is over, and does what `forget_places` does. Without --yes "
        "it only says what would go. Run it daily."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            default=f"{settings.PERSONAL_DATA_DAYS}d",
            metavar="DAYSd",
            help="days since the campaign was closed, such as 90d (default: %(default)s)",
        )
        parser.add_argument("--campaign", help="of this campaign alone")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        age = days_of(options["older_than"])
        name = options["campaign"]
        purged = purge_personal_data(
            now=timezone.now(),
            age=age,
            campaign=campaign_named(name) if name else None,
            dry_run=not options["yes"],
        )
        verb = "removed" if options["yes"] else "would remove"
        self.stdout.write(
            f"{verb}: who {counted(purged.people, 'annotator is', 'annotators are')}, "
            f"{counted(purged.visits, 'visit')}, "
            f"{counted(purged.questionnaires, 'questionnaire')} (campaigns closed "
            f"{counted(age.days, 'day')} ago or earlier); votes stay"
        )
        if not options["yes"]:
            self.stdout.write("nothing was changed; do it with --yes")


def days_of(given: str) -> timedelta:
    """Return the time of `90d`. Raises `BadInputError`."""
    if not re.fullmatch(r"\d{1,4}d", given):
        raise BadInputError(f"--older-than {given[:20]!r} is no number of days; write e.g. 90d.")
    return timedelta(days=int(given[:-1]))
