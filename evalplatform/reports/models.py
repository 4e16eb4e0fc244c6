"""Results as they were last computed, kept for whoever asks next."""

from django.db import models
from django.db.models import Q

from evalplatform.campaigns.models import Campaign


class KeptResults(models.Model):
    """A campaign's last results: what they hang on, and whether newer ones were asked for.

    In the database, so that every web process and worker shares them, on whatever machine.
    """

    campaign = models.OneToOneField(
        Campaign, on_delete=models.CASCADE, primary_key=True, related_name="kept_results"
    )
    mark = models.CharField(
        max_length=64, blank=True, help_text="What they hang on; see reports.fingerprint."
    )
    code = models.CharField(max_length=64, blank=True, help_text="Hash of what computed them.")
    content = models.BinaryField(null=True, help_text="Signed; see reports.cached.")
    made_at = models.DateTimeField(null=True, help_text="When they had been computed.")
    seconds = models.FloatField(null=True, help_text="How long computing took.")
    asked_at = models.DateTimeField(
        null=True, help_text="When newer ones were asked for that nobody has begun to compute."
    )
    begun_at = models.DateTimeField(null=True, help_text="When somebody last began to compute.")
    trouble = models.TextField(blank=True, help_text="Why the last computing failed.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="kept_results_are_whole",
                condition=Q(content__isnull=True, mark="", made_at__isnull=True)
                | Q(content__isnull=False, mark__regex=r"^[0-9a-f]{64}$", made_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"results of {self.campaign_id} of {self.made_at}"
