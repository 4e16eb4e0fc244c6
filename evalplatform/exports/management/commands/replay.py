"""Compute an export's numbers again from its files alone."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from evalplatform.core.commands import PlatformCommand
from evalplatform.exports.replaying.comparing import replay


class Command(PlatformCommand):
    help = (
        "Compute every number of an export's results.json again from the files in its folder, "
        "without a database, and compare them to the last digit. Exits with 1 at a difference."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("export", type=Path, help="folder of a whole export")

    def handle(self, *args: Any, **options: Any) -> None:
        found = replay(options["export"])
        if found.difference:
            raise CommandError(f"not the same: {found.difference}", returncode=1)
        self.stdout.write(
            f"{found.campaign}: {found.numbers:,} numbers computed again from {found.votes:,} "
            "votes, all the same to the last digit."
        )
