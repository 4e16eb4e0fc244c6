"""A campaign, its frozen protocol, and its arms."""

import secrets
from string import ascii_uppercase

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property

from evalplatform.accounts.models import InProject, User
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import SamplerSettings
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import PromptSet
from evalplatform.safety.models import SafetyDetector


def new_invitation() -> str:
    """Return the secret part of the annotators' link; it names neither campaign nor checkpoint."""
    return secrets.token_urlsafe(12)


class Campaign(InProject):
    """Which of its arms do people prefer, and by how much? Frozen when it opens."""

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
    design = models.CharField(
        max_length=120, default="all-pairs", help_text="Who meets whom; see campaigns.designs."
    )
    prompt_sets = models.ManyToManyField(PromptSet, related_name="campaigns")
    settings = models.ForeignKey(
        SamplerSettings,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="How its images are sampled; not known where votes were imported.",
    )
    seed = models.PositiveBigIntegerField()
    prompts_per_set = models.PositiveIntegerField(
        null=True, blank=True, help_text="Size of a seeded random subset; null takes every prompt."
    )
    prompt_filter = models.JSONField(
        default=dict, blank=True, help_text="Which prompts are taken; see campaigns.prompt_filter."
    )
    # Decided once, when the campaign is made: tags that are edited later change nothing.
    filtered_prompts = ArrayField(
        models.BigIntegerField(),
        null=True,
        blank=True,
        help_text="Keys of the prompts that the filter left; null: there is none.",
    )
    images_per_prompt = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Seeds of each arm and prompt."
    )
    lease_seconds = models.PositiveIntegerField()
    rules = models.JSONField(default=dict, blank=True, help_text="See campaigns.rules.")
    safety_detector = models.ForeignKey(
        SafetyDetector,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose scores decided which images were withheld; set at opening.",
    )
    sets_left_out = models.PositiveIntegerField(
        default=0, help_text="Sets that hold an image that was withheld."
    )
    protocol = models.JSONField(null=True, blank=True, help_text="As frozen at opening.")
    protocol_sha256 = models.CharField(max_length=64, blank=True)

    # How run_eval goes on; no part of the protocol.
    gold_file = models.CharField(
        max_length=1000, blank=True, help_text="Whose gold is taken before it opens."
    )
    opens_when_ready = models.BooleanField(
        default=True, help_text="Whether run_eval opens it once all samples are there."
    )

    # Annotators come in through this.
    invitation = models.CharField(max_length=40, unique=True, default=new_invitation)
    leads_on = models.CharField(
        max_length=200,
        blank=True,
        help_text="Path of this site where annotators find more once nothing is left for them.",
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    shown_widths = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text="Of the smaller copies beside each file shown; set at opening.",
    )
    # Counted once at opening, so that an annotator's progress needs no counting.
    item_count = models.PositiveIntegerField(default=0)
    imported_from = models.JSONField(
        null=True, blank=True, help_text="Of votes cast elsewhere: file, hash, rows; null: ours."
    )
    outline = models.JSONField(
        default=list,
        blank=True,
        help_text="The walk, criterion by criterion: [its id, where it ends, hidden gold].",
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(images_per_prompt__gte=1), name="campaign_images_per_prompt"
            ),
            models.CheckConstraint(
                name="campaign_filter_was_applied",
                condition=Q(prompt_filter={}, filtered_prompts__isnull=True)
                | (
                    ~Q(prompt_filter={})
                    & Q(filtered_prompts__isnull=False, filtered_prompts__len__gte=1)
                ),
                violation_error_message="A prompt filter leaves at least one prompt.",
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
            models.CheckConstraint(
                name="campaign_settings_or_imported",
                condition=Q(settings__isnull=False, imported_from__isnull=True)
                | Q(settings__isnull=True, imported_from__isnull=False, status="closed"),
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

    @property
    def sampler_settings(self) -> SamplerSettings:
        """How its images are sampled; of a campaign that is not imported."""
        assert self.settings  # campaign_settings_or_imported
        return self.settings

    @property
    def imported_note(self) -> str:
        """What must stand wherever its results show; empty where people voted here."""
        if not self.imported_from:
            return ""
        anonymous = (
            "" if self.imported_from["knows_annotators"] else ", nor is known who cast which"
        )
        return (
            f"IMPORTED: votes were cast elsewhere (file {self.imported_from['file']}), not on this "
            f"site{anonymous}."
        )

    @property
    def knows_sides(self) -> bool:
        """Whether it is known where each image stood; a file of votes may not say."""
        return not self.imported_from or bool(self.imported_from["knows_sides"])

    @cached_property
    def contenders(self) -> list["Arm"]:
        """The arms by place, read once."""
        return list(self.arms.select_related("checkpoint", "collection"))

    @property
    def may_grow(self) -> bool:
        """Whether an arm may join as far as `why_not_growing` knows."""
        return not self.why_not_growing

    @property
    def why_not_growing(self) -> str:
        """Why no arm at all may join: it is neither open nor paused, or one of a series; or ""."""
        if self.status not in (self.Status.OPEN, self.Status.PAUSED):
            return f"campaign {self.slug!r} is {self.status}; an arm joins one that is open."
        if self.leads_on:
            return f"campaign {self.slug!r} is one of a series that compares the same arms."
        return ""

    @property
    def is_duel(self) -> bool:
        """Whether exactly two arms meet: then results are win, tie and lose of the first."""
        return len(self.contenders) == 2


class Arm(models.Model):
    """One contender of a campaign: whoever or whatever made a part of its images."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="arms")
    place = models.PositiveSmallIntegerField(help_text="0 is A, 1 is B, and so on.")
    checkpoint = models.ForeignKey(
        Checkpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="arms"
    )
    collection = models.ForeignKey(
        ImageCollection, null=True, blank=True, on_delete=models.PROTECT, related_name="arms"
    )
    model = models.CharField(
        max_length=200, blank=True, help_text="Where votes were imported: what made its images."
    )
    joined_at = models.DateTimeField(
        null=True, blank=True, help_text="When it joined a campaign that was open already."
    )

    class Meta:
        ordering = ["campaign", "place"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "place"], name="arm_unique_place"),
            models.UniqueConstraint(
                fields=["campaign", "checkpoint"],
                name="arm_once",
                violation_error_message="A checkpoint cannot be compared with itself.",
            ),
            models.UniqueConstraint(
                fields=["campaign", "collection"],
                name="arm_collection_once",
                violation_error_message="A collection cannot be compared with itself.",
            ),
            models.UniqueConstraint(
                fields=["campaign", "model"], condition=~Q(model=""), name="arm_model_once"
            ),
            models.CheckConstraint(
                name="arm_is_one_thing",
                condition=Q(checkpoint__isnull=False, collection__isnull=True, model="")
                | Q(checkpoint__isnull=True, collection__isnull=False, model="")
                | (Q(checkpoint__isnull=True, collection__isnull=True) & ~Q(model="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What people call it."""
        return self.maker.name if self.maker else self.model

    @property
    def maker(self) -> Checkpoint | ImageCollection | None:
        """Where its images come from; None where only votes on them are known."""
        return self.checkpoint or self.collection

    @property
    def letter(self) -> str:
        """A for the first arm, Z for the 26th, then AA."""
        return arm_letter(self.place)

    @property
    def sha256(self) -> str:
        """The hash of what made its images, or of the images that were brought; else empty."""
        return self.maker.sha256 if self.maker else ""


def arm_letter(place: int) -> str:
    """Return A for place 0, Z for 25, AA for 26."""
    more, last = divmod(place, len(ascii_uppercase))
    return (arm_letter(more - 1) if more else "") + ascii_uppercase[last]
