"""Feedback loops: what people rank becomes rewards, these tune a child, and people judge that.

The loop of IterComp (docs/feedback.md): a gallery is ranked, rewards learn from the rankings, the
rewards tune a checkpoint, and the child joins the gallery for the next round. What IterComp lacks
is the end: a blind campaign of the child against its parent, on prompts that nothing was tuned on.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from evalplatform.accounts.models import InProject, User
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.promptsets.models import PromptSet

_HEX = r"^[0-9a-f]{64}$"


class FeedbackLoop(InProject):
    """A gallery of models, the prompts people rank it on, and those that the proof is held on."""

    slug = models.SlugField(max_length=60, unique=True)
    gallery = ArrayField(
        models.CharField(max_length=90), help_text="Arms of the first ranking, by name."
    )
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="+")
    proof_prompt_set = models.ForeignKey(
        PromptSet,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Shares no prompt with the other.",
    )
    aspects = ArrayField(models.SlugField(max_length=60), help_text="Criteria that people rank by.")
    k = models.PositiveSmallIntegerField(help_text="Annotators an item.")
    seed = models.PositiveBigIntegerField(default=0)
    sampler = models.JSONField(help_text="How images are sampled, as `SamplerSettings` stores it.")
    rules = models.JSONField(default=dict, blank=True, help_text="See campaigns.rules.")
    verified_share = models.FloatField(
        help_text="Of the prompts on which people rank the child too, above 0, at most 1."
    )
    agreement_floor = models.FloatField(
        help_text="Of pairs placed by rewards that people must agree with, 0 to 1; below: stop."
    )
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="feedback_gallery_of_two",
                condition=Q(gallery__len__gte=2) & Q(aspects__len__gte=1) & Q(k__gte=1),
            ),
            models.CheckConstraint(
                name="feedback_shares",
                condition=Q(verified_share__gt=0, verified_share__lte=1)
                & Q(agreement_floor__gte=0, agreement_floor__lte=1),
            ),
            models.CheckConstraint(
                name="feedback_proof_is_held_out",
                condition=~Q(prompt_set=F("proof_prompt_set")),
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        return reverse("feedback:loop", args=[self.slug])

    @property
    def checked_rules(self) -> Rules:
        """The rules of its campaigns as typed values."""
        return parse_rules(self.rules)

    @property
    def folder(self) -> Path:
        """Where its preference sets and runs of the trainer lie."""
        return Path(settings.FEEDBACK_DIR) / self.slug


class FeedbackRound(models.Model):
    """One round: rankings, preference set, rewards, a tuned child, and what people say of it."""

    loop = models.ForeignKey(FeedbackLoop, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    parent = models.ForeignKey(
        Checkpoint, on_delete=models.PROTECT, related_name="+", help_text="What is tuned."
    )
    rankings = models.ForeignKey(
        Campaign,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Of the gallery, by people; later rounds have it from the round before.",
    )
    preferences_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of the preference set that rewards learn from."
    )
    preferences = models.JSONField(
        default=dict, blank=True, help_text="What is in it: pairs by split, aspect and source."
    )
    child = models.ForeignKey(
        Checkpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    insertion = models.JSONField(
        default=dict, blank=True, help_text="Where the child came in: pairs and places by aspect."
    )
    verification = models.ForeignKey(
        Campaign,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="People rank the child too, on a share of the prompts.",
    )
    agreed = models.PositiveIntegerField(
        null=True, blank=True, help_text="Pairs in which rewards placed the child as people do."
    )
    compared = models.PositiveIntegerField(
        null=True, blank=True, help_text="Pairs that people decided."
    )
    proof = models.ForeignKey(
        Campaign,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The child against its parent, on held-out prompts.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["loop", "number"]
        constraints = [
            models.UniqueConstraint(fields=["loop", "number"], name="feedback_round_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="feedback_round_from_one"),
            models.CheckConstraint(
                name="feedback_preferences_hash",
                condition=Q(preferences_sha256="") | Q(preferences_sha256__regex=_HEX),
            ),
            # Each step stands on the one before it.
            models.CheckConstraint(
                name="feedback_child_has_preferences",
                condition=Q(child=None) | ~Q(preferences_sha256=""),
            ),
            models.CheckConstraint(
                name="feedback_judged_has_child",
                condition=Q(child__isnull=False) | Q(verification=None, proof=None, insertion={}),
            ),
            models.CheckConstraint(
                name="feedback_child_is_another",
                condition=Q(child=None) | ~Q(child=F("parent")),
            ),
            models.CheckConstraint(
                name="feedback_agreement_is_counted",
                condition=Q(agreed=None, compared=None)
                | Q(agreed__lte=F("compared"), compared__gte=1, verification__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.loop} round {self.number}"

    @property
    def folder(self) -> Path:
        """Where its preference set and its runs of the trainer lie."""
        return self.loop.folder / f"round-{self.number}"

    @property
    def agreement(self) -> float | None:
        """Share of the decided pairs that rewards placed as people do, 0 to 1."""
        if self.agreed is None or not self.compared:
            return None
        return self.agreed / self.compared

    @property
    def is_below_floor(self) -> bool:
        """Whether people disagree with the rewards too often to go on."""
        return self.agreement is not None and self.agreement < self.loop.agreement_floor


class RegisteredReward(InProject):
    """A reward model as the trainer saved it; the files lie in `FEEDBACK_DIR/rewards/<sha256>/`."""

    class Purpose(models.TextChoices):
        OPTIMISED = "optimised", "Optimised"
        JUDGE = "judge", "Held-out judge"

    name = models.SlugField(max_length=80, unique=True)
    sha256 = models.CharField(max_length=64, unique=True)
    aspects = ArrayField(models.SlugField(max_length=60))
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    preferences_sha256 = models.CharField(max_length=64, help_text="Of what it learned from.")
    round = models.ForeignKey(
        FeedbackRound, null=True, blank=True, on_delete=models.SET_NULL, related_name="rewards"
    )
    metadata = models.JSONField(default=dict, help_text="As the trainer recorded it.")
    evaluation = models.JSONField(
        default=dict, blank=True, help_text="Accuracy beside the one-person ceiling, by aspect."
    )
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="reward_hashes_are_hex",
                condition=Q(sha256__regex=_HEX, preferences_sha256__regex=_HEX),
            ),
            models.CheckConstraint(
                name="reward_has_an_aspect", condition=Q(aspects__len__gte=1)
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return Path(settings.FEEDBACK_DIR) / "rewards" / self.sha256

    @property
    def is_simulated(self) -> bool:
        """Whether it learned from simulated votes."""
        return bool(self.metadata.get("data", {}).get("simulated"))

    @property
    def accuracy(self) -> str:
        """Share of held-out pairs it orders as people do, as tables show it; empty: unknown."""
        return _share(self.evaluation.get("accuracy"))

    @property
    def ceiling(self) -> str:
        """Share in which one person agrees with the others on the same pairs, likewise."""
        return _share(self.evaluation.get("one_person"))


def _share(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""
