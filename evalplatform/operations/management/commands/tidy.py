"""List, or remove, what may go from the disk."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.core.commands import PlatformCommand
from evalplatform.operations.tidying import removable, remove


class Command(PlatformCommand):
    help = (
        "List what takes room and may go: thumbnails, downloads from hubs that nobody registered "
        "for a week, and what was sent by somebody whose account is gone; --yes removes it. What "
        "samples, campaigns and checkpoints name is never touched. See docs/sizing.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="remove it, instead of listing it")

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        for found in removable():
            total += found.bytes
            if options["yes"]:
                remove(found)
            self.stdout.write(f"{found.bytes / 2**20:10,.1f} MiB  {found.path}: {found.why}")
        done = "removed" if options["yes"] else "can go; --yes removes it"
        self.stdout.write(f"{total / 2**20:10,.1f} MiB  {done}")
