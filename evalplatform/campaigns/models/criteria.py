"""What annotators of a campaign judge."""

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from evalplatform.campaigns.forms import FORMS, Form, form_named
from evalplatform.campaigns.models.campaign import Campaign


class Words(NamedTuple):
    """A criterion as it is read. `language` is empty where it is as the researcher wrote it."""

    language: str
    question: str
    instructions: str
    heads: Sequence[str]


class Criterion(models.Model):
    """What annotators judge, in which form, and how many of them judge each item."""

    class Gold(models.TextChoices):
        """How a set of known grades is made for it from the campaign's own images."""

        DAMAGED_COPY = "damaged_copy", "An image against a spoilt copy of itself"
        OTHER_PROMPT = "other_prompt", "An image against that of another prompt"
        NONE = "", "None can be made"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="criteria")
    slug = models.SlugField(max_length=40)
    label = models.CharField(max_length=80)
    question = models.TextField()
    instructions = models.TextField(blank=True)
    shows_prompt = models.BooleanField()
    form = models.CharField(
        max_length=20, choices=[(form.name, form.label) for form in FORMS.values()]
    )
    heads = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="What may be marked beside an answer: the guideline's heads.",
    )
    translations = models.JSONField(
        default=dict,
        blank=True,
        help_text="By language: its question, instructions and heads, as annotators read them.",
    )
    gold = models.CharField(max_length=20, choices=Gold.choices, default=Gold.NONE, blank=True)
    k = models.PositiveIntegerField(
        help_text="Annotators per item.", validators=[MinValueValidator(1)]
    )
    position = models.PositiveIntegerField(help_text="Order in which annotators meet it.")

    class Meta:
        verbose_name_plural = "criteria"
        ordering = ["campaign", "position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "slug"], name="criterion_unique_slug"),
            models.UniqueConstraint(fields=["campaign", "position"], name="criterion_unique_place"),
            models.CheckConstraint(condition=Q(k__gte=1), name="criterion_k_at_least_one"),
            models.CheckConstraint(
                condition=Q(form__in=list(FORMS)), name="criterion_form_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(slug="visual_appeal", shows_prompt=True),
                name="criterion_appeal_hides_prompt",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    def in_language(self, language: str) -> Words:
        """Return its texts in a language; those it was written in where it has none there."""
        found = self.translations.get(language)
        if found is None:
            return Words("", self.question, self.instructions, self.heads)
        return Words(
            language, found["question"], found["instructions"], found["heads"] or self.heads
        )

    @property
    def shape(self) -> Form:
        """Its form."""
        return form_named(self.form)
