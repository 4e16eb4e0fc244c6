"""Flows: one question that a trainer asks again and again while it trains.

A flow is a series of small campaigns of the same question. Each batch of panels that is asked
becomes a campaign of its own with a frozen protocol, so all that holds of campaigns holds of it:
exactly k, blind, no vote lost (docs/flows.md).
"""

from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from evalplatform.accounts.models import Annotator, InProject, User
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.models.campaign import new_invitation
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.core.stored_images import StoredImage

_HEX = r"^[0-9a-f]{64}$"


class Flow(InProject):
    """A question, how it is asked, and the one link by which annotators come."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    slug = models.SlugField(max_length=40, unique=True)
    criterion = models.JSONField(help_text="What is asked, as `CriterionPlan` holds it.")
    images_per_panel = models.PositiveSmallIntegerField()
    k = models.PositiveSmallIntegerField(help_text="Annotators a panel.")
    deadline_seconds = models.PositiveIntegerField(
        help_text="How long people have for a batch that says nothing else."
    )
    rules = models.JSONField(default=dict, blank=True, help_text="See campaigns.rules.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    invitation = models.CharField(max_length=40, unique=True, default=new_invitation)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="flow_counts",
                condition=Q(k__gte=1, deadline_seconds__gte=1, images_per_panel__range=(1, 8)),
            ),
            models.CheckConstraint(
                name="flow_closed_says_when",
                condition=Q(status="open", closed_at=None)
                | Q(status="closed", closed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        return reverse("flows:flow", args=[self.slug])

    @property
    def plan(self) -> CriterionPlan:
        """What each of its campaigns asks."""
        given = dict(self.criterion)
        given["heads"] = tuple(given["heads"])
        return CriterionPlan(**given)

    @property
    def checked_rules(self) -> Rules:
        """The rules of its campaigns as typed values."""
        return parse_rules(self.rules)

    @property
    def entrance(self) -> str:
        """The path of the annotators' link."""
        return reverse("flow:come", args=[self.invitation])


class FlowImage(models.Model):
    """An image that a trainer sent, stored as a sample is; its batch names it by `sha256`."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="images")
    sha256 = models.CharField(max_length=64, help_text="Of the file that was sent.")
    size_bytes = models.PositiveIntegerField(help_text="Of the file that was sent.")
    image = models.CharField(max_length=200, help_text="Name in object storage.")
    image_sha256 = models.CharField(max_length=64)
    pixels_sha256 = models.CharField(max_length=64)
    is_constant = models.BooleanField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    sent_at = models.DateTimeField()
    is_asked = models.BooleanField(default=False, help_text="Whether a batch asks about it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["flow", "sha256"], name="flow_image_once"),
            models.CheckConstraint(
                name="flow_image_hashes",
                condition=Q(
                    sha256__regex=_HEX, image_sha256__regex=_HEX, pixels_sha256__regex=_HEX
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["flow", "sent_at"], name="flow_image_unasked", condition=Q(is_asked=False)
            )
        ]

    def __str__(self) -> str:
        return self.sha256

    @property
    def stored(self) -> StoredImage:
        """It as it lies in object storage."""
        return StoredImage(
            name=self.image,
            sha256=self.image_sha256,
            width=self.width,
            height=self.height,
            pixels_sha256=self.pixels_sha256,
            is_constant=self.is_constant,
        )


class FlowBatch(models.Model):
    """Panels that were asked together: the job of opening their campaign, and what became of it."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        OPENING = "opening", "Being opened"
        OPEN = "open", "Open"
        DONE = "done", "All votes are in"
        LATE = "late", "Its deadline came first"
        CLOSED = "closed", "Closed early"
        FAILED = "failed", "Failed"

    ENDED = (Status.DONE, Status.LATE, Status.CLOSED, Status.FAILED)

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    panels = models.JSONField(help_text="[{prompt, images: hashes by place}], as they were asked.")
    panel_count = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it failed, or was not open in time.")
    campaign = models.OneToOneField(
        Campaign, null=True, blank=True, on_delete=models.PROTECT, related_name="flow_batch"
    )
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True, help_text="By a worker, last.")
    opened_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["flow", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["flow", "number"], name="flow_batch_once"),
            models.CheckConstraint(
                name="flow_batch_deadline_is_ahead", condition=Q(deadline_at__gt=F("asked_at"))
            ),
            models.CheckConstraint(name="flow_batch_has_panels", condition=Q(panel_count__gte=1)),
            models.CheckConstraint(
                name="flow_batch_failed_says_why", condition=~Q(status="failed") | ~Q(reason="")
            ),
            models.CheckConstraint(
                name="flow_batch_ended_says_when",
                condition=Q(status__in=["queued", "opening", "open"], ended_at=None)
                | Q(status__in=["done", "late", "closed", "failed"], ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="flow_batch_open_has_a_campaign",
                condition=Q(
                    status__in=["open", "done"], campaign__isnull=False, opened_at__isnull=False
                )
                | Q(status__in=["queued", "opening", "late", "closed", "failed"]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["deadline_at"],
                name="flow_batch_under_way",
                condition=Q(status__in=["queued", "opening", "open"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.flow} batch {self.number}"

    @property
    def votes_wanted(self) -> int:
        """k votes a panel."""
        return self.panel_count * self.flow.k

    @property
    def hashes(self) -> list[str]:
        """Of every image it asks about."""
        return [each for panel in self.panels for each in panel["images"]]


class FlowConsent(models.Model):
    """An annotator agreed to take part in a flow: to all of its batches, once."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="consents")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="+")
    consented_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["flow", "annotator"], name="flow_consent_once")
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.flow}"
