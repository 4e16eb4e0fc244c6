"""Free the pairs of people who left."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.annotation.management.prolific_table import left_in_prolific_table
from evalplatform.annotation.selectors import enrolment_known_as
from evalplatform.annotation.services import give_back_work
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted


class Command(PlatformCommand):
    help = (
        "Free the pairs that annotators hold unanswered, because they returned the work or ran "
        "out of time on their platform. Without this a pair comes free when its lease runs out. "
        "Their votes keep counting, unless --exclude."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument(
            "--prolific",
            type=Path,
            metavar="CSV",
            help="Prolific's table of submissions: whoever is RETURNED or TIMED-OUT there",
        )
        parser.add_argument(
            "--annotator",
            action="append",
            default=[],
            metavar="ID",
            help="pseudonym or platform id; may be repeated",
        )
        parser.add_argument(
            "--exclude", action="store_true", help="their votes stop counting and are asked anew"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        names = list(options["annotator"])
        if options["prolific"]:
            names += left_in_prolific_table(options["prolific"])
        if not names:
            raise BadInputError("nobody named; give --prolific CSV or --annotator ID.")
        people = freed = 0
        now = timezone.now()
        for name in dict.fromkeys(names):
            enrolment = enrolment_known_as(campaign, name)
            if enrolment is None:
                self.stderr.write(f"{name}: never agreed to take part in {campaign.slug}")
                continue
            people += 1
            freed += give_back_work(enrolment=enrolment, now=now, is_excluded=options["exclude"])
        self.stdout.write(
            f"{campaign.slug}: {counted(people, 'annotator')}, {counted(freed, 'pair')} freed"
        )
