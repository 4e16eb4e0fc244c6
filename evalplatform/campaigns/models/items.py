"""The sets of images to be judged, and the items that they are under each criterion."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

from evalplatform.campaigns.models.campaign import Arm, Campaign
from evalplatform.campaigns.models.criteria import Criterion
from evalplatform.campaigns.models.pictures import Picture
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage
from evalplatform.promptsets.models import Prompt


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
    prompt = models.ForeignKey(
        Prompt, null=True, blank=True, on_delete=models.PROTECT, db_index=False
    )
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
        # The sets of a campaign's prompt, which leasing asks for; those of a prompt alone, too.
        indexes = [models.Index(fields=["prompt", "campaign"], name="image_set_of_prompt")]
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
