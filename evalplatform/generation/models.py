"""Samples and the batches that make them. A message only wakes a worker; the rows are the job."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import InProject
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.leased_jobs import LeasedJob
from evalplatform.core.steering import RequestStatus
from evalplatform.promptsets.models import Prompt


class SamplerSettings(models.Model):
    """How a checkpoint is sampled: stored once, shared by every sample made that way."""

    sampler = models.CharField(max_length=40)
    steps = models.PositiveIntegerField()
    guidance_scale = models.FloatField()
    negative_prompt = models.TextField(blank=True)
    # null: the checkpoint's own size. PostgreSQL treats nulls as distinct unless told otherwise.
    height = models.PositiveIntegerField(null=True, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "sampler settings"
        constraints = [
            models.UniqueConstraint(
                name="sampler_settings_unique",
                fields=["sampler", "steps", "guidance_scale", "negative_prompt", "height", "width"],
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(steps__gte=1), name="sampler_settings_steps"),
        ]

    def __str__(self) -> str:
        return f"{self.sampler}, {self.steps} steps, guidance {self.guidance_scale:g}"

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as they travel in protocols, exports and sampler calls."""
        return {
            "sampler": self.sampler,
            "steps": self.steps,
            "guidance_scale": self.guidance_scale,
            "negative_prompt": self.negative_prompt,
            "height": self.height,
            "width": self.width,
        }


class GenerationRequest(InProject):
    """What one campaign asks of the workers: its batches are paused, cancelled and paid together.

    `name` is the campaign's; this app knows no more of it. What else asks has a name that no
    campaign can have: `pool:NAME`, `loop:NAME:ROUND`.
    """

    Status = RequestStatus

    name = models.CharField(
        max_length=100, unique=True, validators=[RegexValidator(r"\A[-\w]+(:[-\w]+)*\Z")]
    )
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ACTIVE)
    priority = models.SmallIntegerField(
        default=0, help_text="Higher goes first; of one priority, the older request."
    )
    budget_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Worker time it may use; null is no limit.",
    )
    spent_seconds = models.FloatField(default=0, help_text="Worker time used so far.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-priority", "created_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(budget_seconds__isnull=True) | Q(budget_seconds__gte=1),
                name="request_budget_at_least_a_second",
            ),
            models.CheckConstraint(condition=Q(spent_seconds__gte=0), name="request_spent_time"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def asker(self) -> str:
        """Of which kind what asks is: `campaign`, `pool`, `loop`, or another."""
        kind, colon, _ = self.name.partition(":")
        return kind if colon else "campaign"

    @property
    def asked_by(self) -> str:
        """The name of what asks."""
        return self.name if self.asker == "campaign" else self.name.split(":")[1]

    @property
    def is_going_on(self) -> bool:
        return self.status == self.Status.ACTIVE and not self.is_budget_used

    @property
    def is_budget_used(self) -> bool:
        return self.budget_seconds is not None and self.spent_seconds >= self.budget_seconds


class BatchQuerySet(models.QuerySet["GenerationBatch"]):
    def unfinished(self) -> "BatchQuerySet":
        return self.filter(status__in=[Batch.QUEUED, Batch.RUNNING])

    def allowed(self) -> "BatchQuerySet":
        """Batches whose request is neither paused nor cancelled and has budget left."""
        return self.filter(request__status=GenerationRequest.Status.ACTIVE).filter(
            Q(request__budget_seconds__isnull=True)
            | Q(request__spent_seconds__lt=F("request__budget_seconds"))
        )

    def claimable(self, now: datetime) -> "BatchQuerySet":
        """Allowed batches nobody works on: queued, or running under a lease that ran out."""
        return self.allowed().filter(
            Q(status=Batch.QUEUED) | Q(status=Batch.RUNNING, lease_expires_at__lt=now)
        )


class GenerationBatch(LeasedJob):
    """Samples of one checkpoint with one set of sampler settings, made by one worker at a time."""

    request = models.ForeignKey(GenerationRequest, on_delete=models.CASCADE, related_name="batches")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="batches")
    settings = models.ForeignKey(SamplerSettings, on_delete=models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)
    images_made = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="Worker time used, over all attempts.")
    stages = models.JSONField(
        default=dict, blank=True, help_text="Seconds by stage, which overlap, over all attempts."
    )
    environment = models.JSONField(
        default=dict, blank=True, help_text="Device and versions that made its samples."
    )

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "generation batches"
        indexes = [
            # Workers and sweeper look only at what is not finished.
            models.Index(
                fields=["status", "lease_expires_at"],
                name="batch_unfinished",
                condition=Q(status__in=["queued", "running"]),
            )
        ]
        constraints = [
            models.CheckConstraint(
                name="batch_running_has_lease",
                condition=~Q(status="running") | Q(lease_expires_at__isnull=False),
            ),
            models.CheckConstraint(
                name="batch_failed_says_why", condition=~Q(status="failed") | ~Q(error="")
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk} of {self.checkpoint}"


Batch = GenerationBatch.Status


class Sample(models.Model):
    """One image from (checkpoint, prompt, seed, sampler settings).

    The row is planned first and filled in once, so a task that runs twice lands on the same row.
    """

    class Status(models.TextChoices):
        PLANNED = "planned", "Planned"
        READY = "ready", "Ready"

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="samples")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="samples")
    seed = models.PositiveBigIntegerField()
    settings = models.ForeignKey(SamplerSettings, on_delete=models.PROTECT)
    batch = models.ForeignKey(
        GenerationBatch, on_delete=models.SET_NULL, null=True, related_name="samples"
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PLANNED)
    image = models.CharField(max_length=200, blank=True, help_text="Name in object storage.")
    image_sha256 = models.CharField(max_length=64, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    pixels_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of size and RGB values: equal where images are."
    )
    is_constant = models.BooleanField(default=False, help_text="Whether it is of one colour.")
    # By the text encoder that reads the largest share of the prompt; null where nothing is known.
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    tokens_read = models.PositiveIntegerField(null=True, blank=True)
    code_version = models.CharField(max_length=80, blank=True)
    generated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["-generated_at"], name="sample_made_last")]
        constraints = [
            models.UniqueConstraint(
                fields=["checkpoint", "prompt", "seed", "settings"], name="sample_unique_key"
            ),
            models.CheckConstraint(
                name="sample_ready_has_image",
                condition=Q(status="planned")
                | (
                    ~Q(image="")
                    & Q(image_sha256__regex=r"^[0-9a-f]{64}$")
                    & Q(pixels_sha256__regex=r"^[0-9a-f]{64}$")
                    & Q(width__gte=1)
                ),
            ),
            models.CheckConstraint(
                name="sample_reads_no_more_than_there_is",
                condition=Q(prompt_tokens=None, tokens_read=None)
                | Q(
                    prompt_tokens__isnull=False,
                    tokens_read__isnull=False,
                    tokens_read__lte=F("prompt_tokens"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint} · {self.prompt} · seed {self.seed}"

    @property
    def reads_in_full(self) -> bool | None:
        """Whether the prompt reached the model uncut; None where that is not known."""
        if self.prompt_tokens is None or self.tokens_read is None:
            return None
        return self.tokens_read == self.prompt_tokens


class WorkerHeartbeat(models.Model):
    """One live worker process, as it last reported itself."""

    name = models.CharField(max_length=120, unique=True)
    pid = models.PositiveIntegerField()
    device = models.CharField(max_length=120, blank=True)
    device_bytes = models.PositiveBigIntegerField(
        default=0, help_text="The device's memory; 0 until it is measured."
    )
    memory_bytes = models.PositiveBigIntegerField(
        default=0, help_text="What warm pipelines may take of it."
    )
    loaded = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        help_text="Checkpoints whose pipelines it keeps warm.",
    )
    loaded_bytes = models.PositiveBigIntegerField(default=0, help_text="Memory those take.")
    batch = models.ForeignKey(
        GenerationBatch, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    images_made = models.PositiveBigIntegerField(default=0, help_text="Since it started.")
    images_per_second = models.FloatField(
        null=True, blank=True, help_text="Over its last minutes of work; null: none yet."
    )
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(seen_at__gte=F("started_at")), name="heartbeat_after_start"
            )
        ]

    def __str__(self) -> str:
        return self.name
