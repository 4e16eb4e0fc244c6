"""Make an installation hold what a backup holds."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from evalplatform.core.commands import PlatformCommand
from evalplatform.operations.backup.restoring import restore
from evalplatform.operations.management.commands.backup import summary


class Command(PlatformCommand):
    help = (
        "Restore what `manage.py backup` saved: images and checkpoints, then the database in one "
        "transaction, then the secret key; migrations of a newer version are applied. Every file "
        "is held against its hash first. Interrupted, the same command goes on. It refuses an "
        "installation that holds data, unless --replace says so, and one that somebody uses. "
        "See docs/backup.md."
    )
    # It works where there are no tables yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument(
            "--replace", action="store_true",
            help="lose what the database of this installation holds now",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        with tqdm(unit="B", unit_scale=True, desc="restoring", disable=None) as bar:
            restored = restore(
                folder=options["folder"], replace=options["replace"],
                progress=lambda count: (bar.update(count), None)[1],
            )  # fmt: skip
        self.stdout.write(f"restored: {summary(restored.manifest)}")
        for note in restored.notes:
            self.stdout.write(f"note: {note}")
