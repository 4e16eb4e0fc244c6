"""The choices of a draft as values of the builder's fields, and back."""

from __future__ import annotations

import copy
import re
import tomllib
from typing import Any

import tomli_w
from django import forms

from evalplatform.campaigns.criteria import PRESETS, written
from evalplatform.campaigns.rule_section import Place, by_path
from evalplatform.campaigns.rules import Door
from evalplatform.core.errors import BadInputError
from evalplatform.runs.choices import DraftChoices, filled_in_choices, parse_choices
from evalplatform.runs.draft_form import CriterionForm, DraftForm
from evalplatform.runs.draft_paths import FIELDS, SHARES, put, value_at, without

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
