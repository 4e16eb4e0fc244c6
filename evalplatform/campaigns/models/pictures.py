"""The images of arms, and those of them that no annotator sees."""

from django.db import models
from django.db.models import F, Q

from evalplatform.campaigns.models.campaign import Arm, Campaign
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage
from evalplatform.safety.models import SafetyDetector

# An image of an arm: both kinds bear prompt, seed, image, image_sha256, pixels_sha256, width,
# height and is_constant.
Picture = Sample | CollectedImage


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
