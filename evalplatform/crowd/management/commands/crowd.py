"""Prolific's people: where their submissions stand, and what they are paid."""

import os
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.crowd.prolific_api import ProlificApi
from evalplatform.crowd.review_file import APPROVE, LOOK, read_review, write_review
from evalplatform.crowd.reviewing import rows_to_review
from evalplatform.crowd.selectors import refuse_other_platforms
from evalplatform.crowd.services import clear_uncertain, settle, sync_submissions

MOST_BONUS = "20.00"
_EVERY = 25  # lines of progress


class Command(PlatformCommand):
    help = (
        "Work with a campaign's people on Prolific: sync reads where their submissions stand and "
        "frees what those hold who left; review writes a list to edit; settle sends what the "
        "edited list says. Nothing is approved or paid but by settle --yes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        sync = verbs.add_parser("sync", help="read the submissions from Prolific")
        sync.add_argument("campaign", help="name of the campaign")
        sync.add_argument(
            "--study", action="append", metavar="ID", help="of this study; may be repeated"
        )
        review = verbs.add_parser("review", help="write the list to review as CSV")
        review.add_argument("campaign", help="name of the campaign")
        review.add_argument("--output", type=Path, help="file to write; CAMPAIGN-review.csv")
        send = verbs.add_parser("settle", help="send what a reviewed list says")
        send.add_argument("file", type=Path, help="the list, as it was edited")
        send.add_argument("--yes", action="store_true", help="send it; otherwise it is counted")
        send.add_argument(
            "--most-bonus", default=MOST_BONUS, help="a higher bonus is refused (%(default)s)"
        )
        send.add_argument(
            "--uncertain",
            choices=["paid", "unpaid"],
            help="what Prolific shows of bonuses whose payment broke off",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["verb"])(options)

    def sync(self, options: dict[str, Any]) -> None:
        """Read where submissions stand."""
        campaign = campaign_named(options["campaign"])
        refuse_other_platforms(campaign)  # before a token is asked for that would not help
        synced = sync_submissions(
            campaign=campaign, api=ProlificApi(), studies=options["study"], now=timezone.now()
        )
        states = ", ".join(f"{n} {name.lower()}" for name, n in sorted(synced.by_status.items()))
        self.stdout.write(
            f"{campaign.slug}: {synced.by_status.total()} submissions ({states or 'none'}), "
            f"{synced.never_began} of people who never began; {synced.left} left since, "
            f"{counted(synced.freed, 'item')} freed"
        )

    def review(self, options: dict[str, Any]) -> None:
        """Write the list to review."""
        campaign = campaign_named(options["campaign"])
        rows = rows_to_review(campaign)
        path: Path = options["output"] or Path(f"{campaign.slug}-review.csv")
        _write_new(path, write_review(rows))
        suggested = [row.action for row in rows]
        self.stdout.write(
            f"{path}: {len(rows)} submissions, {suggested.count(APPROVE)} suggested to approve, "
            f"{suggested.count(LOOK)} to look at. Edit action and bonus, then: manage.py crowd "
            f"settle {path}"
        )

    def settle(self, options: dict[str, Any]) -> None:
        """Send what a reviewed list says."""
        if options["uncertain"] and not options["yes"]:
            raise BadInputError("--uncertain goes with --yes, as it is kept; give both.")
        most = _amount(options["most_bonus"])
        name, decisions = read_review(options["file"], most_bonus=most)
        campaign = campaign_named(name)
        api = ProlificApi() if options["yes"] else None
        if options["uncertain"] and api:
            cleared = clear_uncertain(campaign=campaign, were_paid=options["uncertain"] == "paid")
            self.stdout.write(
                f"{counted(cleared, 'bonus', 'bonuses')} taken as {options['uncertain']}"
            )
        done = settle(
            campaign=campaign, decisions=decisions, api=api, on_progress=self._tell_progress
        )
        did = "sent" if api else "to send"
        self.stdout.write(
            f"{campaign.slug}: {counted(done.approved, 'approval')} {did} "
            f"({done.approved_before} before), {counted(done.paid, 'bonus', 'bonuses')} {did} "
            f"({done.paid_before} before), {done.amount:.2f} in all"
        )
        for who, why in done.refused.items():
            self.stderr.write(f"{who}: {why}")
        if api is None:
            self.stdout.write("Nothing was sent; --yes sends it.")

    def _tell_progress(self, done: int, total: int) -> None:
        if done % _EVERY == 0 or done == total:
            self.stdout.write(f"{done} of {total}")


def _write_new(path: Path, text: str) -> None:
    """Write a file that only its owner reads, as it holds ids of people; whole or not at all."""
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadInputError(
            f"{path} is there, perhaps edited; move it away, or give --output."
        ) from error
    try:
        with open(opened, "w", encoding="utf-8") as file:
            file.write(text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _amount(given: str) -> Decimal:
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount >= 0):
        raise BadInputError(f"--most-bonus {given!r} is no amount; write one such as 30.00.")
    return amount
