"""Score a campaign's images by a reward, and show it beside the votes."""

import time
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.models import RegisteredReward
from evalplatform.feedback.scored import images_of, reward_coverage
from evalplatform.feedback.selectors import reward_named
from evalplatform.feedback.services import hide_reward, show_reward
from evalplatform.feedback.services.scoring import wake_for_scores

_PAUSE = 1.0  # seconds between two looks


class Command(PlatformCommand):
    help = (
        "Score a campaign's images by a registered reward (workers do it), and show on its Results "
        "tab where reward and people agree, what the reward says itself, and both together "
        "(docs/feedback.md). No result changes. Asked again, it goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument("--reward", required=True, metavar="NAME", help="a registered reward")
        parser.add_argument(
            "--no-wait", action="store_true", help="ask the workers, and do not wait for them"
        )
        parser.add_argument(
            "--hide", action="store_true", help="show it no longer; its scores are kept"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        reward = reward_named(options["reward"], campaign.project)
        if options["hide"]:
            was = hide_reward(campaign=campaign, reward=reward)
            self.stdout.write(f"{reward} is {'no longer' if was else 'not'} shown beside the votes")
            return
        show_reward(campaign=campaign, reward=reward, now=timezone.now())
        if not options["no_wait"]:
            self._wait(campaign, reward)
        self.stdout.write(f"{reward} is shown on the Results tab of {campaign.slug}")

    def _wait(self, campaign: Campaign, reward: RegisteredReward) -> None:
        images, said = images_of(campaign), -1
        while True:
            found = reward_coverage(reward, images)
            if found.scored != said:
                said = found.scored
                self.stdout.write(f"{found.scored:,} of {found.total:,} images scored")
            if found.is_complete:
                return
            if not found.requested:
                raise BadInputError(
                    f"{'; '.join(found.failures) or 'scores are missing'}. Mend that, then run the "
                    "command again."
                )
            wake_for_scores(reward=reward, now=timezone.now())
            time.sleep(_PAUSE)
