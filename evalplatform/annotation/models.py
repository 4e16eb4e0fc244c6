"""Exactly k slots per comparison, and the votes that fill them."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import Annotator
from evalplatform.campaigns.models import Campaign, Comparison


class Outcome(models.TextChoices):
    """A vote by identity: which checkpoint's sample was preferred."""

    A = "A", "A"
    TIE = "TIE", "Tie"
    B = "B", "B"


class Choice(models.TextChoices):
    """A vote as it was pressed: left and right are presentation only."""

    LEFT = "left", "Left"
    TIE = "tie", "Tie"
    RIGHT = "right", "Right"


class Enrolment(models.Model):
    """An annotator who agreed to take part in a campaign."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="enrolments")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="enrolments")
    consented_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "annotator"], name="enrolment_unique")
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.campaign}"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def pending(self) -> "AssignmentQuerySet":
        return self.filter(completed_at__isnull=True)

    def completed(self) -> "AssignmentQuerySet":
        return self.filter(completed_at__isnull=False)

    def held_by(self, annotator: Annotator) -> "AssignmentQuerySet":
        return self.filter(annotator=annotator)


class Assignment(models.Model):
    """One of the k slots of a comparison: free, leased to one annotator, or completed.

    The database refuses a slot beyond k (a trigger in the first migration), a second use of a
    slot, and the same annotator twice on a comparison.
    """

    # Denormalised from the comparison so that leasing reads one index.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="assignments")
    slot = models.PositiveIntegerField(help_text="From 1 to the criterion's k.")
    a_on_left = models.BooleanField(help_text="Side order, planned and balanced at opening.")
    serve_order = models.PositiveIntegerField(help_text="Lowest is leased first.")

    # What a browser may know of a slot: it says nothing of comparison, sample or checkpoint.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    annotator = models.ForeignKey(
        Annotator, null=True, blank=True, on_delete=models.PROTECT, related_name="assignments"
    )
    leased_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        indexes = [
            # The lease query: the first free or expired slot of a campaign.
            models.Index(
                fields=["campaign", "serve_order"],
                name="assignment_to_serve",
                condition=Q(completed_at__isnull=True),
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "slot"], name="assignment_one_per_slot"),
            models.UniqueConstraint(
                fields=["comparison", "annotator"], name="assignment_once_per_annotator"
            ),
            models.CheckConstraint(condition=Q(slot__gte=1), name="assignment_slot_from_one"),
            models.CheckConstraint(
                name="assignment_lease_is_whole",
                condition=Q(
                    annotator__isnull=True, leased_at__isnull=True, lease_expires_at__isnull=True
                )
                | Q(
                    annotator__isnull=False,
                    leased_at__isnull=False,
                    lease_expires_at__gt=F("leased_at"),
                ),
            ),
            models.CheckConstraint(
                name="assignment_completed_by_someone",
                condition=Q(completed_at__isnull=True) | Q(annotator__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.comparison} slot {self.slot}"

    def is_leased(self, now: datetime) -> bool:
        """Return whether somebody holds this slot at `now`."""
        return self.lease_expires_at is not None and self.lease_expires_at >= now


class Vote(models.Model):
    """The answer to one assignment, by identity (`outcome`) and by side (`choice`).

    Rows are never changed or deleted, except that `retracted_at` is set when a vote is undone;
    one assignment has at most one vote that counts.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="votes")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="votes")
    choice = models.CharField(max_length=8, choices=Choice.choices)
    outcome = models.CharField(max_length=4, choices=Outcome.choices)
    a_on_left = models.BooleanField()
    response_time_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="From both images decoded to the answer; null without JS."
    )
    idempotency_key = models.UUIDField(unique=True)
    is_simulated = models.BooleanField()
    voted_at = models.DateTimeField(auto_now_add=True)
    retracted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment"],
                condition=Q(retracted_at__isnull=True),
                name="vote_one_per_assignment",
            ),
            models.CheckConstraint(
                name="vote_outcome_matches_side",
                condition=Q(choice="tie", outcome="TIE")
                | Q(choice="left", a_on_left=True, outcome="A")
                | Q(choice="left", a_on_left=False, outcome="B")
                | Q(choice="right", a_on_left=True, outcome="B")
                | Q(choice="right", a_on_left=False, outcome="A"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} on {self.assignment}"


class SurplusVote(models.Model):
    """An answer that came too late to count: kept with its reason, never counted."""

    class Reason(models.TextChoices):
        SLOT_REASSIGNED = "slot_reassigned", "The lease ran out and somebody else has the slot"
        ALREADY_ANSWERED = "already_answered", "This annotator had answered this pair before"
        CAMPAIGN_CLOSED = "campaign_closed", "The campaign was closed"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="surplus")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="surplus")
    choice = models.CharField(max_length=8, choices=Choice.choices)
    response_time_ms = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    idempotency_key = models.UUIDField(unique=True)
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"late {self.choice} on {self.assignment}"
