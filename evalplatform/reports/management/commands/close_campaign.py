"""Close a campaign."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.tallies.selectors import vote_counts


class Command(PlatformCommand):
    help = (
        "Close an open campaign: annotators see that the study has ended. Votes stay; an answer "
        "that arrives later is kept aside and not counted. Says how many votes are missing then."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        if not close_campaign(campaign=campaign):
            raise BadInputError(
                f"campaign {campaign.slug!r} is {campaign.status}; only an open one can be closed."
            )
        votes = vote_counts([campaign])[campaign.pk]
        missing = (
            f"; {votes.votes_missing:,} of {votes.votes_wanted:,} votes are missing"
            if votes.votes_missing
            else ""
        )
        self.stdout.write(f"{campaign.slug} is closed{missing}")
