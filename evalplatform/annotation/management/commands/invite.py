"""Make links that each let one person take part."""

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation.doors.invitations import invitations_csv
from evalplatform.annotation.services import invite
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Command(PlatformCommand):
    help = (
        'Invite people to a campaign whose rules say door = "invitations": write a CSV of links, '
        "each good for one person. Links are shown here alone, since the site keeps their hashes; "
        "a list that was lost is revoked (`manage.py invitations`) and made anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        how_many = parser.add_mutually_exclusive_group(required=True)
        how_many.add_argument("--count", type=int, metavar="N", help="so many links")
        how_many.add_argument(
            "--for", type=Path, metavar="FILE", dest="labels",
            help="one link for each line of this text file; the line is its label",
        )  # fmt: skip
        parser.add_argument(
            "--expires", metavar="14d", help="unused links end after so many hours (36h), days "
            "(14d) or weeks (2w); without it never",
        )  # fmt: skip
        parser.add_argument(
            "--to",
            type=Path,
            metavar="FILE",
            help="write the CSV here, a new file, not to the screen",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        now = timezone.now()
        labels = [""] * options["count"] if options["labels"] is None else _lines(options["labels"])
        expires_at = _expiry(options["expires"], now)
        target: Path | None = options["to"]
        if target is not None and target.exists():
            raise BadInputError(f"{target} is there already; give the name of a new file.")
        made = invite(campaign=campaign, labels=labels, now=now, expires_at=expires_at)
        link = site_link(reverse("annotation:work", args=[campaign.invitation]))
        table = invitations_csv(made, link)
        if target is None:
            self.stdout.write(table, ending="")
            return
        with target.open("x", encoding="utf-8") as file:
            target.chmod(0o600)  # whoever reads it can take part
            file.write(table)
        self.stdout.write(f"{campaign.slug}: {len(made):,} invitations written to {target}")


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _expiry(given: str | None, now: datetime) -> datetime | None:
    if given is None:
        return None
    parts = re.fullmatch(r"([1-9]\d{0,3})([hdw])", given)
    if parts is None:
        raise BadInputError(
            f"--expires {given!r}: give hours, days or weeks, such as 36h, 14d or 2w."
        )
    return now + timedelta(**{_UNITS[parts[2]]: int(parts[1])})
