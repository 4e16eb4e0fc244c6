"""What annotators answered to the questions about the instructions."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from evalplatform.annotation.models.enrolments import Enrolment
from evalplatform.campaigns.comprehension_rules import MOST_TRIES


class ComprehensionTry(models.Model):
    """One try at the questions: what was answered, and which answers were wrong."""

    enrolment = models.ForeignKey(
        Enrolment, on_delete=models.CASCADE, related_name="comprehension_tries"
    )
    number = models.PositiveSmallIntegerField(help_text=f"1 to {MOST_TRIES}.")
    answers = models.JSONField(help_text="By question name.")
    wrong = ArrayField(models.CharField(max_length=40), blank=True, help_text="Question names.")
    answered_at = models.DateTimeField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["enrolment", "number"], name="comprehension_try_once"),
            models.CheckConstraint(
                condition=Q(number__gte=1, number__lte=MOST_TRIES),
                name="comprehension_tries_are_bounded",
            ),
        ]

    def __str__(self) -> str:
        return f"try {self.number} of {self.enrolment}"
