"""Let an arm join a campaign that is open."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.campaigns.transparent_arms import ground_caution
from evalplatform.core.commands import PlatformCommand
from evalplatform.runs.management.generation_wait import wait_for_samples
from evalplatform.runs.management.opening_bars import OpeningBars
from evalplatform.runs.management.safety_wait import wait_for_checks
from evalplatform.runs.services import add_arm, arm_named, newcomers_pictures, request_newcomer


class Command(PlatformCommand):
    help = (
        "Add an arm to an open campaign: have its samples made, then let it meet the arms that are "
        "there. It is served with them until it has its votes; the protocol records it as an "
        "amendment. Interrupted, the same command goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of an open campaign")
        parser.add_argument("arm", help="registered checkpoint, or image collection")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        maker = arm_named(options["arm"], campaign.project)
        samples = request_newcomer(campaign=campaign, maker=maker)
        if samples:
            wait_for_samples(samples, campaign.slug)
        if campaign.checked_rules.safety.threshold is not None:
            wait_for_checks(campaign, newcomers_pictures(campaign, maker))
        before = campaign.item_count
        with OpeningBars() as bars:
            arm = add_arm(
                campaign=campaign,
                maker=maker,
                now=timezone.now(),
                on_packed=bars.on_packed,
                on_images=bars.on_images,
                on_slots=bars.on_slots,
            )
        self.stdout.write(
            f"{arm.name} joined {campaign.slug} as {arm.letter}: {campaign.item_count - before:,} "
            f"items more, protocol {campaign.protocol_sha256[:12]}"
        )
        if caution := ground_caution(campaign):
            self.stderr.write(caution)
