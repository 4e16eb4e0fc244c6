"""Switching a reward on beside a campaign's votes, and off; working out what is shown."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.beside_votes import beside_votes
from evalplatform.feedback.leaks import leak_of
from evalplatform.feedback.models import CampaignReward, RegisteredReward
from evalplatform.feedback.scored import images_of
from evalplatform.feedback.services.scoring import request_scores
from evalplatform.reports.fingerprint import fingerprint


def show_reward(
    *, campaign: Campaign, reward: RegisteredReward, now: datetime, by: User | None = None
) -> CampaignReward:
    """Show a reward beside a campaign's votes, and ask the workers for the scores that lack.

    Asked again, what failed is tried again. Raises `BadInputError` for a campaign that has not
    opened or whose images are not here, a reward of another project, one that knows none of the
    campaign's criteria, and one that learned from the campaign's votes.
    """
    if not campaign.is_frozen:
        raise BadInputError(f"{campaign.slug} has not opened yet, so there is nothing to score.")
    if reward.project_id != campaign.project_id:
        raise BadInputError(f"{reward} is of the project {reward.project}; {campaign.slug} is not.")
    asked = [each.slug for each in campaign.criteria.all() if each.shape.most > 1]
    if not set(asked) & set(reward.aspects):
        raise BadInputError(
            f"{reward} knows {', '.join(reward.aspects)}; {campaign.slug} asks of pairs or "
            f"rankings {', '.join(asked) or 'nothing'}. Choose a reward that knows one."
        )
    leak = leak_of(reward, campaign)
    if leak:
        raise BadInputError(
            f"{leak}: beside them it would say what it was told. Choose one that did not."
        )
    images = images_of(campaign)
    if not images:
        raise BadInputError(f"the images of {campaign.slug} are not here, so none can be scored.")
    row, _ = CampaignReward.objects.get_or_create(
        campaign=campaign, reward=reward, defaults={"created_by": by}
    )
    request_scores(reward=reward, images=images, now=now)
    return row


def hide_reward(*, campaign: Campaign, reward: RegisteredReward) -> bool:
    """Show it no longer; its scores stay. Returns whether it was shown."""
    count, _ = CampaignReward.objects.filter(campaign=campaign, reward=reward).delete()
    return bool(count)


def refresh_report(*, row: CampaignReward) -> CampaignReward:
    """Work out what is shown, unless neither votes nor scores nor code changed since, and keep it.

    With very many votes it is worked out anew every ten minutes at most.
    """
    mark = _mark(row)
    if mark != row.mark and not _rests(row.report):
        row.report, row.mark = beside_votes(row.campaign, row.reward), mark
        CampaignReward.objects.filter(pk=row.pk).update(report=row.report, mark=row.mark)
    return row


def report_now(row: CampaignReward) -> dict[str, Any]:
    """Return what is to be said of this moment; nothing is kept."""
    return row.report if row.mark == _mark(row) else beside_votes(row.campaign, row.reward)


def _mark(row: CampaignReward) -> str:
    state = f"{fingerprint(row.campaign)} {row.reward.sha256} {row.reward.scores.count()}"
    return hashlib.sha256(state.encode()).hexdigest()


def _rests(report: dict[str, Any]) -> bool:
    if report.get("votes", 0) < _MANY_VOTES:
        return False
    return timezone.now() - datetime.fromisoformat(report["made_at"]) < _REST


_MANY_VOTES = 100_000
_REST = timedelta(minutes=10)
