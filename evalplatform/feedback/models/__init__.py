"""Feedback loops, reward models, and what these say of a campaign's images."""

from evalplatform.feedback.models.loops import FeedbackLoop, FeedbackRound, RegisteredReward
from evalplatform.feedback.models.scores import CampaignReward, RewardScore, ScoreRequest

__all__ = [
    "CampaignReward",
    "FeedbackLoop",
    "FeedbackRound",
    "RegisteredReward",
    "RewardScore",
    "ScoreRequest",
]
