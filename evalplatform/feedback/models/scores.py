"""What a reward says of images, of which it is still to be asked, and where it is shown.

An image is known by the hash of its file, a prompt by the hash of its text: a reward may read it.
"""

from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.feedback.models.loops import RegisteredReward

_HEX = r"^[0-9a-f]{64}$"


class RewardScore(models.Model):
    """A reward's numbers for one image of one prompt. Any campaign that shows it can use them.

    The database refuses to change or delete one (`feedback/sql/scores.sql`).
    """

    reward = models.ForeignKey(RegisteredReward, on_delete=models.PROTECT, related_name="scores")
    image_sha256 = models.CharField(max_length=64)
    prompt_sha256 = models.CharField(max_length=64, help_text="Of the prompt's text.")
    values = models.JSONField(help_text="By aspect, as the reward gives them; higher is better.")
    scored_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reward", "image_sha256", "prompt_sha256"], name="reward_score_unique"
            ),
            models.CheckConstraint(
                name="reward_score_of_an_image",
                condition=Q(image_sha256__regex=_HEX, prompt_sha256__regex=_HEX),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image_sha256[:12]} by {self.reward}"


class ScoreRequest(models.Model):
    """An image to be scored. It goes when its score is stored, in the same transaction."""

    reward = models.ForeignKey(
        RegisteredReward, on_delete=models.CASCADE, related_name="score_requests"
    )
    image = models.CharField(max_length=200, help_text="Name in object storage.")
    image_sha256 = models.CharField(max_length=64)
    prompt = models.TextField()
    prompt_sha256 = models.CharField(max_length=64)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When workers were woken.")
    error = models.TextField(blank=True, help_text="Why it could not be scored.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reward", "image_sha256", "prompt_sha256"], name="score_request_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["reward", "id"], name="score_request_to_do", condition=Q(error=""))
        ]

    def __str__(self) -> str:
        return f"score {self.image_sha256[:12]} by {self.reward}"


class CampaignReward(models.Model):
    """A reward that somebody chose to see beside a campaign's votes; never among them."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="rewards_beside_votes"
    )
    reward = models.ForeignKey(RegisteredReward, on_delete=models.PROTECT, related_name="shown_in")
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    mark = models.CharField(
        max_length=64, blank=True, help_text="Of votes, scores and code that `report` rests on."
    )
    report = models.JSONField(default=dict, blank=True, help_text="See feedback.beside_votes.")

    class Meta:
        ordering = ["campaign", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "reward"], name="campaign_reward_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reward} beside {self.campaign}"
