"""Pause a campaign, or let it go on."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.campaigns.services import pause_campaign, resume_campaign
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError


class Command(PlatformCommand):
    help = (
        "Pause an open campaign: no more pairs are given out and annotators are told so; answers "
        "to pairs they have before them still count. --resume opens it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument("--resume", action="store_true", help="open a paused campaign again")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        change, needed = (
            (resume_campaign, "a paused") if options["resume"] else (pause_campaign, "an open")
        )
        if not change(campaign=campaign):
            raise BadInputError(
                f"campaign {campaign.slug!r} is {campaign.status}; only {needed} one can be "
                f"{'resumed' if options['resume'] else 'paused'}."
            )
        self.stdout.write(f"{campaign.slug} is {'open' if options['resume'] else 'paused'}")
