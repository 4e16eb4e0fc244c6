"""Campaigns: a frozen protocol, its arms and criteria, and the sets of images to be judged."""

import secrets
import uuid
from string import ascii_uppercase

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property

from evalplatform.accounts.models import InProject, User
from evalplatform.campaigns.forms import FORMS, Form, form_named
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import Sample, SamplerSettings
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.safety.models import SafetyDetector

# An image of an arm: both kinds bear prompt, seed, image, image_sha256, pixels_sha256, width,
# height and is_constant.
Picture = Sample | CollectedImage


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
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
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


class Criterion(models.Model):
    """What annotators judge, in which form, and how many of them judge each item."""

    class Gold(models.TextChoices):
        """How a set of known grades is made for it from the campaign's own images."""

        DAMAGED_COPY = "damaged_copy", "An image against a spoilt copy of itself"
        OTHER_PROMPT = "other_prompt", "An image against that of another prompt"
        NONE = "", "None can be made"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="criteria")
    slug = models.SlugField(max_length=40)
    label = models.CharField(max_length=80)
    question = models.TextField()
    instructions = models.TextField(blank=True)
    shows_prompt = models.BooleanField()
    form = models.CharField(
        max_length=20, choices=[(form.name, form.label) for form in FORMS.values()]
    )
    heads = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="What may be marked beside an answer: the guideline's heads.",
    )
    gold = models.CharField(max_length=20, choices=Gold.choices, default=Gold.NONE, blank=True)
    k = models.PositiveIntegerField(
        help_text="Annotators per item.", validators=[MinValueValidator(1)]
    )
    position = models.PositiveIntegerField(help_text="Order in which annotators meet it.")

    class Meta:
        verbose_name_plural = "criteria"
        ordering = ["campaign", "position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "slug"], name="criterion_unique_slug"),
            models.UniqueConstraint(fields=["campaign", "position"], name="criterion_unique_place"),
            models.CheckConstraint(condition=Q(k__gte=1), name="criterion_k_at_least_one"),
            models.CheckConstraint(
                condition=Q(form__in=list(FORMS)), name="criterion_form_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(slug="visual_appeal", shows_prompt=True),
                name="criterion_appeal_hides_prompt",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def shape(self) -> Form:
        """Its form."""
        return form_named(self.form)


class ImageSetQuerySet(models.QuerySet["ImageSet"]):
    def main(self) -> "ImageSetQuerySet":
        """Only what the campaign asks, no gold."""
        return self.filter(purpose=ImageSet.Purpose.MAIN)

    def gold(self) -> "ImageSetQuerySet":
        """Only sets whose grades are known."""
        return self.exclude(purpose=ImageSet.Purpose.MAIN)


class ImageSet(models.Model):
    """Images that are judged together; stored once, for every criterion that asks about them.

    A set whose grades are known is gold: it teaches, qualifies and checks annotators.
    """

    class Purpose(models.TextChoices):
        MAIN = "main", "What the campaign asks"
        EXAMPLE = "example", "Shown with its answer before consent"
        QUALIFICATION = "qualification", "Judged before the first item"
        CHECK = "check", "Mixed in unseen"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="image_sets")
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.MAIN)
    criterion = models.ForeignKey(
        Criterion,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="gold_sets",
        help_text="Of gold: the one criterion under which its grades are known.",
    )
    position = models.PositiveIntegerField(help_text="Among those of its purpose and criterion.")
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.PROTECT)
    prompt_text = models.TextField(blank=True, help_text="As it is shown, where it is.")
    expected = ArrayField(
        models.SmallIntegerField(),
        null=True,
        blank=True,
        help_text="Of gold: its grades, by place.",
    )
    why = models.TextField(blank=True, help_text="Why these are its grades, as an example says it.")
    origin = models.JSONField(default=dict, blank=True, help_text="How gold came about.")
    public_id = models.UUIDField(
        default=uuid.uuid4, db_default=RandomUUID(), unique=True, editable=False
    )

    objects = ImageSetQuerySet.as_manager()

    class Meta:
        ordering = ["campaign", "criterion", "purpose", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "criterion", "purpose", "position"],
                name="image_set_unique_place",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="image_set_is_gold_or_not",
                condition=Q(
                    purpose="main", criterion__isnull=True, expected__isnull=True,
                    prompt__isnull=False,
                )
                | (~Q(purpose="main") & Q(criterion__isnull=False, expected__isnull=False)),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.campaign} {self.purpose} #{self.position}"

    @property
    def files(self) -> list[str]:
        """The stored images by place, as they are shown first."""
        return [image.copies[0] for image in self.images.all()]


class ShownImage(models.Model):
    """One image of a set, and the files by which annotators are shown it.

    Files of one campaign are all of one length, and each is shown in one context: under one
    criterion, or where an item comes a second time (`Item.copy`). The same file twice would tell a
    browser's owner what came before.
    """

    image_set = models.ForeignKey(ImageSet, on_delete=models.CASCADE, related_name="images")
    place = models.PositiveSmallIntegerField()
    arm = models.ForeignKey(
        Arm, null=True, blank=True, on_delete=models.PROTECT, related_name="images"
    )
    sample = models.ForeignKey(
        Sample, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    collected = models.ForeignKey(
        CollectedImage, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    copies = ArrayField(
        models.CharField(max_length=200, blank=True), help_text="Names in object storage."
    )

    class Meta:
        ordering = ["image_set", "place"]
        constraints = [
            models.UniqueConstraint(fields=["image_set", "place"], name="shown_image_unique_place"),
            models.UniqueConstraint(fields=["image_set", "arm"], name="shown_image_arm_once"),
            models.CheckConstraint(condition=Q(copies__len__gte=1), name="shown_image_has_a_file"),
            models.CheckConstraint(
                name="shown_image_is_its_arms",
                condition=Q(arm__isnull=True, sample__isnull=True, collected__isnull=True)
                | Q(arm__isnull=False, sample__isnull=False, collected__isnull=True)
                | Q(arm__isnull=False, sample__isnull=True, collected__isnull=False)
                # Votes that were imported speak of images that are not here.
                | Q(arm__isnull=False, sample__isnull=True, collected__isnull=True, copies=[""]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image_set} {self.place}"

    @property
    def picture(self) -> Picture | None:
        """The image of its arm, as it was made or brought; None for gold."""
        return self.sample or self.collected


class ItemQuerySet(models.QuerySet["Item"]):
    def main(self) -> "ItemQuerySet":
        """Only what the campaign asks, no gold."""
        return self.filter(position__isnull=False)


class Item(models.Model):
    """A set of images under one criterion: what annotators are given and statistics count."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="items")
    criterion = models.ForeignKey(Criterion, on_delete=models.CASCADE, related_name="items")
    image_set = models.ForeignKey(ImageSet, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seeded random order in the campaign; null: gold."
    )
    copy = models.PositiveSmallIntegerField(
        default=0, help_text="Which of its images' files are shown."
    )
    repeatable = models.BooleanField(
        default=False, help_text="Whether there are files (copy + 1) to show it a second time."
    )

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["campaign", "position"]
        constraints = [
            models.UniqueConstraint(fields=["image_set", "criterion"], name="item_unique"),
            models.UniqueConstraint(fields=["campaign", "position"], name="item_unique_position"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} #{self.position}"


class Withheld(models.Model):
    """An image that no annotator of a campaign sees, since it scores as unsafe.

    The database refuses to show one, and to change a row (`campaigns/sql/withheld.sql`).
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="withheld")
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="withheld")
    sample = models.ForeignKey(
        Sample, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    collected = models.ForeignKey(
        CollectedImage, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveSmallIntegerField(
        default=0, help_text="Which of its arm's images of the prompt, from 0."
    )
    detector = models.ForeignKey(SafetyDetector, on_delete=models.PROTECT, related_name="+")
    score = models.FloatField(help_text="0 to 1.")
    threshold = models.FloatField(help_text="From this score on an image is unsafe.")

    class Meta:
        ordering = ["campaign", "pk"]
        verbose_name_plural = "withheld images"
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "sample", "collected"],
                name="withheld_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="withheld_is_one_image",
                condition=Q(sample__isnull=False, collected__isnull=True)
                | Q(sample__isnull=True, collected__isnull=False),
            ),
            models.CheckConstraint(
                name="withheld_shares",
                condition=Q(score__range=(0, 1)) & Q(threshold__gt=0, threshold__lte=1),
            ),
            models.CheckConstraint(
                name="withheld_has_a_reason", condition=Q(score__gte=F("threshold"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.picture} withheld"

    @property
    def picture(self) -> Picture:
        """The image."""
        picture = self.sample or self.collected
        assert picture  # withheld_is_one_image
        return picture
