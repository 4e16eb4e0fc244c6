"""Whom to tell of what happens in a project, and what is on its way to them."""

import json

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import InProject, User


class WebhookEndpoint(InProject):
    """An address that is told of events of a project, signed with its secret."""

    class Event(models.TextChoices):
        OPENED = "campaign.opened", "A campaign was opened"
        PAUSED = "campaign.paused", "A campaign was paused"
        RESUMED = "campaign.resumed", "A paused campaign goes on"
        COMPLETED = "campaign.completed", "Every vote of a campaign is in"
        CLOSED = "campaign.closed", "A campaign was closed"
        BATCH_FAILED = "batch.failed", "A batch of images failed"
        SCORING_FAILED = "scoring.failed", "A job of scoring images failed"
        VERIFIED = "checkpoint.verified", "An uploaded checkpoint was verified"
        REFUSED = "checkpoint.refused", "An uploaded checkpoint was refused"
        JOB_DONE = "job.done", "A job is done"
        JOB_FAILED = "job.failed", "A job failed"
        EXPORT_READY = "export.ready", "An export can be downloaded"
        EXPORT_FAILED = "export.failed", "An export failed"
        FLOW_DONE = "flow.done", "Every vote of a flow's batch is in"
        FLOW_LATE = "flow.late", "The deadline of a flow's batch came first"
        FLOW_CLOSED = "flow.closed", "A flow's batch was closed early"
        FLOW_FAILED = "flow.failed", "A flow's batch could not be opened"

    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    events = ArrayField(models.CharField(max_length=40, choices=Event.choices))
    secret = models.TextField(help_text="Sealed; see webhooks.services.")
    old_secrets = models.JSONField(
        default=list, blank=True, help_text="[{secret: sealed, until: when it ceases to sign}]"
    )
    is_active = models.BooleanField(default=True)
    why_inactive = models.CharField(max_length=300, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "url"], name="webhook_once_a_project"),
            models.CheckConstraint(
                condition=Q(url__startswith="https://") | Q(url__startswith="http://"),
                name="webhook_is_an_address",
            ),
            models.CheckConstraint(
                condition=Q(events__len__gte=1)
                & Q(
                    events__contained_by=[
                        "campaign.opened", "campaign.paused", "campaign.resumed",
                        "campaign.completed", "campaign.closed", "batch.failed",
                        "checkpoint.verified", "checkpoint.refused", "job.done", "job.failed",
                        "export.ready", "export.failed", "flow.done", "flow.late", "flow.closed",
                        "flow.failed", "scoring.failed",
                    ]
                ),
                name="webhook_events_are_known",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, why_inactive="") | Q(is_active=False),
                name="webhook_active_without_a_reason",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One message to one endpoint: the outbox.

    Triggers write it in the transaction of what it tells (webhooks/sql/webhooks.sql), so that
    nothing is told that did not happen, and nothing that happened is forgotten.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Given up"

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries"
    )
    message_id = models.CharField(max_length=60, unique=True)
    event = models.CharField(max_length=40)
    subject = models.CharField(max_length=80, blank=True, help_text="Name of what it is of.")
    payload = models.JSONField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    answered = models.PositiveSmallIntegerField(null=True, blank=True, help_text="HTTP status.")
    answer = models.CharField(
        max_length=500, blank=True, help_text="Its first letters, or why none."
    )
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="webhook_due", condition=Q(status="pending")
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "subject"],
                condition=Q(event="campaign.completed"),
                name="webhook_completed_once",
            ),
            models.CheckConstraint(
                condition=Q(status="delivered", delivered_at__isnull=False)
                | (~Q(status="delivered") & Q(delivered_at=None)),
                name="webhook_delivered_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"

    @property
    def as_sent(self) -> str:
        """The message to read, in lines."""
        return json.dumps(self.payload, indent=2, ensure_ascii=False)
