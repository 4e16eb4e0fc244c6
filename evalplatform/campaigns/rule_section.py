"""What every section of the rules file has in common, and how a wrong one is told."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

_QUOTED = 80  # letters of what was given
Place = tuple[int | str, ...]


class RuleSection(BaseModel):
    """A table of the rules file: it cannot change, and has no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def by_path(place: Place, problem: str) -> str:
    """Return a problem with where it is in a file."""
    where = ".".join(str(part) for part in place)
    return f"{where}: {problem}" if where else problem


def problems_in_words(
    error: ValidationError,
    model: type[BaseModel],
    *,
    called: str,
    most: int | None = None,
    told: Callable[[Place, str], str] = by_path,
) -> str:
    """Return what is wrong with a file in one line: where, what was given, what is accepted.

    `called` is what a key of it is, such as rule; of more than `most` problems the first are told,
    each as `told` puts it.
    """
    return "; ".join(
        told(each["loc"], _problem(each, model, called)) for each in error.errors()[:most]
    )


def _problem(each: Any, model: type[BaseModel], called: str) -> str:
    if each["type"] == "extra_forbidden":
        return f"no such {called}{_accepted(str(each['loc'][-1]), model, each['loc'])}"
    if each["type"] == "missing":
        return "is missing"
    said = each["msg"].removeprefix("Value error, ").rstrip(".")
    if isinstance(each["input"], Mapping | BaseModel):  # a whole section
        return str(said)
    return f"{said} (given: {repr(each['input'])[:_QUOTED]})"


def _accepted(name: str, model: type[BaseModel], loc: Place) -> str:
    """Say which keys there are beside one that there is not: the near ones, else all."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        model = (_model_in(field.annotation) if field else None) or model
    near = difflib.get_close_matches(name, model.model_fields)
    if near:
        return f" (did you mean {' or '.join(near)}?)"
    return f" (accepted are {', '.join(model.model_fields)})"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(each) for each in get_args(annotation))
    return next((each for each in found if each), None)
