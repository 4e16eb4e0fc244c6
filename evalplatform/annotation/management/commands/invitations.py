"""List a campaign's invitations, and revoke those that nobody has used."""

import re
from collections import Counter
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.annotation.doors.invitations import (
    InvitationLine,
    InvitationState,
    invitation_lines,
)
from evalplatform.annotation.services import revoke_invitations
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand, add_for_excel
from evalplatform.core.csv_text import csv_text
from evalplatform.core.errors import BadInputError

_COLUMNS = ("number", "label", "state", "made", "ends", "used")


class Command(PlatformCommand):
    help = (
        "List a campaign's invitations as CSV: number, label, state, when made, ending and used. "
        "--revoke lets unused ones enrol nobody any more; whoever began by one goes on. No output "
        "ties a label to a pseudonym."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument(
            "--state", choices=[each.value for each in InvitationState], help="only these"
        )
        parser.add_argument(
            "--revoke", metavar="NUMBERS", help="numbers and ranges such as 3,7-9, or `unused`"
        )
        add_for_excel(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        if options["revoke"]:
            self._revoke(campaign, options["revoke"])
            return
        records = (
            _record(each)
            for each in invitation_lines(campaign, timezone.now())
            if options["state"] in (None, each.state.value)
        )
        text = csv_text(_COLUMNS, records, for_excel=options["for"] == "excel")
        self.stdout.write(text, ending="")

    def _revoke(self, campaign: Campaign, given: str) -> None:
        now = timezone.now()
        numbers = None if given == "unused" else _numbers(given)
        revoked = revoke_invitations(campaign=campaign, now=now, numbers=numbers)
        counts = Counter(each.state.value for each in invitation_lines(campaign, now))
        there = ", ".join(f"{counts[each.value]:,} {each.value}" for each in InvitationState)
        self.stdout.write(f"{campaign.slug}: {revoked:,} invitations revoked; now {there}")


def _record(line: InvitationLine) -> dict[str, Any]:
    times = {"made": line.created_at, "ends": line.expires_at, "used": line.used_at}
    return {
        "number": line.number,
        "label": line.label,
        "state": line.state.value,
        **{name: f"{at:%Y-%m-%d %H:%M}" if at else "" for name, at in times.items()},
    }


def _numbers(given: str) -> set[int]:
    numbers: set[int] = set()
    for part in given.split(","):
        ends = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", part)
        if ends is None:
            raise BadInputError(
                f"--revoke {given[:40]!r}: give numbers and ranges such as 3,7-9, or `unused`."
            )
        numbers |= set(range(int(ends[1]), int(ends[2] or ends[1]) + 1))
    return numbers
