"""List a campaign's invitations, and revoke those that nobody has used."""

import csv
import re
from collections import Counter
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.annotation.invitations import InvitationState, invitation_lines
from evalplatform.annotation.services import revoke_invitations
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.spreadsheets import spreadsheet_safe


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

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        if options["revoke"]:
            self._revoke(campaign, options["revoke"])
            return
        table = csv.writer(self.stdout, lineterminator="")
        table.writerow(["number", "label", "state", "made", "ends", "used"])
        for each in invitation_lines(campaign, timezone.now()):
            if options["state"] in (None, each.state.value):
                times = (each.created_at, each.expires_at, each.used_at)
                table.writerow(
                    [each.number, spreadsheet_safe(each.label), each.state.value]
                    + [f"{at:%Y-%m-%d %H:%M}" if at else "" for at in times]
                )

    def _revoke(self, campaign: Campaign, given: str) -> None:
        now = timezone.now()
        numbers = None if given == "unused" else _numbers(given)
        revoked = revoke_invitations(campaign=campaign, now=now, numbers=numbers)
        counts = Counter(each.state.value for each in invitation_lines(campaign, now))
        there = ", ".join(f"{counts[each.value]:,} {each.value}" for each in InvitationState)
        self.stdout.write(f"{campaign.slug}: {revoked:,} invitations revoked; now {there}")


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
