"""Save everything the installation holds into a folder."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from tqdm import tqdm

from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.operations.backup.folder import BackupManifest
from evalplatform.operations.backup.saving import save
from evalplatform.operations.backup.verifying import verify


class Command(PlatformCommand):
    help = (
        "Save the database, the image store, the registered checkpoints and the secret key into "
        "DIR, while the site runs. Given the same DIR again it copies only what is new and "
        "replaces the dump; interrupted, the same command goes on. DIR is for its owner alone: "
        "it holds personal data and the key. `manage.py restore DIR` brings it back. "
        "See docs/backup.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, metavar="DIR", help="the backup's folder")
        parser.add_argument(
            "--verify", type=Path, metavar="DIR",
            help="read a backup again: every file against its hash, the dump by pg_restore; with "
            "--out of the same DIR after saving",
        )  # fmt: skip
        parser.add_argument(
            "--without-secret", action="store_true",
            help="leave the key out, e.g. where it is kept elsewhere; the backup then opens no "
            "one-time codes",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        out, check = options["out"], options["verify"]
        if out is None and check is None:
            raise BadInputError("give --out DIR to save, or --verify DIR to read one again.")
        if out is not None:
            with tqdm(unit="B", unit_scale=True, desc="saving", disable=None) as bar:
                manifest = save(
                    folder=out, now=timezone.now(), with_secret=not options["without_secret"],
                    progress=lambda count: (bar.update(count), None)[1],
                )  # fmt: skip
            self.stdout.write(f"saved into {out}: {summary(manifest)}")
            if manifest.missing_objects:
                self.stderr.write(
                    f"{counted(len(manifest.missing_objects), 'image')} that rows name are not "
                    "in the store, "
                    f"the first is {manifest.missing_objects[0]}; they are listed in backup.json."
                )
        if check is not None:
            with tqdm(unit="B", unit_scale=True, desc="reading", disable=None) as bar:
                manifest = verify(folder=check, progress=lambda count: (bar.update(count), None)[1])
            self.stdout.write(f"whole: {summary(manifest)}")


def summary(manifest: BackupManifest) -> str:
    """Return what a backup holds in one line."""
    rows = manifest.rows
    return (
        f"{counted(rows['campaigns.Campaign'], 'campaign')}, "
        f"{counted(rows['annotation.Vote'], 'vote')}, "
        f"{counted(manifest.objects, 'image')}, {counted(manifest.checkpoints, 'checkpoint')}, "
        f"{manifest.bytes / 2**20:,.1f} MiB, of {manifest.created_at[:19]}Z"
    )
