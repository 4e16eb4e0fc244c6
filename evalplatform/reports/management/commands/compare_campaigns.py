"""Compare the preferences found in two campaigns."""

import json
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.reports.comparison import compare_campaigns, comparison_json, comparison_table


class Command(PlatformCommand):
    help = (
        "Compare two campaigns on each criterion that both ask: is the preference for A stronger "
        "in the first than in the second? Prompts and annotators that took part in both are "
        "accounted for, so the interval of the difference is not that of two separate studies."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("first", help="name of a campaign")
        parser.add_argument("second", help="name of another campaign")
        parser.add_argument(
            "--format", choices=("table", "json"), default="table", help="(default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        comparison = compare_campaigns(
            campaign_named(options["first"]), campaign_named(options["second"])
        )
        if options["format"] == "json":
            text = json.dumps(comparison_json(comparison), indent=2, ensure_ascii=False) + "\n"
        else:
            text = comparison_table(comparison)
        self.stdout.write(text, ending="")
