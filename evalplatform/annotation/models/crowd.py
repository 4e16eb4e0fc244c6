"""What is kept of crowd platforms, apart from votes."""

from django.db import models
from django.db.models import Q

from evalplatform.annotation.models.enrolments import Enrolment

ERASED = "erased-"  # begins what stands where a session of a platform stood


class CrowdVisitQuerySet(models.QuerySet["CrowdVisit"]):
    def telling(self) -> "CrowdVisitQuerySet":
        """Return those that still say by which session somebody came."""
        return self.exclude(session_id__startswith=ERASED)


class CrowdVisit(models.Model):
    """One session of a crowd platform for which an annotator came to a campaign."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="visits")
    platform = models.SlugField(max_length=40, db_index=False)
    study_id = models.CharField(max_length=128, blank=True, help_text="The platform's study.")
    session_id = models.CharField(
        max_length=128, blank=True, help_text="The platform's submission, or session."
    )
    is_proven = models.BooleanField(
        default=False, help_text="Whether the platform had signed the address."
    )
    status = models.CharField(
        max_length=20, blank=True, help_text="Of the submission, as the platform last told it."
    )
    came_at = models.DateTimeField(auto_now_add=True)

    objects = CrowdVisitQuerySet.as_manager()

    class Meta:
        # By it a message of the platform's finds the visit.
        indexes = [models.Index(fields=["session_id"], name="crowd_visit_session")]
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment", "platform", "session_id"], name="crowd_visit_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.enrolment} from {self.platform}"


class CrowdEvent(models.Model):
    """A message of a platform's that was acted on; sent again, it does nothing."""

    event_id = models.CharField(max_length=128, unique=True)
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.event_id


class Settlement(models.Model):
    """An approval or a bonus that was sent to the platform, after a person had decided so."""

    class Kind(models.TextChoices):
        APPROVAL = "approval", "Approval"
        BONUS = "bonus", "Bonus"

    class State(models.TextChoices):
        PAYING = "paying", "Asked for; whether it was paid is not known yet"
        SENT = "sent", "Sent"

    visit = models.ForeignKey(CrowdVisit, on_delete=models.PROTECT, related_name="settlements")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.DecimalField(
        max_digits=8, decimal_places=2, null=True, blank=True, help_text="In the study's currency."
    )
    payment_id = models.CharField(max_length=64, blank=True, help_text="The platform's own.")
    state = models.CharField(max_length=10, choices=State.choices)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["visit", "kind"], name="settlement_once"),
            models.CheckConstraint(
                name="settlement_bonus_has_an_amount",
                condition=Q(kind="bonus", amount__gt=0) | Q(kind="approval", amount__isnull=True),
            ),
            models.CheckConstraint(
                name="settlement_sent_has_a_time",
                condition=Q(state="sent", sent_at__isnull=False)
                | Q(state="paying", kind="bonus", sent_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for visit {self.visit_id}"
