"""Remove what tells where annotators began, once its time is over."""

from typing import Any

from django.conf import settings
from django.utils import timezone

from evalplatform.annotation.services import forget_places
from evalplatform.core.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Remove the keyed hashes of addresses and browsers from enrolments older than "
        "PLACES_KEPT_DAYS, and counts of tries whose time is over. Run it daily."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = forget_places(now=timezone.now())
        self.stdout.write(
            f"{count:,} enrolments older than {settings.PLACES_KEPT_DAYS} days have no place now"
        )
