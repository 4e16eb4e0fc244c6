"""Print or write a campaign's results."""

import json
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.files import write_whole
from evalplatform.reports.cached import results_of
from evalplatform.reports.csv_files import (
    checks_csv,
    filtered_csv,
    groups_csv,
    samples_csv,
    votes_csv,
)
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import CampaignResults
from evalplatform.reports.table import WIDTH, results_table

FORMATS = ("table", "json", "csv", "checks", "groups", "samples", "filtered", "html")


class Command(PlatformCommand):
    help = (
        "Report a campaign: win / tie / lose with confidence intervals per criterion and prompt "
        "set. table: for reading; json: every number with its method; csv: every vote, "
        "those that do not count marked; checks: every answer to a gold pair or a repeat, as CSV; "
        "groups: every estimate by prompt set, category and challenge, as CSV; "
        "samples: every prompt shown, with its images and how much of it was read, as CSV; "
        "filtered: every pair that the safety filter kept from annotators, as CSV; "
        "html: the dashboard as one file that opens offline."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument(
            "--format", choices=FORMATS, default="table", help="(default: %(default)s)"
        )
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write here instead of printing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        results = results_of(campaign_named(options["campaign"]))
        text = render(results, options["format"])
        if options["output"]:
            write_whole(options["output"], text)
            self.stdout.write(f"wrote {options['output']}")
        else:
            self.stdout.write(text, ending="")


def render(results: CampaignResults, format: str) -> str:
    """Return the report in one of `FORMATS`."""
    if format == "json":
        return json.dumps(results_json(results), indent=2, ensure_ascii=False) + "\n"
    if format == "csv":
        return votes_csv(results)
    if format == "checks":
        return checks_csv(results)
    if format == "groups":
        return groups_csv(results)
    if format == "samples":
        return samples_csv(results)
    if format == "filtered":
        return filtered_csv(results)
    if format == "html":
        return offline_dashboard(results)
    return results_table(results, width=shutil.get_terminal_size((WIDTH, 0)).columns)
