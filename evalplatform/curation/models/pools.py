"""Pools of images from which people pick: stages on campaigns, and what each stage decided.

A stage is a campaign; judgements are its votes. What is kept here is what campaigns do not know:
where an image came from, which rule a stage decides by, and its decisions.
"""

from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import InProject, User
from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.images.models import CollectedImage, ImageCollection

_HASH = Q(rules_sha256__regex=r"^([0-9a-f]{64})?$") & Q(scores_sha256__regex=r"^([0-9a-f]{64})?$")


class Pool(InProject):
    """Images to pick from: one collection, and how its images were found."""

    class Origin(models.TextChoices):
        FOLDER = "folder", "Selected by rules"
        SAMPLES = "samples", "Samples of a checkpoint"

    name = models.SlugField(max_length=80, unique=True)
    origin = models.CharField(max_length=8, choices=Origin.choices)
    collection = models.OneToOneField(ImageCollection, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=500, blank=True, help_text="As the pool says.")
    rules_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the rules file.")
    scores_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the scored rows.")
    scorers = models.JSONField(default=dict, blank=True, help_text="Identity of each, by name.")
    funnel = models.JSONField(default=dict, blank=True, help_text="What each rule left.")
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=_HASH, name="pool_hashes_are_hex")]

    def __str__(self) -> str:
        return self.name


class PoolImage(models.Model):
    """One image of a pool, with what is known of it beside its pixels. It never changes."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="images")
    image = models.OneToOneField(CollectedImage, on_delete=models.PROTECT, related_name="+")
    concept = models.CharField(max_length=200, blank=True)
    licence = models.CharField(max_length=200, blank=True, help_text="Empty: unknown.")
    popularity = models.FloatField(null=True, blank=True, help_text="Such as likes; 0 or more.")
    scores = models.JSONField(
        default=dict, blank=True, help_text="Of the filters, by name; shown to no annotator."
    )

    class Meta:
        ordering = ["pool", "image__position"]
        constraints = [
            models.CheckConstraint(
                condition=Q(popularity__isnull=True) | Q(popularity__gte=0),
                name="pool_image_popularity",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool}: {self.image.source_sha256[:12]}"


class Stage(models.Model):
    """One round of people over a pool: a campaign, and the rule by which it keeps."""

    class Kind(models.TextChoices):
        GENERALISTS = "generalists", "Generalists"
        SPECIALISTS = "specialists", "Specialists"
        ALIGNMENT = "alignment", "Alignment"
        STYLE = "style", "Style"

    class Keep(models.TextChoices):
        """For recall, one is enough; for precision, nobody may object."""

        ANY = "any", "Any keep suffices; unsure counts as keep"
        ALL = "all", "All keep and mark no head"

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="stages")
    number = models.PositiveSmallIntegerField(help_text="Order in the pool, from 1.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    campaign = models.OneToOneField(Campaign, on_delete=models.PROTECT, related_name="stage")
    keep = models.CharField(max_length=4, choices=Keep.choices)
    target = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many are wanted; null: as many as are good."
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When it decided.")
    closed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decisions_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of its decisions, in the order of image hashes."
    )

    class Meta:
        ordering = ["pool", "number"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "number"], name="stage_unique_number"),
            models.UniqueConstraint(fields=["pool", "kind"], name="stage_unique_kind"),
            models.UniqueConstraint(
                fields=["pool"], condition=Q(closed_at__isnull=True), name="stage_one_open"
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="stage_number_from_one"),
            models.CheckConstraint(
                condition=Q(target__isnull=True) | Q(target__gte=1), name="stage_target"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, decisions_sha256="")
                | Q(closed_at__isnull=False, decisions_sha256__regex=r"^[0-9a-f]{64}$"),
                name="stage_closed_has_decided",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.kind}"


class Promotion(models.Model):
    """What a stage decided of one image, and why; worked out of its votes, never edited.

    The database refuses to change one, one of another pool's image, and one of an image that the
    stage before did not keep (`curation/sql/promotions.sql`).
    """

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="promotions")
    pool_image = models.ForeignKey(PoolImage, on_delete=models.CASCADE, related_name="promotions")
    kept = models.BooleanField()
    why = models.CharField(max_length=200)

    class Meta:
        ordering = ["stage", "pool_image"]
        constraints = [
            models.UniqueConstraint(fields=["stage", "pool_image"], name="promotion_once"),
            models.CheckConstraint(condition=~Q(why=""), name="promotion_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.stage}: {'kept' if self.kept else 'dropped'}"


class CaptionRound(models.Model):
    """One round of captions: some people write them, then others approve or reject each.

    Two campaigns: `writing` asks what an image shows, `approval` whether what was written is true.
    What was rejected is written anew in the next round.
    """

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="caption_rounds")
    number = models.PositiveSmallIntegerField(help_text="In the pool, from 1.")
    writing = models.OneToOneField(
        Campaign, on_delete=models.PROTECT, related_name="captions_written"
    )
    approval = models.OneToOneField(
        Campaign, null=True, blank=True, on_delete=models.PROTECT, related_name="captions_approved"
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="When all was approved or not."
    )

    class Meta:
        ordering = ["pool", "number"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "number"], name="caption_round_number"),
            models.UniqueConstraint(
                fields=["pool"], condition=Q(closed_at__isnull=True), name="caption_round_one_open"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1), name="caption_round_number_from_one"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(approval__isnull=False),
                name="caption_round_closed_was_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool} captions {self.number}"


class Caption(models.Model):
    """A caption that one person wrote and another approved or rejected; it never changes.

    The database refuses one that its writer judged, votes of other campaigns or on another image,
    and a text that is not the one that was judged (`curation/sql/captions.sql`).
    """

    round = models.ForeignKey(CaptionRound, on_delete=models.PROTECT, related_name="captions")
    pool_image = models.ForeignKey(PoolImage, on_delete=models.PROTECT, related_name="captions")
    written = models.OneToOneField(Vote, on_delete=models.PROTECT, related_name="+")
    judged = models.OneToOneField(Vote, on_delete=models.PROTECT, related_name="+")
    approved = models.BooleanField()

    class Meta:
        ordering = ["round", "pool_image"]
        constraints = [
            models.UniqueConstraint(fields=["round", "pool_image"], name="caption_once_a_round"),
            models.UniqueConstraint(
                fields=["pool_image"], condition=Q(approved=True), name="caption_approved_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool_image}: {'approved' if self.approved else 'rejected'}"

    @property
    def text(self) -> str:
        """What was written."""
        return self.written.answer
