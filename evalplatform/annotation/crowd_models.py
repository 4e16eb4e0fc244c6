"""What is kept of crowd platforms, apart from votes."""

from django.db import models


class CrowdVisit(models.Model):
    """One session of a crowd platform for which an annotator came to a campaign."""

    enrolment = models.ForeignKey(
        "annotation.Enrolment", on_delete=models.CASCADE, related_name="visits"
    )
    platform = models.SlugField(max_length=40, db_index=False)
    study_id = models.CharField(max_length=128, blank=True, help_text="The platform's study.")
    session_id = models.CharField(
        max_length=128, blank=True, help_text="The platform's submission, or session."
    )
    is_proven = models.BooleanField(
        default=False, help_text="Whether the platform had signed the address."
    )
    came_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment", "platform", "session_id"], name="crowd_visit_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.enrolment} from {self.platform}"
