"""Campaigns: a frozen protocol, its criteria and its comparisons."""

import secrets
import uuid

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property

from evalplatform.accounts.models import User
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import SafetyDetector, Sample, SamplerSettings
from evalplatform.promptsets.models import Prompt, PromptSet


def new_invitation() -> str:
    """Return the secret part of the annotators' link; it names neither campaign nor checkpoint."""
    return secrets.token_urlsafe(12)


class Campaign(models.Model):
    """Which of two checkpoints do people prefer? Frozen when it opens."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        GENERATING = "generating", "Generating"
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    slug = models.SlugField(max_length=80, unique=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    # The protocol.
    checkpoint_a = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="as_a")
    checkpoint_b = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="as_b")
    prompt_sets = models.ManyToManyField(PromptSet, related_name="campaigns")
    settings = models.ForeignKey(SamplerSettings, on_delete=models.PROTECT)
    seed = models.PositiveBigIntegerField()
    prompts_per_set = models.PositiveIntegerField(
        null=True, blank=True, help_text="Size of a seeded random subset; null takes every prompt."
    )
    lease_seconds = models.PositiveIntegerField()
    rules = models.JSONField(default=dict, blank=True, help_text="See campaigns.rules.")
    safety_detector = models.ForeignKey(
        SafetyDetector,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose scores decided which pairs were filtered; set at opening.",
    )
    protocol = models.JSONField(null=True, blank=True, help_text="As frozen at opening.")
    protocol_sha256 = models.CharField(max_length=64, blank=True)

    # How run_eval goes on; no part of the protocol.
    gold_file = models.CharField(
        max_length=1000, blank=True, help_text="Whose gold pairs are taken before it opens."
    )
    opens_when_ready = models.BooleanField(
        default=True, help_text="Whether run_eval opens it once all samples are there."
    )

    # Annotators come in through this.
    invitation = models.CharField(max_length=40, unique=True, default=new_invitation)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # Counted once at opening, so that an annotator's progress needs no counting.
    comparison_count = models.PositiveIntegerField(default=0)
    outline = models.JSONField(
        default=list,
        blank=True,
        help_text="The walk, criterion by criterion: [its id, where it ends, hidden gold pairs].",
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(checkpoint_a=F("checkpoint_b")),
                name="campaign_two_checkpoints",
                violation_error_message="A checkpoint cannot be compared with itself.",
            ),
            models.CheckConstraint(
                name="campaign_open_is_frozen",
                condition=Q(status__in=["draft", "generating"])
                | (Q(protocol__isnull=False) & Q(protocol_sha256__regex=r"^[0-9a-f]{64}$")),
            ),
            models.CheckConstraint(
                name="campaign_open_is_filtered",
                condition=Q(status__in=["draft", "generating"])
                | Q(rules__safety__threshold__isnull=True)
                | Q(safety_detector__isnull=False),
                violation_error_message="Its rules ask for a safety filter that was not applied.",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_frozen(self) -> bool:
        """Whether its protocol can no longer change: it has opened."""
        return self.status not in (self.Status.DRAFT, self.Status.GENERATING)

    @cached_property
    def checked_rules(self) -> Rules:
        """The rules as typed values."""
        return parse_rules(self.rules)


class Criterion(models.Model):
    """What annotators judge, and how many of them judge each comparison."""

    class Kind(models.TextChoices):
        VISUAL_APPEAL = "visual_appeal", "Visual appeal"
        TEXT_FAITHFULNESS = "text_faithfulness", "Text faithfulness"

    class Answers(models.TextChoices):
        A_B_TIE = "a_b_tie", "A, B or tie"
        A_B_BOTH_NEITHER = "a_b_both_neither", "A, B, both or neither; the last two are ties"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="criteria")
    kind = models.CharField(max_length=40, choices=Kind.choices)
    question = models.TextField()
    shows_prompt = models.BooleanField()
    answers = models.CharField(max_length=20, choices=Answers.choices, default=Answers.A_B_TIE)
    k = models.PositiveIntegerField(
        help_text="Annotators per comparison.", validators=[MinValueValidator(1)]
    )
    position = models.PositiveIntegerField(help_text="Order in which annotators meet it.")

    class Meta:
        verbose_name_plural = "criteria"
        ordering = ["campaign", "position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "kind"], name="criterion_unique_kind"),
            models.UniqueConstraint(fields=["campaign", "position"], name="criterion_unique_place"),
            models.CheckConstraint(condition=Q(k__gte=1), name="criterion_k_at_least_one"),
            models.CheckConstraint(
                condition=~Q(kind="visual_appeal", shows_prompt=True),
                name="criterion_appeal_hides_prompt",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class Comparison(models.Model):
    """Two samples of one prompt, to be judged on one criterion."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="comparisons")
    criterion = models.ForeignKey(Criterion, on_delete=models.CASCADE, related_name="comparisons")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT)
    sample_a = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="+")
    sample_b = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="+")
    # What annotators are shown: copies of the samples, all of one size and one length
    # (campaigns/images.py).
    image_a = models.CharField(max_length=200, help_text="Name in object storage.")
    image_b = models.CharField(max_length=200, help_text="Name in object storage.")
    # What is shown where the comparison comes a second time: the same pixels in other bytes.
    repeat_image_a = models.CharField(max_length=200, blank=True, help_text="None: never again.")
    repeat_image_b = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(help_text="Seeded random order in the campaign.")

    class Meta:
        ordering = ["campaign", "position"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(sample_a=F("sample_b")), name="comparison_two_samples"
            ),
            models.UniqueConstraint(
                fields=["campaign", "criterion", "sample_a", "sample_b"],
                name="comparison_unique_pair",
            ),
            models.UniqueConstraint(
                fields=["campaign", "position"], name="comparison_unique_position"
            ),
            models.CheckConstraint(
                name="comparison_repeats_both_images_or_none",
                condition=Q(repeat_image_a="", repeat_image_b="")
                | (~Q(repeat_image_a="") & ~Q(repeat_image_b="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} #{self.position}"


class FilteredPair(models.Model):
    """Two samples of one prompt that no annotator sees, since one or both score as unsafe.

    The database refuses a comparison of a filtered prompt, and to change one (migration 0003).
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="filtered_pairs")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT)
    sample_a = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="+")
    sample_b = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="+")
    detector = models.ForeignKey(SafetyDetector, on_delete=models.PROTECT, related_name="+")
    score_a = models.FloatField(help_text="0 to 1.")
    score_b = models.FloatField(help_text="0 to 1.")
    threshold = models.FloatField(help_text="From this score on an image is unsafe.")

    class Meta:
        ordering = ["campaign", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "prompt"], name="filtered_pair_unique"),
            models.CheckConstraint(
                condition=~Q(sample_a=F("sample_b")), name="filtered_pair_two_samples"
            ),
            models.CheckConstraint(
                name="filtered_pair_shares",
                condition=Q(score_a__range=(0, 1), score_b__range=(0, 1))
                & Q(threshold__gt=0, threshold__lte=1),
            ),
            models.CheckConstraint(
                name="filtered_pair_has_a_reason",
                condition=Q(score_a__gte=F("threshold")) | Q(score_b__gte=F("threshold")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.prompt} filtered ({self.sides})"

    @property
    def unsafe_a(self) -> bool:
        return self.score_a >= self.threshold

    @property
    def unsafe_b(self) -> bool:
        return self.score_b >= self.threshold

    @property
    def sides(self) -> str:
        """Whose image is unsafe: "A", "B" or "both"."""
        if self.unsafe_a and self.unsafe_b:
            return "both"
        return "A" if self.unsafe_a else "B"

    @property
    def unsafe_samples(self) -> list[Sample]:
        judged = ((self.sample_a, self.unsafe_a), (self.sample_b, self.unsafe_b))
        return [sample for sample, is_unsafe in judged if is_unsafe]


class GoldPair(models.Model):
    """Two images of which one is clearly better: to teach, to qualify and to check annotators."""

    class Purpose(models.TextChoices):
        EXAMPLE = "example", "Shown with its answer before consent"
        QUALIFICATION = "qualification", "Judged before the first pair"
        CHECK = "check", "Mixed in unseen"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="gold_pairs")
    criterion = models.ForeignKey(Criterion, on_delete=models.CASCADE, related_name="gold_pairs")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    position = models.PositiveIntegerField()
    prompt_text = models.TextField(blank=True)
    better_image = models.CharField(max_length=200, help_text="Name in object storage.")
    worse_image = models.CharField(max_length=200, help_text="Name in object storage.")
    why = models.TextField(help_text="Why the better one is better, as an example says it.")
    origin = models.JSONField(help_text="How the pair came about.")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        ordering = ["campaign", "criterion", "purpose", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "criterion", "purpose", "position"],
                name="gold_pair_unique_place",
            ),
            models.CheckConstraint(
                condition=~Q(better_image=F("worse_image")), name="gold_pair_two_images"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} {self.purpose} #{self.position}"
