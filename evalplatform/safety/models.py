"""What a safety detector said of images, and of which it is still to be asked.

An image is known by the hash of its file, whether a checkpoint made it or somebody brought it.
"""

from django.db import models
from django.db.models import Q


class SafetyDetector(models.Model):
    """A detector as a worker had it: scores of one row are comparable with each other only."""

    name = models.CharField(max_length=40)
    version = models.CharField(max_length=80)
    weights_sha256 = models.CharField(max_length=64)
    unsafe_labels = models.JSONField(help_text="Labels that make an image unsafe, a list.")
    seen_at = models.DateTimeField(help_text="When a worker last used it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "version", "weights_sha256", "unsafe_labels"],
                name="safety_detector_unique",
            ),
            models.CheckConstraint(
                name="safety_detector_has_weights",
                condition=Q(weights_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def as_dict(self) -> dict[str, object]:
        """Return the detector as it travels in protocols and exports."""
        return {
            "detector": self.name,
            "version": self.version,
            "weights_sha256": self.weights_sha256,
            "unsafe_labels": self.unsafe_labels,
        }


class SafetyCheck(models.Model):
    """A detector's score of one image. It knows no threshold, so any campaign can use it.

    The database refuses to change or delete one (`safety/sql/checks.sql`).
    """

    image_sha256 = models.CharField(max_length=64)
    detector = models.ForeignKey(SafetyDetector, on_delete=models.PROTECT, related_name="checks")
    score = models.FloatField(help_text="0 to 1: how surely the image is unsafe.")
    labels = models.JSONField(help_text="Score by label, of every label worth keeping.")
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["image_sha256", "detector"], name="safety_check_unique"
            ),
            models.CheckConstraint(
                name="safety_check_of_an_image", condition=Q(image_sha256__regex=r"^[0-9a-f]{64}$")
            ),
            models.CheckConstraint(
                name="safety_check_score_is_share", condition=Q(score__gte=0) & Q(score__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image_sha256[:12]}: {self.score:.3f} ({self.detector})"


class SafetyRequest(models.Model):
    """An image to be checked. It goes when its check is stored, in the same transaction."""

    image = models.CharField(max_length=200, help_text="Name in object storage.")
    image_sha256 = models.CharField(max_length=64)
    detector = models.CharField(max_length=40, help_text="The detector's name.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When workers were woken.")
    error = models.TextField(blank=True, help_text="Why it could not be checked.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["detector", "image_sha256"], name="safety_request_unique"
            ),
        ]
        indexes = [
            models.Index(
                fields=["detector", "id"], name="safety_request_to_do", condition=Q(error="")
            )
        ]

    def __str__(self) -> str:
        return f"check {self.image_sha256[:12]} by {self.detector}"
