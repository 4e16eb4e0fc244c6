"""Who did how much, for paying them."""

import csv
import sys
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.annotation.selectors import roster
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "List a campaign's annotators as CSV: platform, platform id, pseudonym, pairs judged, "
        "status. This is the only output that ties a pseudonym to a platform id."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")

    def handle(self, *args: Any, **options: Any) -> None:
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(["platform", "external_id", "pseudonym", "judged", "status"])
        table.writerows(roster(campaign_named(options["campaign"])))
