"""The form of the campaign builder: a field for every choice of a draft."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from django import forms

from evalplatform.campaigns.criteria import PRESETS
from evalplatform.campaigns.crowd_presets import PRESETS as PLATFORMS
from evalplatform.campaigns.designs import MOST_PAIRS
from evalplatform.campaigns.forms import FORMS
from evalplatform.campaigns.rules import Door
from evalplatform.runs.choices import Sampler
from evalplatform.runs.selectors import PartsOfDrafts

_PRESETS = {
    "default": "Appeal and faithfulness, 5 people each",
    "emu": "As Emu was evaluated: appeal by 5, faithfulness by 3 (both / neither)",
    "diffusion-dpo": "Appeal, overall preference, faithfulness, 5 people each",
    "composition": "Appeal and three aspects of composition, 5 people each",
}
_DOORS = {
    Door.OPEN: "Whoever has the link",
    Door.INVITATIONS: "Who has an invitation of their own",
    Door.CROWD: "Who comes from a crowd platform",
    Door.MEMBERS: "Who is signed in here",
}
_DESIGNS = {
    "all-pairs": "Every two arms",
    "against": "Each with the first arm (A)",
    "random": "Some random pairs a prompt",
    "together": "All at once, as a ranking (3 to 8 arms)",
}
_FORMS = {name: form.label for name, form in FORMS.items()}
_GOLD = [
    ("damaged_copy", "Spoilt copies"),
    ("other_prompt", "Another prompt's image"),
    ("", "None"),
]
MOST_CRITERIA = 20


def _number(label: str, *, help_text: str = "", **options: Any) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "any"})
    return forms.FloatField(
        label=label, required=False, help_text=help_text, widget=widget, **options
    )


def _whole(label: str, *, help_text: str = "", **options: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, help_text=help_text, **options)


def _percent(label: str, help_text: str = "") -> forms.FloatField:
    return _number(f"{label}, %", help_text=help_text, min_value=0, max_value=100)


def _several(label: str) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, required=False, widget=forms.SelectMultiple(attrs={"size": 6})
    )


class CriterionForm(forms.Form):
    """One criterion in its exact words."""

    slug = forms.RegexField(
        r"^[a-z][a-z0-9_]{0,39}$", label="Short name", max_length=40,
        help_text="Small letters, digits and underscores; for files and tables.",
        error_messages={"invalid": "“%(value)s”: a small letter first, then small letters, digits "
                        "and underscores alone, as in text_in_image."},
    )  # fmt: skip
    label = forms.CharField(label="Name in reports", max_length=80, required=False)
    question = forms.CharField(
        label="Question, as it is shown", max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )
    instructions = forms.CharField(
        label="Instructions below it", max_length=4000, required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip
    # What a browser sends of an empty row must be what the row began with.
    form = forms.ChoiceField(label="Answer", choices=list(_FORMS.items()), initial="pair")
    k = forms.IntegerField(label="People on each item", min_value=1, max_value=1000, initial=5)
    shows_prompt = forms.BooleanField(label="The prompt is shown", required=False)
    gold = forms.ChoiceField(
        label="Gold is made of", choices=_GOLD, required=False, initial="damaged_copy"
    )
    remove = forms.BooleanField(label="Take this criterion out", required=False)


# Those of the draft, and an empty one to add.
CriterionForms = forms.formset_factory(
    CriterionForm, extra=1, max_num=MOST_CRITERIA, absolute_max=MOST_CRITERIA + 5
)


class DraftForm(forms.Form):
    """Every choice of a draft but its criteria."""

    arm_a = forms.ChoiceField(label="A", required=False)
    arm_b = forms.ChoiceField(label="B", required=False)
    more_arms = forms.MultipleChoiceField(
        label="More arms", required=False, widget=forms.SelectMultiple(attrs={"size": 5}),
        help_text="Two arms are compared; with more, they are ranked.",
    )  # fmt: skip
    design_kind = forms.ChoiceField(
        label="Who meets whom", choices=list(_DESIGNS.items()), required=False
    )
    design_sets = _whole(
        "Pairs a prompt", min_value=1, max_value=MOST_PAIRS, help_text="Of random pairs alone."
    )
    images_per_prompt = _whole("Images of each prompt and arm", min_value=1, max_value=1000)
    name = forms.RegexField(
        r"^[-a-zA-Z0-9_]+$", label="Campaign name", max_length=80, required=False,
        help_text="Letters, digits, hyphens and underscores; from the arms if empty.",
        error_messages={"invalid": "“%(value)s”: letters without accents, digits, hyphens and "
                        "underscores alone, as in tuned-vs-base."},
    )  # fmt: skip

    sets = forms.MultipleChoiceField(
        label="Prompt sets", required=False, widget=forms.CheckboxSelectMultiple
    )
    category, challenge, tag = _several("Category"), _several("Challenge"), _several("Tag")
    text = forms.CharField(
        label="Words in the prompt", required=False, max_length=500,
        help_text="Parts of its text, with a comma between; one is enough.",
    )  # fmt: skip
    third = forms.TypedChoiceField(
        label="Random third", required=False, coerce=int, empty_value=None,
        choices=[("", "The whole set"), (1, "First third"), (2, "Second third"), (3, "Last third")],
        help_text="Thirds of one seed share no prompt.",
    )  # fmt: skip
    third_seed = _whole("Seed of the thirds", min_value=0, help_text="The campaign's if empty.")
    limit = _whole("At most so many of each set", min_value=1, help_text="A seeded random choice.")

    preset = forms.ChoiceField(
        label="Put in a preset", required=False,
        choices=[("", "Keep what is below"), *((name, _PRESETS[name]) for name in PRESETS)],
        help_text="It takes the place of all criteria below when you save.",
    )  # fmt: skip

    seed = _whole("Seed", min_value=0)
    sampler = forms.ChoiceField(
        label="Sampler", required=False,
        choices=[(each, each) for each in get_args(Sampler)],
    )  # fmt: skip
    steps = _whole("Steps", min_value=1, max_value=1000)
    guidance_scale = _number("Guidance", min_value=0, max_value=100)
    negative_prompt = forms.CharField(label="Negative prompt", required=False, max_length=2000)
    height = _whole("Height, pixels", help_text="The checkpoint's own if empty.")
    width = _whole("Width, pixels", help_text="The checkpoint's own if empty.")
    priority = _whole("Priority", help_text="Higher goes first among what waits.")
    budget_minutes = _number("Budget of worker time, minutes")

    gold_rate = _percent("Gold among items", "Sets whose answer is known.")
    repeat_rate = _percent("Repeats among items", "The same set again, turned round.")
    qualification_pairs = _whole("Gold before the first item", min_value=0)
    qualification_pass = _whole("Of them right, at least", min_value=0)
    qualification_tries = _whole("Tries at it, 1 or 2", min_value=1, max_value=2)
    exclude_gold_below = _percent("Exclude below so much gold right")
    exclude_repeats_below = _percent("Exclude below so many repeats alike")
    exclude_too_fast_above = _percent("Exclude above so many answers too fast")
    exclude_same_side_above = _percent("Exclude above so many on one side")
    threshold = _number(
        "Safety filter: withhold images from this score on", min_value=0, max_value=1
    )

    door = forms.ChoiceField(
        label="Who may take part", required=False,
        choices=[(each.value, words) for each, words in _DOORS.items()],
    )  # fmt: skip
    platform = forms.ChoiceField(
        label="Crowd platform", required=False,
        choices=[(name, each.label or "Another") for name, each in PLATFORMS.items() if each.label],
    )  # fmt: skip
    completed_code = forms.CharField(
        label="Completion code",
        required=False,
        max_length=60,
        help_text="As the platform gives it.",
    )
    session_cap = _whole("Most items of one person", min_value=1)
    votes_per_annotator = _whole(
        "Expected votes of one person", min_value=1, help_text="For the estimate; 100 if empty."
    )

    wage_per_hour = _number("Wage an hour", min_value=0)
    per_vote = _number("Or pay for an answer", min_value=0)
    currency = forms.RegexField(
        r"^[A-Z]{3}$", label="Currency", required=False, max_length=3,
        error_messages={"invalid": "“%(value)s”: three capital letters, as in EUR."},
    )  # fmt: skip
    seconds_per_vote = _number(
        "Seconds an answer takes", min_value=0, help_text="This site's own median if empty."
    )
    fee_percent = _percent("Fee of the panel")

    more_rules = forms.CharField(
        label="Other rules, as TOML", required=False, max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="Every rule without a field here, such as questionnaires: as in a rules file.",
    )  # fmt: skip
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)

    def __init__(self, *args: Any, parts: PartsOfDrafts, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, choices in {
            "arm_a": [("", "Choose …"), *parts.arms],
            "arm_b": [("", "Choose …"), *parts.arms],
            "more_arms": parts.arms,
            "sets": parts.sets,
            "category": parts.values("category"),
            "challenge": parts.values("challenge"),
            "tag": parts.values("tag"),
        }.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = _with_given(choices, self.initial.get(name))

    def group(self, names: str) -> list[forms.BoundField]:
        return [self[name] for name in names.split()]

    @property
    def models(self) -> list[forms.BoundField]:
        return self.group("arm_a arm_b")

    @property
    def more_models(self) -> list[forms.BoundField]:
        return self.group("more_arms design_kind design_sets images_per_prompt")

    @property
    def filters(self) -> list[forms.BoundField]:
        return self.group("category challenge tag text third third_seed limit")

    @property
    def sampling(self) -> list[forms.BoundField]:
        return self.group(
            "seed sampler steps guidance_scale negative_prompt height width priority budget_minutes"
        )

    @property
    def folds_with_errors(self) -> list[str]:
        """The groups that the page folds away, of which a field needs another answer."""
        folds = ("more_models", "filters", "sampling", "exclusions")
        return [name for name in folds if any(each.errors for each in getattr(self, name))]

    @property
    def quality(self) -> list[forms.BoundField]:
        return self.group(
            "gold_rate repeat_rate qualification_pairs qualification_pass qualification_tries"
        )

    @property
    def exclusions(self) -> list[forms.BoundField]:
        return self.group(
            "exclude_gold_below exclude_repeats_below exclude_too_fast_above "
            "exclude_same_side_above threshold"
        )

    @property
    def people(self) -> list[forms.BoundField]:
        return self.group("door session_cap votes_per_annotator platform completed_code")

    @property
    def pay(self) -> list[forms.BoundField]:
        return self.group("wage_per_hour per_vote currency seconds_per_vote fee_percent")


def _with_given(choices: Iterable[tuple[str, str]], given: Any) -> list[tuple[str, str]]:
    """Keep what a draft names though it is not there any more, so that saving does not drop it."""
    found = list(choices)
    known = {value for value, _ in found}
    wanted = given if isinstance(given, list) else [given] if given else []
    return found + [(each, f"{each} (not there)") for each in wanted if each not in known]
