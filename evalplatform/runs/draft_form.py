"""The form of the campaign builder: the choices of a draft as fields, and back."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable
from typing import Any, get_args

import tomli_w
from django import forms

from evalplatform.campaigns.criteria import PRESETS, written
from evalplatform.campaigns.crowd_presets import PRESETS as PLATFORMS
from evalplatform.campaigns.designs import MOST_PAIRS
from evalplatform.campaigns.forms import FORMS
from evalplatform.campaigns.rule_section import Place, by_path
from evalplatform.campaigns.rules import Door
from evalplatform.core.errors import BadInputError
from evalplatform.runs.choices import DraftChoices, Sampler, filled_in_choices, parse_choices
from evalplatform.runs.draft_paths import FIELDS, SHARES, put, value_at, without
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


# -- choices as fields ----------------------------------------------------------------------------

_REST = {(*path[1:],) for path in FIELDS.values() if path[0] == "rules"}


def initial_of(choices: dict[str, Any]) -> dict[str, Any]:
    """Return the fields' values of these choices."""
    found: dict[str, Any] = {}
    usual = DraftChoices().model_dump(mode="json")
    for name, path in FIELDS.items():
        value = value_at(choices, path)
        if value is None:
            value = value_at(usual, path)
        if name in SHARES and value is not None:
            value = f"{100 * value:.6g}"
        found[name] = value
    arms = list(choices.get("arms", []))
    found |= {"arm_a": "", "arm_b": "", "more_arms": arms[2:]} | dict(
        zip(("arm_a", "arm_b"), arms[:2], strict=False)
    )
    kind, _, value = str(choices.get("design", "all-pairs")).partition("=")
    found |= {"design_kind": kind, "design_sets": value if kind == "random" else None}
    found["text"] = ", ".join(value_at(choices, ("prompts", "filter", "text")) or [])
    rest = without(choices.get("rules", {}), _REST)
    found["more_rules"] = tomli_w.dumps(rest) if rest else ""
    return found


def criteria_of(choices: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the criteria's fields."""
    return [dict(each) for each in choices.get("criteria", [])]


# -- fields as choices ----------------------------------------------------------------------------


def choices_from(form: DraftForm, criteria: Any, before: dict[str, Any]) -> dict[str, Any]:
    """Return the choices that were filled in; what has no field stays as it was.

    Raises `BadInputError` for what no campaign can be.
    """
    given = form.cleaned_data
    made = copy.deepcopy(before)
    made["rules"] = _more_rules(given["more_rules"])
    for name, path in FIELDS.items():
        value = given[name]
        put(made, path, value / 100 if name in SHARES and value is not None else value)
    put(made, ("prompts", "filter", "text"), [
        each.strip() for each in given["text"].split(",") if each.strip()
    ])  # fmt: skip
    put(made, ("arms",), _arms(given))
    put(made, ("design",), _design(given, made.get("arms", [])))
    made["criteria"] = _criteria_given(given["preset"], criteria, before.get("criteria", []))
    _drop_idle(made)
    return filled_in_choices(made, _on_the_page).as_dict()


def _on_the_page(place: Place, problem: str) -> str:
    """Return a problem of the choices with the field it is of, called as the page calls it."""
    if place[:1] in ((), ("criteria",)):
        return _of_criteria(place, problem)
    labels = {path: _label(DraftForm, name) for name, path in FIELDS.items()}
    labels |= {("arms",): "Models", ("design",): "Who meets whom"}
    for path, label in labels.items():
        if place[: len(path)] == path:
            return f"{label}: {problem}"
    # What a section says as a whole names keys of its own.
    inside = {path[-1]: label for path, label in labels.items() if path[:-1] == place}
    if not inside:
        return f"{_label(DraftForm, 'more_rules')}: {by_path(place[1:], problem)}"
    for key, label in inside.items():
        problem = re.sub(rf"\b{key}\b", f"“{label}”", problem)
    return problem


def _of_criteria(place: Place, problem: str) -> str:
    problem = re.sub(r"\bslug\b", "short name", problem)
    if len(place) < 2:
        return problem
    row = f"Criterion {int(place[1]) + 1}"
    if len(place) > 2 and place[2] in CriterionForm.base_fields:
        return f"{row}, {_label(CriterionForm, str(place[2]))}: {problem}"
    return f"{row}: {by_path(place[2:], problem)}"


def _label(form: type[forms.Form], name: str) -> str:
    return str(form.base_fields[name].label).removesuffix(", %")


def _arms(given: dict[str, Any]) -> list[str]:
    named = [given["arm_a"], given["arm_b"], *given["more_arms"]]
    return [each for each in named if each]


def _design(given: dict[str, Any], arms: list[str]) -> str:
    kind = given["design_kind"] or "all-pairs"
    if kind == "against" and arms:
        return f"against={arms[0].removeprefix('images:')}"
    if kind == "random":
        return f"random={given['design_sets'] or 1}"
    return kind if kind != "against" else "all-pairs"


def _more_rules(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"{_label(DraftForm, 'more_rules')}: {error}.") from error


def _criteria_given(preset: str, criteria: Any, before: list[Any]) -> list[dict[str, Any]]:
    if preset:
        return [written(plan) for plan in PRESETS[preset]]
    found = []
    kept = {each.get("slug"): each for each in before}
    for row in criteria.cleaned_data:
        if not row or row.get("remove"):
            continue
        # Browsers send line ends of two letters.
        row = {
            name: value.replace("\r\n", "\n") if isinstance(value, str) else value
            for name, value in row.items()
            if name != "remove"
        }
        found.append({**_still_true(kept.get(row["slug"], {}), row), **row})
    return found


def _still_true(before: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return what the form does not ask of a criterion; translations go with its own words."""
    said_anew = any(before.get(name) != row[name] for name in ("question", "instructions"))
    return {
        name: value for name, value in before.items() if not (said_anew and name == "translations")
    }


def _drop_idle(made: dict[str, Any]) -> None:
    """Take out what says nothing without its neighbour: a usual currency, a platform unused."""
    rules = made.get("rules", {})
    pay = rules.get("pay", {})
    if pay.get("per_vote") is None and pay.get("wage_per_hour") is None:
        rules.pop("pay", None)
    if value_at(rules, ("annotation", "door")) != Door.CROWD.value:
        crowd = rules.get("crowd", {})
        crowd.pop("platform", None)
    if not value_at(rules, ("safety", "threshold")):
        rules.pop("safety", None)
    if value_at(made, ("prompts", "filter", "third")) is None:
        value_at(made, ("prompts", "filter")).pop("third_seed", None)


def blank_choices() -> dict[str, Any]:
    """Return what a new draft begins with: the usual criteria, and checks that cost little."""
    return parse_choices(
        {"preset": "default", "rules": {"quality": {"gold_rate": 0.05, "repeat_rate": 0.05}}}
    ).as_dict()
