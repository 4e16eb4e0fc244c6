"""The form of the planning page. Percentages for people, shares inside."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.campaigns.criteria import CRITERIA
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.core.errors import BadInputError
from evalplatform.reports.planning import (
    EXPECTED_ANNOTATOR_SHARE,
    EXPECTED_PROMPT_SHARE,
    EXPECTED_TIES,
    StudyAnswer,
    StudyQuestion,
    answer,
    pilot_components,
)
from evalplatform.stats import Components, StatsError, stated_components

_BOUNDS = [
    ("votes_per_annotator", "Votes one annotator casts at most"),
    ("annotators", "Annotators there are"),
    ("prompts", "Prompts there are"),
]


def _percent(label: str, initial: float, most: float = 100.0, **options: Any) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        initial=100 * initial,
        min_value=0,
        max_value=most,
        widget=forms.NumberInput(attrs={"step": "any"}),
        **options,
    )


def _criteria(pilots: QuerySet[Campaign]) -> list[tuple[str, str]]:
    """The criteria shipped, and those that campaigns ask besides, as (slug, label)."""
    rows = Criterion.objects.filter(campaign__in=pilots).order_by("slug")
    asked = rows.values_list("slug", "label").distinct("slug")
    return list((dict(asked) | {each.slug: each.label for each in CRITERIA.values()}).items())


class PlanForm(forms.Form):
    """What to find, what bounds the study, and how much votes differ."""

    effect = _percent("Net preference to find, %", 0.1)
    power = _percent("Chance to find it, %", 0.8, 99.9)
    bound = forms.ChoiceField(label="What is limited", choices=_BOUNDS, initial=_BOUNDS[0][0])
    number = forms.IntegerField(label="How many", initial=50, min_value=1, max_value=10_000_000)
    votes_per_prompt = forms.IntegerField(
        label="Annotators on each prompt", initial=5, min_value=1, max_value=1000
    )
    price = forms.FloatField(
        label="Price of one vote (optional)",
        required=False,
        min_value=0,
        max_value=1_000_000,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    pilot = forms.ModelChoiceField(
        label="Pilot",
        queryset=Campaign.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label="None: as stated below",
    )
    criterion = forms.ChoiceField(label="Criterion of the pilot", initial="visual_appeal")
    ties = _percent("Ties, %", EXPECTED_TIES)
    prompt_share = _percent("Variance between prompts, %", EXPECTED_PROMPT_SHARE)
    annotator_share = _percent("Variance between annotators, %", EXPECTED_ANNOTATOR_SHARE)

    answer: StudyAnswer | None = None

    def __init__(self, *args: Any, user: Asking, **options: Any) -> None:
        super().__init__(*args, **options)
        pilot, criterion = self.fields["pilot"], self.fields["criterion"]
        assert isinstance(pilot, forms.ModelChoiceField)
        assert isinstance(criterion, forms.ChoiceField)
        pilots = visible_to(user, Campaign.objects.filter(opened_at__isnull=False))
        pilot.queryset, criterion.choices = pilots, _criteria(pilots)

    @classmethod
    def filled(cls, given: QueryDict) -> dict[str, object]:
        """Return an address's answers with the defaults of those that it leaves out."""
        defaults = {name: field.initial for name, field in cls.base_fields.items()}
        return defaults | given.dict()

    def clean_effect(self) -> float:
        effect: float = self.cleaned_data["effect"]
        if effect == 0:
            raise forms.ValidationError("Give more than 0 %: the least that you want to find.")
        return effect

    def clean_power(self) -> float:
        power: float = self.cleaned_data["power"]
        if power <= 5:
            raise forms.ValidationError(
                "Give more than 5 %, such as 80: so often a test finds something by chance alone."
            )
        return power

    def clean_ties(self) -> float:
        ties: float = self.cleaned_data["ties"]
        if ties == 100:
            raise forms.ValidationError("Give less than 100 %: ties alone prefer nothing.")
        return ties

    def clean(self) -> dict[str, Any] | None:
        given = super().clean() or self.cleaned_data
        together = sum(given.get(name, 0) for name in ("prompt_share", "annotator_share"))
        if together > 100:
            self.add_error(
                "annotator_share",
                f"Give at most 100 % together with prompts; these are {together:g} %.",
            )
        if self.errors:
            return given
        try:
            self.answer = answer(
                StudyQuestion(
                    components=self._components(),
                    effect=given["effect"] / 100,
                    bound=given["bound"],
                    number=given["number"],
                    votes_per_prompt=given["votes_per_prompt"],
                    power=given["power"] / 100,
                    price=given["price"],
                )
            )
        except (BadInputError, StatsError) as error:
            raise forms.ValidationError(str(error)) from error
        return given

    def _components(self) -> Components:
        given = self.cleaned_data
        if given["pilot"]:
            return pilot_components(given["pilot"], given["criterion"])
        return stated_components(
            tie=given["ties"] / 100,
            prompt_share=given["prompt_share"] / 100,
            annotator_share=given["annotator_share"] / 100,
        )

    def group(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def study(self) -> list[forms.BoundField]:
        return self.group("effect", "power", "bound", "number", "votes_per_prompt", "price")

    @property
    def from_pilot(self) -> list[forms.BoundField]:
        return self.group("pilot", "criterion")

    @property
    def stated(self) -> list[forms.BoundField]:
        return self.group("ties", "prompt_share", "annotator_share")
