"""Exactly k slots an item, and who gave one back for good."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import ExpressionWrapper, F, Q

from evalplatform.accounts.models import Annotator
from evalplatform.campaigns.models import Campaign, Item


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
    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="assignments",
        db_index=False,  # assignment_held begins with it
    )
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.MAIN)
    item = models.ForeignKey(
        Item,
        on_delete=models.CASCADE,
        related_name="assignments",
        db_index=False,  # assignment_once_per_annotator begins with it
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
        db_index=False,  # never asked for without the campaign or the item
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
        # One for each way leasing looks for a slot, one for what somebody holds. To whom an item
        # may go is looked up where assignment_once_per_annotator keeps it: no other index begins
        # with the annotator, or else PostgreSQL would read all that they judged for each item,
        # wherever it believes that to be little. Each vote writes every index twice, so there is
        # none that another could stand in for.
        indexes = [
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
            models.Index(fields=["campaign", "annotator", "completed_at"], name="assignment_held"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["item", "slot"], name="assignment_one_per_slot"),
            # And once more as a repeat.
            models.UniqueConstraint(
                "item",
                "annotator",
                ExpressionWrapper(Q(purpose="repeat"), output_field=models.BooleanField()),
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

    One of their own work is there from the start: the item is never offered to them.
    A lease that merely ran out leaves none: the item may come back to whoever left it unanswered.
    """

    class Reason(models.TextChoices):
        BROKEN_IMAGE = "broken_image", "Skipped: an image does not show"
        UNSAFE = "unsafe", "Skipped: unsafe or disturbing"
        CANNOT_JUDGE = "cannot_judge", "Skipped: cannot judge"
        LATE_ANSWER = "late_answer", "Answered after somebody else had the slot"
        EXCLUDED = "excluded", "The vote was excluded"
        OWN_WORK = "own_work", "It is about what they made themselves"

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
