"""What a campaign's door keeps: invitations for one person each, and how often somebody tried."""

from django.db import models
from django.db.models import F, Q

from evalplatform.accounts.models import Annotator, User
from evalplatform.campaigns.models import Campaign


class Invitation(models.Model):
    """A link that lets one person take part in a campaign. Its secret is kept as a hash alone.

    It is used once somebody enrolled by it (`Enrolment.invitation`); that it enrols nobody else is
    the database's unique constraint.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="invitations")
    number = models.PositiveIntegerField(help_text="Counted in the campaign from 1.")
    label = models.CharField(max_length=120, blank=True, help_text="For whom, as the list said.")
    annotator = models.ForeignKey(
        Annotator,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="As whom they take part, who worked elsewhere before; null: as somebody new.",
    )
    sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["campaign", "number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="invitation_number"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="invitation_is_kept_as_sha256"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="invitation_expires_later",
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.number} of {self.campaign}"


class RateCount(models.Model):
    """How often something was tried since its period began; see `annotation.doors.rate_limits`."""

    key = models.CharField(primary_key=True, max_length=64, help_text="Keyed hash of who tried.")
    began_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.count} since {self.began_at}"
