"""Retire a checkpoint, or take it back into use. With campaigns, because it names them."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.accounts.services import user_named
from evalplatform.campaigns.selectors import campaigns_running_on
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.checkpoints.services import restore_checkpoint, retire_checkpoint
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError


class Command(PlatformCommand):
    help = (
        "Retire a checkpoint: no new campaign can take it. Its files, samples and campaigns stay, "
        "and a campaign that runs on it goes on to its end. --restore takes it back into use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("checkpoint", help="registered name")
        parser.add_argument("--restore", action="store_true", help="take it back into use")
        parser.add_argument("--by", metavar="USER", help="record this user as who retired it")

    def handle(self, *args: Any, **options: Any) -> None:
        checkpoint = registered_checkpoint(options["checkpoint"])
        if options["restore"]:
            if not restore_checkpoint(checkpoint=checkpoint):
                raise BadInputError(f"checkpoint {checkpoint.name!r} is not retired.")
            self.stdout.write(f"{checkpoint.name} is in use again")
            return
        user = user_named(options["by"]) if options["by"] else None
        if not retire_checkpoint(checkpoint=checkpoint, user=user, now=timezone.now()):
            raise BadInputError(f"checkpoint {checkpoint.name!r} is retired already.")
        running = ", ".join(each.slug for each in campaigns_running_on(checkpoint))
        going_on = f"; still running on it: {running}" if running else ""
        self.stdout.write(f"{checkpoint.name} is retired{going_on}")
