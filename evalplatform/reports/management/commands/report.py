"""Print or write a campaign's results."""

import json
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand, add_for_excel
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_pieces
from evalplatform.reports.cached import results_of
from evalplatform.reports.csv_files import checks_csv, groups_csv, samples_csv, withheld_csv
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.table import WIDTH, results_table
from evalplatform.reports.votes_csv import votes_csv

FORMATS = ("table", "json", "csv", "checks", "groups", "samples", "withheld", "html")


_CSV = {
    "checks": checks_csv,
    "groups": groups_csv,
    "samples": samples_csv,
    "withheld": withheld_csv,
}


class Command(PlatformCommand):
    help = (
        "Report a campaign: win / tie / lose with confidence intervals per criterion and prompt "
        "set. table: for reading; json: every number with its method; csv: every vote, "
        "those that do not count marked; checks: every answer to gold or a repeat, as CSV; "
        "groups: every estimate by prompt set, category and challenge, as CSV; "
        "samples: every image shown, with its prompt and how much of it was read, as CSV; "
        "withheld: every image that the safety filter kept from annotators, as CSV; "
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
        add_for_excel(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        campaign, output = campaign_named(options["campaign"]), options["output"]
        for_excel = options["for"] == "excel"
        if for_excel and options["format"] not in ("csv", *_CSV):
            raise BadInputError(
                f"--for excel is for CSV, --format {options['format']} is none; CSV are csv, "
                f"{', '.join(_CSV)}."
            )
        if options["format"] == "csv":
            pieces = votes_csv(campaign, for_excel=for_excel)
        else:
            text = render(results_of(campaign), options["format"], for_excel=for_excel)
            pieces = iter([text.encode()])
        if output:
            write_pieces(output, pieces)
            self.stdout.write(f"wrote {output}")
            return
        for piece in pieces:
            self.stdout.write(piece.decode(), ending="")


def render(results: CampaignResults, format: str, *, for_excel: bool = False) -> str:
    """Return the report in one of `FORMATS`."""
    if format == "json":
        return json.dumps(results_json(results), indent=2, ensure_ascii=False) + "\n"
    if format == "csv":
        return b"".join(votes_csv(results.campaign, for_excel=for_excel)).decode()
    if format == "html":
        return offline_dashboard(results)
    if format in _CSV:
        return _CSV[format](results, for_excel=for_excel)
    return results_table(results, width=shutil.get_terminal_size((WIDTH, 0)).columns)
