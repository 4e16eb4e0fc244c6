"""Retire an image collection, or take it back into use."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.images.selectors import collection_named
from evalplatform.images.services import restore_collection, retire_collection


class Command(PlatformCommand):
    help = (
        "Retire an image collection: no new campaign can take it. Its images stay, and a campaign "
        "that shows them goes on to its end. --restore takes it back into use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("collection", help="its name")
        parser.add_argument("--restore", action="store_true", help="take it back into use")
        parser.add_argument("--by", metavar="USER", help="record this user as who retired it")

    def handle(self, *args: Any, **options: Any) -> None:
        collection = collection_named(options["collection"])
        if options["restore"]:
            if not restore_collection(collection=collection):
                raise BadInputError(f"collection {collection.name!r} is not retired.")
            self.stdout.write(f"{collection.name} is in use again")
            return
        user = user_named(options["by"]) if options["by"] else None
        if not retire_collection(collection=collection, user=user, now=timezone.now()):
            raise BadInputError(f"collection {collection.name!r} is retired already.")
        self.stdout.write(f"{collection.name} is retired")
