"""Make a campaign's gold before it opens."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evalplatform.campaigns.models import Criterion, ImageSet
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.words import counted
from evalplatform.quality.gold import no_recipe
from evalplatform.quality.selectors import gold_stock
from evalplatform.quality.services import (
    MOST_GOLD,
    USUAL_GOLD,
    clear_gold,
    criteria_with_gold,
    import_gold,
    make_gold,
)
from evalplatform.quality.sheet import gold_sheet

_PURPOSES = {
    "examples": ImageSet.Purpose.EXAMPLE,
    "qualification": ImageSet.Purpose.QUALIFICATION,
    "checks": ImageSet.Purpose.CHECK,
}


class Command(PlatformCommand):
    help = (
        "Make gold, image sets of which one image is clearly best (one image alone is clearly "
        "bad): worked examples, a qualification and hidden checks. It is made from the campaign's "
        "own samples (damaged copies; samples of other prompts), or read from a file. Run it after "
        "generation and before the campaign opens. What is there stays: run it again with larger "
        "counts to add."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        for name, purpose in _PURPOSES.items():
            parser.add_argument(
                f"--{name}",
                type=int,
                metavar="N",
                help=f"sets per criterion, those of a file among them; what is missing is made "
                f"(default: {USUAL_GOLD[purpose]}; with --from: 0)",
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
            help="also write all gold into one file to look at: is each clearly decided?",
        )
        parser.add_argument(
            "--clear", action="store_true", help="remove the campaign's gold and make none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        if options["clear"]:
            removed = clear_gold(campaign=campaign)
            self.stdout.write(f"{campaign.slug}: {counted(removed, 'gold set')} removed")
            return
        counts = _counts(options)
        made = 0
        if options["file"]:
            made += import_gold(campaign=campaign, path=options["file"])
        columns = (TextColumn("gold"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            total = sum(counts.values()) * len(criteria_with_gold(campaign))
            task = bar.add_task("", total=total)
            made += make_gold(campaign=campaign, counts=counts, on_made=lambda: bar.advance(task))
        self.stdout.write(f"{campaign.slug}: {counted(made, 'gold set')} made; there are now")
        for (slug, purpose), count in gold_stock(campaign).items():
            self.stdout.write(f"  {slug}: {count} × {purpose}")
        for criterion in campaign.criteria.filter(gold=Criterion.Gold.NONE):
            if any(counts.values()):
                by_command = " Your pairs come by --from." if criterion.shape.most == 2 else ""
                self.stderr.write(no_recipe(criterion) + by_command)
        if options["sheet"]:
            write_whole(options["sheet"], gold_sheet(campaign))
            self.stdout.write(f"wrote {options['sheet']}")


def _counts(options: dict[str, Any]) -> dict[str, int]:
    counts = {}
    for name, purpose in _PURPOSES.items():
        given = options[name]
        if given is not None and not 0 <= given <= MOST_GOLD:
            raise BadInputError(f"--{name} {given} is out of range; accepted: 0 to {MOST_GOLD:,}.")
        default = 0 if options["file"] else USUAL_GOLD[purpose]
        counts[purpose.value] = default if given is None else given
    return counts
