"""The registry of checkpoints under comparison."""

import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import Regex

from evalplatform.accounts.models import InProject, Shareable, User

FUSED = "fused"
"""The recipe of what was made from a base and what others trained for it."""


def _parameters(dtype: str) -> Coalesce:
    """Return how many of a checkpoint's parameters are stored in a dtype."""
    count = Cast(KeyTextTransform(dtype, "parameters"), models.BigIntegerField())
    return Coalesce(count, models.Value(0), output_field=models.BigIntegerField())


class Checkpoint(Shareable):
    """Weights that can make samples, with where they came from.

    The files live in `CHECKPOINT_DIR/<sha256>/` and never change there.
    """

    class Role(models.TextChoices):
        PRETRAINED = "pretrained", "Pre-trained"
        QUALITY_TUNED = "quality_tuned", "Quality-tuned"
        BASELINE = "baseline", "Baseline"
        PREFERENCE_TUNED = "preference_tuned", "Preference-tuned"
        EXTERNAL = "external", "External"

    class Status(models.TextChoices):
        VERIFIED = "verified", "Verified"
        RETIRED = "retired", "Retired"

    name = models.SlugField(max_length=80, unique=True)
    role = models.CharField(max_length=16, choices=Role.choices)
    status = models.CharField(max_length=16, choices=Status.choices)
    family = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64, unique=True)
    # By its hash, as the trainer recorded it: the parent itself may come later, or never.
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
        to_field="sha256",
        db_column="parent_sha256",
        db_constraint=False,
    )
    origin = models.JSONField(
        default=dict, blank=True, help_text="Where the files came from: hub, commit, variant."
    )
    config = models.JSONField(default=dict)
    training = models.JSONField(default=dict, help_text="Provenance as the trainer recorded it.")
    licences = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    size_bytes = models.PositiveBigIntegerField()
    parameters = models.JSONField(default=dict, help_text="Parameters by dtype, as stored.")
    # Weights of eight bits take sixteen once they are loaded.
    loaded_bytes = models.GeneratedField(
        expression=models.F("size_bytes") + _parameters("F8_E4M3") + _parameters("F8_E5M2"),
        output_field=models.PositiveBigIntegerField(),
        db_persist=True,
        help_text="About what a GPU holds of it.",
    )
    registered_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, help_text="Nobody: by command."
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="retired", retired_at__isnull=False)
                | Q(status="verified", retired_at=None, retired_by=None),
                name="checkpoint_retired_says_when",
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="checkpoint_sha256_is_hex"
            ),
            models.CheckConstraint(
                condition=~Q(parent=models.F("sha256")), name="checkpoint_not_its_own_parent"
            ),
            models.CheckConstraint(
                condition=Q(parent=None)
                | Q(Regex(Cast("parent", models.CharField()), r"^[0-9a-f]{64}$")),
                name="checkpoint_parent_is_hex",
            ),
            models.CheckConstraint(
                condition=~Q(origin__has_key="hub") | Q(origin__has_key="commit"),
                name="checkpoint_from_a_hub_has_its_commit",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def parent_sha256(self) -> str | None:
        """Of the checkpoint it was tuned from, registered or not; None where it was not tuned."""
        return self.parent_id

    @property
    def registered_parent(self) -> "Checkpoint | None":
        """The checkpoint it was tuned from, where it is in the registry."""
        try:
            return self.parent
        except Checkpoint.DoesNotExist:
            return None

    @property
    def parameter_count(self) -> int:
        return sum(self.parameters.values())

    @property
    def made_from(self) -> list[str]:
        """What its base was changed by, in words; nothing of what was trained or brought whole."""
        parts = [
            f"{part['component']} from {part['source']}"
            + (f", {part['weights']} weights" if "weights" in part else "")
            + f" (sha256 {part['sha256'][:12]}…)"
            for part in self.training.get("parts", [])
        ]
        loras = [
            f"LoRA {lora['file']} added by {lora['scale']:g} (sha256 {lora['sha256'][:12]}…)"
            for lora in self.training.get("adapters", [])
        ]
        return parts + loras if self.training.get("recipe") == FUSED else []

    @property
    def directory(self) -> Path:
        """Where the verified files lie."""
        return Path(settings.CHECKPOINT_DIR) / self.sha256


class Upload(InProject):
    """An archive on its way into the registry; its row stays and says what became of it."""

    class Status(models.TextChoices):
        UPLOADING = "uploading", "Uploading"
        VERIFYING = "verifying", "Verifying"
        VERIFIED = "verified", "Verified"
        REJECTED = "rejected", "Rejected"

    class Part(models.TextChoices):
        LORA = "lora", "LoRA"
        UNET = "unet", "U-Net"
        TRANSFORMER = "transformer", "Transformer"
        VAE = "vae", "VAE"
        TEXT_ENCODER = "text_encoder", "Text encoder"
        TEXT_ENCODER_2 = "text_encoder_2", "Second text encoder"

    class Weights(models.TextChoices):
        PLAIN = "plain", "Plain"
        EMA = "ema", "Averaged (EMA)"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(max_length=200)
    size_bytes = models.PositiveBigIntegerField()
    checkpoint_name = models.CharField(max_length=80)
    role = models.CharField(
        max_length=16, choices=Checkpoint.Role.choices, blank=True, help_text="Blank: as trained."
    )
    base = models.ForeignKey(
        Checkpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        help_text="The checkpoint that it is put into; null: it is whole.",
    )  # fmt: skip
    part = models.CharField(
        max_length=16, choices=Part.choices, blank=True, help_text="What of the base it is."
    )
    scale = models.FloatField(default=1.0, help_text="How much of a LoRA is added.")
    weights = models.CharField(
        max_length=5, choices=Weights.choices, blank=True,
        help_text="Which of a whole pipeline's, where it has both; blank: as they lie.",
    )  # fmt: skip
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.UPLOADING)
    reason = models.TextField(blank=True, help_text="Why it was rejected.")
    checkpoint = models.ForeignKey(
        Checkpoint, null=True, blank=True, on_delete=models.SET_NULL, related_name="uploads"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When a worker was woken.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When one took it.")
    starts = models.PositiveSmallIntegerField(default=0, help_text="How often one took it.")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="rejected") | ~Q(reason=""), name="upload_rejected_says_why"
            ),
            models.CheckConstraint(condition=Q(size_bytes__gte=1), name="upload_has_a_size"),
            models.CheckConstraint(
                condition=Q(base=None, part="") | (Q(base__isnull=False) & ~Q(part="")),
                name="upload_of_a_part_names_its_base",
            ),
            models.CheckConstraint(
                condition=Q(scale=1.0) | Q(part="lora"), name="upload_scale_is_of_a_lora"
            ),
            models.CheckConstraint(
                condition=Q(weights="") | Q(part=""), name="upload_weights_are_of_a_whole"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.status})"

    @property
    def folder(self) -> Path:
        return Path(settings.CHECKPOINT_DIR) / "uploads" / str(self.pk)

    @property
    def file(self) -> Path:
        """What has arrived. The person's own file name never becomes one here."""
        name = self.file_name.lower()
        if self.part:
            return self.folder / "upload.safetensors"
        return self.folder / ("upload.zip" if name.endswith(".zip") else "upload.tar")

    @property
    def received_bytes(self) -> int:
        if self.status != self.Status.UPLOADING:
            return self.size_bytes
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def last_received_at(self) -> datetime | None:
        """When the last byte arrived; None when the file is gone."""
        try:
            return datetime.fromtimestamp(self.file.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def remove_files(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
