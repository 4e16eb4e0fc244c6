"""Make a campaign's gold pairs before it opens."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Count
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evalplatform.campaigns.models import Campaign, GoldPair
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.quality.services import clear_gold_pairs, import_gold_pairs, make_gold_pairs
from evalplatform.quality.sheet import gold_sheet

DEFAULTS = {"examples": 2, "qualification": 5, "checks": 20}
_PURPOSES = {
    "examples": GoldPair.Purpose.EXAMPLE,
    "qualification": GoldPair.Purpose.QUALIFICATION,
    "checks": GoldPair.Purpose.CHECK,
}
_MOST = 10_000


class Command(PlatformCommand):
    help = (
        "Make gold pairs, of which one image is clearly better: worked examples, a qualification "
        "and hidden checks. They are made from the campaign's own samples (a damaged copy; the "
        "sample of another prompt), or read from a file. Run it after generation and before the "
        "campaign opens. What is there stays: run it again with larger counts to add."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        for name, default in DEFAULTS.items():
            parser.add_argument(
                f"--{name}",
                type=int,
                metavar="N",
                help=f"pairs per criterion, those of a file among them; what is missing is made "
                f"(default: {default}; with --from: 0)",
            )
        parser.add_argument(
            "--from",
            dest="file",
            type=Path,
            metavar="FILE",
            help="TSV with the columns criterion, purpose (example, qualification, check), prompt, "
            "better, worse (image files relative to it) and why",
        )

        parser.add_argument(
            "--sheet",
            type=Path,
            metavar="HTML",
            help="also write all gold pairs into one file to look at: is each clearly decided?",
        )
        parser.add_argument(
            "--clear", action="store_true", help="remove the campaign's gold pairs and make none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        if options["clear"]:
            removed = clear_gold_pairs(campaign=campaign)
            self.stdout.write(f"{campaign.slug}: {removed} gold pairs removed")
            return
        counts = _counts(options)
        made = 0
        if options["file"]:
            made += import_gold_pairs(campaign=campaign, path=options["file"])
        columns = (TextColumn("gold pairs"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            total = sum(counts.values()) * campaign.criteria.count()
            task = bar.add_task("", total=total)
            made += make_gold_pairs(
                campaign=campaign, counts=counts, on_made=lambda: bar.advance(task)
            )
        self.stdout.write(f"{campaign.slug}: {made} gold pairs made; there are now")
        for line in _stock(campaign):
            self.stdout.write(f"  {line}")
        if options["sheet"]:
            write_whole(options["sheet"], gold_sheet(campaign))
            self.stdout.write(f"wrote {options['sheet']}")


def _counts(options: dict[str, Any]) -> dict[str, int]:
    counts = {}
    for name, purpose in _PURPOSES.items():
        given = options[name]
        if given is not None and not 0 <= given <= _MOST:
            raise BadInputError(f"--{name} {given} is out of range; accepted: 0 to {_MOST:,}.")
        default = 0 if options["file"] else DEFAULTS[name]
        counts[purpose.value] = default if given is None else given
    return counts


def _stock(campaign: Campaign) -> list[str]:
    """Return one line per criterion and purpose."""
    counted = (
        campaign.gold_pairs.order_by("criterion__position", "purpose")
        .values_list("criterion__kind", "purpose")
        .annotate(count=Count("pk"))
    )
    return [f"{kind}: {count} × {purpose}" for kind, purpose, count in counted]
