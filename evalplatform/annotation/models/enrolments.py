"""Who takes part in a campaign, and where they stand."""

import secrets

from django.db import models
from django.db.models import Q

from evalplatform.accounts.models import Annotator, User
from evalplatform.annotation.models.doors import Invitation
from evalplatform.campaigns.models import Campaign, Criterion


def new_check_seed() -> int:
    """Return the seed of an annotator's checks: random, so that nobody can work them out."""
    return secrets.randbits(63)


class Enrolment(models.Model):
    """An annotator who agreed to take part in a campaign."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        DISQUALIFIED = "disqualified", "Disqualified"
        RETURNED = "returned", "Gave the work back"

    # What every vote changes is in no index, so that it stays in its place of the table.
    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="enrolments",
        db_index=False,  # enrolment_unique begins with it
    )
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="enrolments")
    consented_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    understood_at = models.DateTimeField(
        null=True, blank=True, help_text="When the questions about the instructions were passed."
    )
    qualified_at = models.DateTimeField(null=True, blank=True)
    qualification_try = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Which try at the qualification they are at, or passed."
    )
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
        help_text="Keyed hash of where they began; see annotation.doors.places.",
    )
    browser_hash = models.CharField(
        max_length=64, blank=True, help_text="Keyed hash of the browser they began with."
    )

    # Where this annotator stands, kept as they go so that no request has to count.
    cursor = models.IntegerField(
        default=-1, help_text="Serve order of the furthest item taken so far."
    )
    criterion = models.ForeignKey(
        Criterion, null=True, blank=True, on_delete=models.SET_NULL, db_index=False
    )
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
        "Vote",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "annotator"], name="enrolment_unique"),
            models.UniqueConstraint(fields=["campaign", "member"], name="enrolment_one_a_member"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.campaign}"


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
