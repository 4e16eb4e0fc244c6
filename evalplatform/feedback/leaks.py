"""Whether a reward has seen a campaign's votes: then it says nothing of them."""

from evalplatform.campaigns.models import Campaign
from evalplatform.feedback.models import FeedbackRound, RegisteredReward


def leak_of(reward: RegisteredReward, campaign: Campaign) -> str:
    """Return how a reward has learned from this campaign's votes; empty where it has not.

    By the protocol and the names that its training data tell, and by its loop: a round's rewards
    learn from the rankings of all rounds up to it.
    """
    data = reward.metadata.get("data", {})
    protocols = str(data.get("protocol_sha256", "")).replace(",", " ").split()
    names = str(data.get("campaign", "")).replace(",", " ").split()
    if (campaign.protocol_sha256 and campaign.protocol_sha256 in protocols) or (
        campaign.slug in names
    ):
        return f"{reward} learned from votes of {campaign.slug}"
    if reward.round is not None:
        ranked = FeedbackRound.objects.filter(
            loop=reward.round.loop_id, number__lte=reward.round.number, rankings=campaign
        )
        if ranked.exists():
            return f"{reward} learned from the rankings of {campaign.slug}"
    return ""


def tuned_arms(reward: RegisteredReward, campaign: Campaign) -> list[str]:
    """Return the arms that were tuned by this reward, which it favours for that alone."""
    if reward.purpose != RegisteredReward.Purpose.OPTIMISED or reward.round is None:
        return []
    child = reward.round.child_id
    return [arm.name for arm in campaign.contenders if child and arm.checkpoint_id == child]
