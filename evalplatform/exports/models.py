"""Exports that the site makes in the background."""

import uuid

from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.exports.kinds import KINDS


class Export(models.Model):
    """One export of a campaign: asked for, made, kept for a while, then removed."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Being made"
        DONE = "done", "Ready"
        FAILED = "failed", "Failed"
        REMOVED = "removed", "Removed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="exports")
    kind = models.CharField(
        max_length=40, choices=[(each.name, each.label) for each in KINDS.values()]
    )
    options = models.JSONField(help_text="See exports.options.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    asked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    asked_at = models.DateTimeField()
    beaten_at = models.DateTimeField(
        null=True, blank=True, help_text="When whoever makes it last showed a sign of life."
    )
    rows = models.PositiveBigIntegerField(default=0, help_text="Written so far.")
    rows_expected = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Of votes as they were cast; unknown of pairs."
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    removed_after = models.DateTimeField(null=True, blank=True)
    file = models.CharField(max_length=300, blank=True, help_text="Name in object storage.")
    file_name = models.CharField(max_length=200, blank=True, help_text="As it is downloaded.")
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    files = models.JSONField(default=dict, blank=True, help_text="SHA-256 of each by name.")
    error = models.TextField(blank=True, help_text="Why it failed, and what to do.")

    class Meta:
        ordering = ["-asked_at", "-pk"]
        indexes = [models.Index(fields=["campaign", "-asked_at"], name="export_of_campaign")]
        constraints = [
            models.CheckConstraint(
                name="export_kind_is_known", condition=Q(kind__in=list(KINDS))
            ),
            models.CheckConstraint(
                name="export_done_has_a_file",
                condition=~Q(state="done")
                | (Q(sha256__regex=r"^[0-9a-f]{64}$") & ~Q(file="") & Q(finished_at__isnull=False)
                   & Q(removed_after__gt=F("finished_at"))),
            ),
            models.CheckConstraint(
                name="export_failed_says_why", condition=~Q(state="failed") | ~Q(error="")
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.campaign} as {self.kind}"

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.DONE

    @property
    def is_being_made(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def share_made(self) -> float | None:
        """How much of it is written, in [0, 1]; None where nobody knows."""
        if not self.rows_expected:
            return None
        return min(self.rows / self.rows_expected, 1.0)
