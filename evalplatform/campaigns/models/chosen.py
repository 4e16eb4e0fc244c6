"""Which images of its collection a campaign asks about, where it does not ask about all."""

from django.db import models

from evalplatform.campaigns.models.campaign import Campaign
from evalplatform.images.models import CollectedImage


class ChosenImage(models.Model):
    """One image that a campaign asks about; a campaign without any asks about all of its arms'.

    It is of the campaign's collection, and frozen once the campaign has opened: the database
    refuses others (`campaigns/sql/chosen.sql`).
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="chosen")
    image = models.ForeignKey(CollectedImage, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(blank=True, help_text="Shown in place of its prompt, where there is.")

    class Meta:
        ordering = ["campaign", "image"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "image"], name="chosen_image_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.image}"
