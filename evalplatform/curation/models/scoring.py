"""Scoring by the workers: what was asked, and the jobs that it is cut into.

The scores themselves are rows of parquet in a folder, as `python -m models_backend.curation score`
writes them; the database holds who does what, no score.
"""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import InProject, User
from evalplatform.core.leased_jobs import JobStatus, LeasedJob
from evalplatform.core.steering import RequestStatus
from evalplatform.images.models import ImageCollection


class ScoringRequest(InProject):
    """A source of images to be scored: its jobs are paused, cancelled and tried again together."""

    Status = RequestStatus

    name = models.SlugField(max_length=80, unique=True)
    data = models.CharField(
        max_length=500, blank=True, help_text="Path, the same on every worker's machine."
    )
    collection = models.ForeignKey(
        ImageCollection, null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        help_text="What is scored in place of a path.",
    )  # fmt: skip
    out = models.CharField(max_length=500, help_text="Folder of the scores, as `data`.")
    scorers = models.JSONField(help_text="Names, in order.")
    options = models.JSONField(default=dict, blank=True, help_text="By scorer's name.")
    caption = models.CharField(max_length=100, default="caption", help_text="The source's name.")
    shard_size = models.PositiveIntegerField(help_text="Images a job.")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ACTIVE)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="scoring_of_one_source",
                condition=Q(data="", collection__isnull=False)
                | (~Q(data="") & Q(collection__isnull=True)),
            ),
            models.CheckConstraint(name="scoring_goes_somewhere", condition=~Q(out="")),
            models.CheckConstraint(name="scoring_shard_size", condition=Q(shard_size__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def source(self) -> str:
        """What is scored, in words."""
        return self.data or f"collection {self.collection}"


class ShardQuerySet(models.QuerySet["ScoringShard"]):
    def allowed(self) -> ShardQuerySet:
        """Jobs whose request is neither paused nor cancelled."""
        return self.filter(request__status=ScoringRequest.Status.ACTIVE)

    def claimable(self, now: datetime) -> ShardQuerySet:
        """Allowed jobs nobody works on: queued, or running under a lease that ran out."""
        return self.allowed().filter(
            Q(status=JobStatus.QUEUED) | Q(status=JobStatus.RUNNING, lease_expires_at__lt=now)
        )


class ScoringShard(LeasedJob):
    """Some of a source's images, scored by one worker at a time. Number 0 lists the source."""

    request = models.ForeignKey(ScoringRequest, on_delete=models.CASCADE, related_name="shards")
    number = models.PositiveIntegerField(help_text="From 1; 0 cuts the source into the others.")
    file = models.CharField(max_length=500, blank=True, help_text="Of a source of such files.")
    start = models.PositiveBigIntegerField(default=0, help_text="Place of its first image.")
    stop = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Place after its last; null: to the end."
    )
    looked = models.PositiveBigIntegerField(default=0, help_text="Images it is through with.")
    unreadable = models.PositiveBigIntegerField(
        default=0, help_text="Images it found spoilt, in its last attempt."
    )

    objects = ShardQuerySet.as_manager()

    class Meta:
        ordering = ["request", "number"]
        indexes = [
            # Workers look only at what is not finished.
            models.Index(
                fields=["status", "lease_expires_at"], name="shard_unfinished",
                condition=Q(status__in=["queued", "running"]),
            )
        ]  # fmt: skip
        constraints = [
            models.UniqueConstraint(fields=["request", "number"], name="shard_number"),
            models.CheckConstraint(
                name="shard_running_has_lease",
                condition=~Q(status="running") | Q(lease_expires_at__isnull=False),
            ),
            models.CheckConstraint(
                name="shard_failed_says_why", condition=~Q(status="failed") | ~Q(error="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request}, {self.words}"

    @property
    def words(self) -> str:
        """Which images, in words."""
        if self.number == 0:
            return "listing"
        place = "" if self.stop is None else f"images {self.start:,} to {self.stop - 1:,}"
        return " ".join(filter(None, [self.file, place])) or "all images"
