"""Drafts of campaigns: what is chosen, by whom, and what it was before."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.urls import reverse

from evalplatform.accounts.models import InProject, User
from evalplatform.campaigns.models import Campaign


class Draft(InProject):
    """Choices for a campaign that does not exist yet; several people may edit it.

    `version` goes up with every change and names the revision that holds what was chosen.
    """

    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=200, blank=True, help_text="For lists; empty: its name.")
    choices = models.JSONField(default=dict, blank=True, help_text="See runs.choices.")
    campaign = models.OneToOneField(
        Campaign,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="draft",
        help_text="What was made of it; then it changes no more.",
    )
    # Opening takes as long as images are copied: a worker does it.
    opening_asked_at = models.DateTimeField(null=True, blank=True)
    opening_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # A worker brings it as far as that: see runs.services.forwarding.
    forwarded_at = models.DateTimeField(
        null=True, blank=True, help_text="When a worker was last asked to bring it forward."
    )
    waits_for = models.TextField(blank=True, help_text="What its campaign waits for, in words.")
    # How far it is, told from outside of the transaction that opens.
    opening_doing = models.CharField(max_length=40, blank=True)
    opening_done = models.PositiveBigIntegerField(default=0)
    opening_total = models.PositiveBigIntegerField(default=0, help_text="0: not counted.")
    opening_beaten_at = models.DateTimeField(
        null=True, blank=True, help_text="When whoever opens it last told that they live."
    )
    opening_fault = models.TextField(blank=True, help_text="Why it could not open, in words.")
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-changed_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(version__gte=1), name="draft_version_from_one"),
        ]

    def __str__(self) -> str:
        return self.label

    def get_absolute_url(self) -> str:
        return reverse("runs:draft", args=[self.pk])

    @property
    def label(self) -> str:
        """What lists call it."""
        chosen: dict[str, Any] = self.choices
        return self.title or chosen.get("name") or " vs ".join(chosen.get("arms", [])) or "Untitled"


class DraftRevision(models.Model):
    """A draft as it was at one version: to tell two people what the other changed."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    choices = models.JSONField(default=dict, blank=True)
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["draft", "version"]
        constraints = [
            models.UniqueConstraint(fields=["draft", "version"], name="draft_revision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.draft} version {self.version}"
