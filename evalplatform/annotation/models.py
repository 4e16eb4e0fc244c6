"""Exactly k slots per comparison, and the votes that fill them."""

import secrets
import uuid

from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.campaigns.models import Campaign, Comparison, Criterion, GoldPair


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
    BOTH = "both", "Both"
    NEITHER = "neither", "Neither"


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
    qualified_at = models.DateTimeField(null=True, blank=True)
    questionnaire = models.JSONField(null=True, blank=True, help_text="Answers by question name.")

    # Where this annotator stands, kept as they go so that no request has to count.
    cursor = models.IntegerField(
        default=-1, help_text="Serve order of the furthest comparison taken so far."
    )
    criterion = models.ForeignKey(Criterion, null=True, blank=True, on_delete=models.SET_NULL)
    served = models.PositiveIntegerField(default=0, help_text="Comparisons taken so far.")
    taken_here = models.PositiveIntegerField(
        default=0, help_text="Comparisons taken of the criterion they are at."
    )
    gold_here = models.PositiveIntegerField(
        default=0, help_text="Hidden gold pairs taken at that criterion."
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
            models.UniqueConstraint(fields=["campaign", "annotator"], name="enrolment_unique")
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.campaign}"


class CrowdVisit(models.Model):
    """One session (Prolific) or assignment (MTurk) for which an annotator came to a campaign."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="visits")
    platform = models.CharField(max_length=10, choices=CrowdIdentity.Platform.choices)
    study_id = models.CharField(max_length=64, blank=True, help_text="STUDY_ID, or hitId.")
    session_id = models.CharField(max_length=64, blank=True, help_text="SESSION_ID; assignmentId.")
    submit_to = models.CharField(max_length=100, blank=True, help_text="MTurk's turkSubmitTo.")
    came_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment", "platform", "session_id"], name="crowd_visit_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.enrolment} from {self.get_platform_display()}"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def main(self) -> "AssignmentQuerySet":
        """Only the k slots of comparisons, no checks."""
        return self.filter(purpose=Assignment.Purpose.MAIN)

    def pending(self) -> "AssignmentQuerySet":
        return self.filter(completed_at__isnull=True)

    def completed(self) -> "AssignmentQuerySet":
        return self.filter(completed_at__isnull=False)

    def held_by(self, annotator: Annotator | int) -> "AssignmentQuerySet":
        return self.filter(annotator=annotator)


class Assignment(models.Model):
    """One of the k slots of a comparison: free, leased to one annotator, or completed.

    The database refuses a slot beyond k (a trigger in the second migration), a second use of a
    slot, and the same annotator twice on a comparison.

    Checks are assignments too, made when they are served, so that an annotator cannot tell them
    apart: a gold pair, or a comparison this annotator judged before with its sides swapped. They
    take no slot and their votes are never counted among a comparison's k.
    """

    class Purpose(models.TextChoices):
        MAIN = "main", "One of the k"
        REPEAT = "repeat", "Repeated with sides swapped"
        GOLD = "gold", "Gold pair"
        QUALIFICATION = "qualification", "Gold pair before the first comparison"

    # Denormalised from the comparison so that leasing reads one index.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.MAIN)
    comparison = models.ForeignKey(
        Comparison,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="assignments",
        db_index=False,  # assignment_met begins with it
    )
    gold = models.ForeignKey(
        GoldPair, null=True, blank=True, on_delete=models.PROTECT, related_name="assignments"
    )
    slot = models.PositiveIntegerField(null=True, blank=True, help_text="1 to the criterion's k.")
    a_on_left = models.BooleanField(
        help_text="Side order, planned and balanced at opening; of a gold pair: the better one."
    )
    serve_order = models.PositiveIntegerField(help_text="The comparison's; lowest is leased first.")

    # What a browser may know of a slot: it says nothing of comparison, sample or checkpoint.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
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
    answers: str  # its criterion's, where a query reads them along

    class Meta:
        # One for each way leasing looks for a slot, one for whom it may go to, one for what
        # somebody holds.
        indexes = [
            models.Index(fields=["comparison", "annotator"], name="assignment_met"),
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
            models.UniqueConstraint(fields=["comparison", "slot"], name="assignment_one_per_slot"),
            models.UniqueConstraint(
                fields=["comparison", "annotator"],
                condition=Q(purpose="main"),
                name="assignment_once_per_annotator",
            ),
            models.UniqueConstraint(
                fields=["comparison", "annotator"],
                condition=Q(purpose="repeat"),
                name="assignment_one_repeat",
            ),
            models.UniqueConstraint(
                fields=["gold", "annotator"], name="assignment_gold_once_per_annotator"
            ),
            models.CheckConstraint(
                name="assignment_purpose_is_whole",
                condition=Q(
                    purpose="main", comparison__isnull=False, slot__isnull=False, gold__isnull=True
                )
                | Q(
                    purpose="repeat",
                    comparison__isnull=False,
                    slot__isnull=True,
                    gold__isnull=True,
                    annotator__isnull=False,
                )
                | Q(
                    purpose__in=["gold", "qualification"],
                    comparison__isnull=True,
                    slot__isnull=True,
                    gold__isnull=False,
                    annotator__isnull=False,
                ),
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
        return f"{self.comparison or self.gold} {self.purpose} {self.slot or ''}".rstrip()

    @property
    def criterion(self) -> Criterion:
        """The criterion it is judged on, be it a comparison's or a gold pair's."""
        subject = self.comparison or self.gold
        assert subject is not None  # assignment_purpose_is_whole
        return subject.criterion

    @property
    def prompt_text(self) -> str:
        if self.comparison:
            return self.comparison.prompt.text
        return self.gold.prompt_text if self.gold else ""

    def image_on(self, side: str) -> str:
        """Return the storage name of the image on the `left` or `right`."""
        first = (side == "left") == self.a_on_left
        if self.comparison and self.purpose == self.Purpose.REPEAT:
            again = self.comparison
            return again.repeat_image_a if first else again.repeat_image_b
        if self.comparison:
            return self.comparison.image_a if first else self.comparison.image_b
        assert self.gold is not None
        return self.gold.better_image if first else self.gold.worse_image


class Release(models.Model):
    """An assignment that left an annotator for good: they are never offered the comparison again.

    A lease that merely ran out leaves none: the pair may come back to whoever left it unanswered.
    """

    class Reason(models.TextChoices):
        BROKEN_IMAGE = "broken_image", "Skipped: an image does not show"
        UNSAFE = "unsafe", "Skipped: unsafe or disturbing"
        CANNOT_JUDGE = "cannot_judge", "Skipped: cannot judge"
        LATE_ANSWER = "late_answer", "Answered after somebody else had the slot"
        EXCLUDED = "excluded", "The vote was excluded"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="releases")
    comparison = models.ForeignKey(
        Comparison, null=True, blank=True, on_delete=models.PROTECT, related_name="releases"
    )
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="releases")
    reason = models.CharField(max_length=16, choices=Reason.choices)
    released_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["comparison", "annotator"], name="release_unique")
        ]

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
    """The answer to one assignment, by identity (`outcome`) and by side (`choice`).

    Rows are never deleted, and of a stored row only `retracted_at` (undone) and `exclusion` may
    change: a trigger refuses the rest. One assignment has at most one vote that counts.
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
            models.CheckConstraint(
                name="vote_outcome_matches_side",
                condition=Q(choice__in=["tie", "both", "neither"], outcome="TIE")
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
        ANNOTATOR_EXCLUDED = "annotator_excluded", "The annotator had been excluded"
        WAS_SKIPPED = "was_skipped", "This annotator had skipped this pair before"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="surplus")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="surplus")
    choice = models.CharField(max_length=8, choices=Choice.choices)
    response_time_ms = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    idempotency_key = models.UUIDField(unique=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"late {self.choice} on {self.assignment}"
