"""Exactly k slots an item, and the votes that fill them."""

import secrets
import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import Annotator, User
from evalplatform.annotation.comprehension_models import ComprehensionTry
from evalplatform.annotation.crowd_models import CrowdEvent, CrowdVisit, Settlement
from evalplatform.annotation.door_models import Invitation, RateCount
from evalplatform.campaigns.models import Campaign, Criterion, Item

__all__ = [
    "Assignment",
    "ComprehensionTry",
    "CrowdEvent",
    "CrowdVisit",
    "Enrolment",
    "Exclusion",
    "Invitation",
    "RateCount",
    "Release",
    "Settlement",
    "SurplusVote",
    "Vote",
]


def new_check_seed() -> int:
    """Return the seed of an annotator's checks: random, so that nobody can work them out."""
    return secrets.randbits(63)


class Enrolment(models.Model):
    """An annotator who agreed to take part in a campaign."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        DISQUALIFIED = "disqualified", "Disqualified"
        RETURNED = "returned", "Gave the work back"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="enrolments")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="enrolments")
    consented_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    understood_at = models.DateTimeField(
        null=True, blank=True, help_text="When the questions about the instructions were passed."
    )
    qualified_at = models.DateTimeField(null=True, blank=True)
    questionnaire = models.JSONField(null=True, blank=True, help_text="Answers by question name.")

    # How they came in. The last three are personal data (docs/doors.md).
    invitation = models.OneToOneField(
        Invitation, null=True, blank=True, on_delete=models.RESTRICT, related_name="enrolment"
    )
    member = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="enrolments"
    )
    address_hash = models.CharField(
        max_length=64,
        blank=True,
        help_text="Keyed hash of where they began; see annotation.places.",
    )
    browser_hash = models.CharField(
        max_length=64, blank=True, help_text="Keyed hash of the browser they began with."
    )

    # Where this annotator stands, kept as they go so that no request has to count.
    cursor = models.IntegerField(
        default=-1, help_text="Serve order of the furthest item taken so far."
    )
    criterion = models.ForeignKey(Criterion, null=True, blank=True, on_delete=models.SET_NULL)
    served = models.PositiveIntegerField(default=0, help_text="Items taken so far.")
    taken_here = models.PositiveIntegerField(
        default=0, help_text="Items taken of the criterion they are at."
    )
    gold_here = models.PositiveIntegerField(
        default=0, help_text="Hidden gold taken at that criterion."
    )
    check_seed = models.PositiveBigIntegerField(default=new_check_seed, editable=False)
    turn = models.PositiveIntegerField(
        default=0, help_text="How far they are in the plan that it gives (annotation.turns)."
    )
    total = models.PositiveIntegerField(
        null=True, blank=True, help_text="The total that their page shows; it does not rise."
    )
    judged = models.PositiveIntegerField(default=0, help_text="Answers that stand, checks too.")
    last_vote = models.ForeignKey(
        "Vote", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "annotator"], name="enrolment_unique"),
            models.UniqueConstraint(fields=["campaign", "member"], name="enrolment_one_a_member"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.campaign}"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def main(self) -> "AssignmentQuerySet":
        """Only the k slots of items, no checks."""
        return self.filter(purpose=Assignment.Purpose.MAIN)

    def pending(self) -> "AssignmentQuerySet":
        return self.filter(completed_at__isnull=True)

    def completed(self) -> "AssignmentQuerySet":
        return self.filter(completed_at__isnull=False)

    def held_by(self, annotator: Annotator | int) -> "AssignmentQuerySet":
        return self.filter(annotator=annotator)


class Assignment(models.Model):
    """One of the k slots of an item: free, leased to one annotator, or completed.

    The database refuses a slot beyond k, an order that is no permutation (`annotation/sql`), a
    second use of a slot, and the same annotator twice on an item.

    Checks are assignments too, made when they are served, so that an annotator cannot tell them
    apart: gold, or an item this annotator judged before with its images turned round. They take
    no slot and their votes are never counted among an item's k.
    """

    class Purpose(models.TextChoices):
        MAIN = "main", "One of the k"
        REPEAT = "repeat", "Repeated with its images turned round"
        GOLD = "gold", "Gold"
        QUALIFICATION = "qualification", "Gold before the first item"

    # Denormalised from the item so that leasing reads one index.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.MAIN)
    item = models.ForeignKey(
        Item,
        on_delete=models.CASCADE,
        related_name="assignments",
        db_index=False,  # assignment_met begins with it
    )
    slot = models.PositiveIntegerField(null=True, blank=True, help_text="1 to the criterion's k.")
    order = ArrayField(
        models.SmallIntegerField(),
        help_text="Which place of the set is shown at each position; planned and balanced.",
    )
    serve_order = models.PositiveIntegerField(help_text="The item's; lowest is leased first.")

    # What a browser may know of a slot: it says nothing of item, sample or arm.
    public_id = models.UUIDField(
        default=uuid.uuid4, db_default=RandomUUID(), unique=True, editable=False
    )
    annotator = models.ForeignKey(
        Annotator,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="assignments",
        db_index=False,  # assignment_held begins with it
    )
    leased_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(
        null=True, blank=True, help_text="When the slot last came back from an annotator."
    )

    objects = AssignmentQuerySet.as_manager()
    form: str  # its criterion's, where a query reads them along
    heads: list[str]

    class Meta:
        # One for each way leasing looks for a slot, one for whom it may go to, one for what
        # somebody holds.
        indexes = [
            models.Index(fields=["item", "annotator"], name="assignment_met"),
            models.Index(
                fields=["campaign", "serve_order", "slot"],
                name="assignment_free",
                condition=Q(annotator__isnull=True),
            ),
            models.Index(
                fields=["campaign", "serve_order", "slot"],
                name="assignment_came_back",
                condition=Q(annotator__isnull=True, released_at__isnull=False),
            ),
            models.Index(
                fields=["campaign", "lease_expires_at"],
                name="assignment_leased",
                condition=Q(completed_at__isnull=True, annotator__isnull=False),
            ),
            models.Index(fields=["annotator", "campaign", "completed_at"], name="assignment_held"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["item", "slot"], name="assignment_one_per_slot"),
            models.UniqueConstraint(
                fields=["item", "annotator"],
                condition=Q(purpose="repeat"),
                name="assignment_one_repeat",
            ),
            models.UniqueConstraint(
                fields=["item", "annotator"],
                condition=~Q(purpose="repeat"),
                name="assignment_once_per_annotator",
            ),
            models.CheckConstraint(
                name="assignment_slot_or_check",
                condition=Q(purpose="main", slot__isnull=False)
                | (~Q(purpose="main") & Q(slot__isnull=True, annotator__isnull=False)),
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
        return f"{self.item} {self.purpose} {self.slot or ''}".rstrip()


class Release(models.Model):
    """An assignment that left an annotator for good: they are never offered the item again.

    A lease that merely ran out leaves none: the item may come back to whoever left it unanswered.
    """

    class Reason(models.TextChoices):
        BROKEN_IMAGE = "broken_image", "Skipped: an image does not show"
        UNSAFE = "unsafe", "Skipped: unsafe or disturbing"
        CANNOT_JUDGE = "cannot_judge", "Skipped: cannot judge"
        LATE_ANSWER = "late_answer", "Answered after somebody else had the slot"
        EXCLUDED = "excluded", "The vote was excluded"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="releases")
    item = models.ForeignKey(
        Item, null=True, blank=True, on_delete=models.PROTECT, related_name="releases"
    )
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="releases")
    reason = models.CharField(max_length=16, choices=Reason.choices)
    released_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "annotator"], name="release_unique")]

    def __str__(self) -> str:
        return f"{self.assignment} left by {self.annotator}: {self.reason}"


class Exclusion(models.Model):
    """A decision that an annotator's votes in a campaign do not count. Nothing is deleted."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.PROTECT, related_name="exclusions")
    rule = models.CharField(max_length=40)
    detail = models.TextField(help_text="The figures that decided, in words.")
    decided_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment"],
                condition=Q(revoked_at__isnull=True),
                name="exclusion_one_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"{self.enrolment}: {self.rule}"


class Vote(models.Model):
    """The answer to one assignment: as it was given, and as grades of the set's images by place.

    Rows are never deleted, and of a stored row only `retracted_at` (undone) and `exclusion` may
    change: a trigger refuses the rest. One assignment has at most one vote that counts. The
    database computes the grades itself and refuses others (`annotation/sql/grades.sql`).
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="votes")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="votes")
    form = models.CharField(max_length=20)
    answer = models.CharField(max_length=40, help_text="By position; see campaigns.forms.")
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
    is_simulated = models.BooleanField()
    voted_at = models.DateTimeField()
    retracted_at = models.DateTimeField(null=True, blank=True)
    exclusion = models.ForeignKey(
        Exclusion, null=True, blank=True, on_delete=models.PROTECT, related_name="votes"
    )

    class Meta:
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
    answer = models.CharField(max_length=40)
    response_time_ms = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    idempotency_key = models.UUIDField(unique=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"late {self.answer} on {self.assignment}"
