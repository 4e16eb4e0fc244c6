"""What the API itself keeps: answers to requests that may be sent twice, and long jobs."""

import uuid

from django.db import models
from django.db.models import Q, QuerySet

from evalplatform.accounts.models import ApiToken, InProject, User


class KeptAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, for whoever sends the same again.

    It is written in the transaction of what the request made, and kept for a day.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token = models.ForeignKey(
        ApiToken, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64, help_text="Of method, address and body.")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    content = models.TextField(help_text="Sealed: answers hold secrets that are shown once.")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "token", "key"], nulls_distinct=False, name="kept_answer_once"
            ),
            models.CheckConstraint(
                condition=Q(request_sha256__regex=r"^[0-9a-f]{64}$"), name="kept_answer_has_a_hash"
            ),
            models.CheckConstraint(
                condition=Q(status__gte=200, status__lt=300), name="kept_answer_is_of_success"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} to {self.key}"


class Job(InProject):
    """What takes longer than a request: a worker does it, and the row says what became of it."""

    class Kind(models.TextChoices):
        REGISTER = "register_checkpoint", "Register a checkpoint"
        IMPORT = "import_collection", "Import an image collection"
        OPEN = "open_campaign", "Open a campaign"
        ADD_ARM = "add_arm", "Add an arm to an open campaign"
        FEEDBACK = "feedback_step", "A step of a feedback loop"
        GOLD = "make_gold", "Make a campaign's gold"
        VOTES = "import_votes", "Import votes that were cast elsewhere"
        POOL = "import_pool", "Import a pool"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    asked = models.JSONField(help_text="The request's body.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    note = models.CharField(max_length=500, blank=True, help_text="How far it is.")
    reason = models.TextField(blank=True, help_text="Why it failed.")
    result = models.CharField(max_length=80, blank=True, help_text="Name of what was made.")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    starts = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun.")
    unheld_since = models.DateTimeField(
        null=True, blank=True, help_text="When a running one was first found without a worker."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(reason=""), name="job_failed_says_why"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], finished_at=None)
                | Q(status__in=["done", "failed"], finished_at__isnull=False),
                name="job_finished_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.status})"

    def as_begun(self) -> "QuerySet[Job]":
        """Return the row while it runs; none where it has ended, or was begun again since."""
        return Job.objects.filter(pk=self.pk, status=self.Status.RUNNING, starts=self.starts)
