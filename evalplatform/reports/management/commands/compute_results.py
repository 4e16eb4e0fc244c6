"""Compute a campaign's results for its page, where they have changed."""

import os
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.models import Campaign
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.reports.cached import compute_if_changed

_GIVES_WAY = 10


class Command(PlatformCommand):
    help = (
        "Compute a campaign's results for its page, where they have changed and nobody does it "
        "already. The site runs this by itself; so does a worker."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="its name")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(slug=options["campaign"]).first()
        if campaign is None:
            raise BadInputError(f"no campaign {options['campaign']!r}; see `manage.py report`.")
        os.nice(_GIVES_WAY)
        done = compute_if_changed(campaign)
        self.stdout.write("computed" if done else "nothing has changed, or somebody computes it")
