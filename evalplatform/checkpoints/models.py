"""The registry of checkpoints under comparison."""

from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Checkpoint(models.Model):
    """Weights that can make samples, with where they came from.

    The files live in `CHECKPOINT_DIR/<sha256>/` and never change there.
    """

    class Role(models.TextChoices):
        PRETRAINED = "pretrained", "Pre-trained"
        QUALITY_TUNED = "quality_tuned", "Quality-tuned"
        BASELINE = "baseline", "Baseline"
        EXTERNAL = "external", "External"

    class Status(models.TextChoices):
        VERIFIED = "verified", "Verified"
        RETIRED = "retired", "Retired"

    name = models.SlugField(max_length=80, unique=True)
    role = models.CharField(max_length=16, choices=Role.choices)
    status = models.CharField(max_length=16, choices=Status.choices)
    family = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64, unique=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    config = models.JSONField(default=dict)
    training = models.JSONField(default=dict, help_text="Provenance as the trainer recorded it.")
    licences = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    size_bytes = models.PositiveBigIntegerField()
    parameters = models.JSONField(default=dict, help_text="Parameters by dtype, as stored.")
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="checkpoint_sha256_is_hex"
            ),
            models.CheckConstraint(
                condition=~Q(parent=models.F("id")), name="checkpoint_not_its_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def parameter_count(self) -> int:
        return sum(self.parameters.values())

    @property
    def directory(self) -> Path:
        """Where the verified files lie."""
        return Path(settings.CHECKPOINT_DIR) / self.sha256
