"""The votes that fill slots, and the answers that came too late."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models.assignments import Assignment
from evalplatform.annotation.models.enrolments import Exclusion
from evalplatform.campaigns.forms.caption import LONGEST_CAPTION


class Vote(models.Model):
    """The answer to one assignment: as it was given, and as grades of the set's images by place.

    Rows are never deleted, and of a stored row only `retracted_at` (undone) and `exclusion` may
    change: a trigger refuses the rest. One assignment has at most one vote that counts. The
    database computes the grades itself and refuses others (`annotation/sql/grades.sql`).
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="votes")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="votes")
    form = models.CharField(max_length=20)
    answer = models.CharField(
        max_length=LONGEST_CAPTION,
        help_text="By position, or a text; see campaigns.forms. Up to 40 letters, but for a text.",
    )
    marks = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="Heads marked."
    )
    order = ArrayField(models.SmallIntegerField())
    grades = ArrayField(
        models.SmallIntegerField(), help_text="By place; higher is better, equal is a tie."
    )
    response_time_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="From all images decoded to the answer; null without JS."
    )
    idempotency_key = models.UUIDField(unique=True)
    viewport_width = models.PositiveIntegerField(null=True, blank=True, help_text="CSS pixels.")
    viewport_height = models.PositiveIntegerField(null=True, blank=True, help_text="CSS pixels.")
    pixel_ratio = models.FloatField(
        null=True, blank=True, help_text="Device pixels to a CSS pixel."
    )
    zoomed = models.BooleanField(null=True, blank=True, help_text="Whether zoom was used.")
    shown_px = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Device pixels of the side of each image as it was shown, before any zoom.",
    )
    language = models.CharField(
        max_length=16,
        blank=True,
        default="",
        db_default="",
        help_text="In which the question was read; empty: as the researcher wrote it.",
    )
    is_simulated = models.BooleanField()
    voted_at = models.DateTimeField()
    retracted_at = models.DateTimeField(null=True, blank=True)
    exclusion = models.ForeignKey(
        Exclusion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="votes",
        db_index=False,  # vote_excluded has the few
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["exclusion"],
                name="vote_excluded",
                condition=Q(exclusion__isnull=False),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["assignment"],
                condition=Q(retracted_at__isnull=True, exclusion__isnull=True),
                name="vote_one_per_assignment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.answer} on {self.assignment}"


class SurplusVote(models.Model):
    """An answer that came too late to count: kept with its reason, never counted."""

    class Reason(models.TextChoices):
        SLOT_REASSIGNED = "slot_reassigned", "The lease ran out and somebody else has the slot"
        ALREADY_ANSWERED = "already_answered", "This annotator had answered this before"
        CAMPAIGN_CLOSED = "campaign_closed", "The campaign was closed"
        ANNOTATOR_EXCLUDED = "annotator_excluded", "The annotator had been excluded"
        WAS_SKIPPED = "was_skipped", "This annotator had skipped this before"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="surplus")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="surplus")
    answer = models.CharField(max_length=LONGEST_CAPTION)
    response_time_ms = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    idempotency_key = models.UUIDField(unique=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"late {self.answer} on {self.assignment}"
