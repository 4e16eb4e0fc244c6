"""Reads TOML tables into dataclasses: pydantic is strict about them, and errors name the key."""

from __future__ import annotations

import dataclasses
import functools
import json
import tomllib
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import pydantic

from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError

T = TypeVar("T")
# What of pydantic's names for kinds of errors is called otherwise in Python.
_TYPES = {"string": "str", "mapping": "dict"}
_UNKNOWN, _MISSING = "unexpected_keyword_argument", "missing"


def apply_override(values: dict[str, Any], override: str) -> None:
    """Put `key=value` or `table.key=value` into tables read from TOML; values as in TOML."""
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(
            f"{override!r} is no setting; give key=value, e.g. denoiser_training.steps=100"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise InputError(f"{override!r} cannot be set: {table} is not a table")
    values[last] = value


def build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """Return dataclass `cls` from a TOML table, refusing what it does not know.

    A loop that is given in part is otherwise as `cls` has it: who sets the steps of a recipe keeps
    that recipe's learning rate.

    Raises:
        InputError: an unknown or missing key, a wrong type, or a value that `cls` refuses; its
            text begins with the key, after `where`.
    """
    # As JSON, in which a list may be a tuple and an integer a float, and nothing else is converted.
    text = json.dumps([_with_whole_loops(cls, values)], default=str)
    try:
        built: T = _reader(typing.cast(Any, cls)).validate_json(text)[0]
    except pydantic.ValidationError as error:
        raise InputError(_worst(cls, error.errors(), where)) from None
    return built


@functools.cache
def _reader(cls: Any) -> pydantic.TypeAdapter[Any]:
    # In a tuple: dataclasses that pydantic does not own take the rules of what they stand in.
    rules = pydantic.ConfigDict(strict=True, extra="forbid")
    return pydantic.TypeAdapter(tuple[cls], config=rules)


def _with_whole_loops(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """Fill what a loop's table leaves out as the field's own default has it."""
    filled = dict(values)
    for field in dataclasses.fields(cls):
        given = values.get(field.name)
        if isinstance(given, dict) and field.default_factory is not dataclasses.MISSING:
            usual = field.default_factory()
            if isinstance(usual, LoopConfig):
                filled[field.name] = dataclasses.asdict(usual) | given
    return filled


def _worst(cls: type, errors: Sequence[Mapping[str, Any]], where: str) -> str:
    """Return the first error in words: of keys that are unknown, then missing, then of values."""
    kinds = [error["type"] for error in errors]
    for wanted in (_UNKNOWN, _MISSING):
        if wanted in kinds:
            return _in_words(cls, errors[kinds.index(wanted)], where)
    return _in_words(cls, errors[0], where)


def _in_words(cls: type, error: Mapping[str, Any], where: str) -> str:
    # Without the tuple's own place, and without places in lists.
    keys = [key for key in error["loc"][1:] if isinstance(key, str)]
    name, kind = where + ".".join(keys), error["type"]
    if kind == _UNKNOWN:
        return f"unknown key {name}; accepted are {', '.join(_keys_at(cls, keys[:-1]))}"
    if kind == _MISSING:
        return f"missing key {name}"
    if kind == "value_error":  # a dataclass refused it
        refusal = error["ctx"]["error"]
        # Ours begin with the key in that dataclass.
        between = ("." if keys else "") if isinstance(refusal, InputError) else ": "
        return f"{name}{between}{refusal}"
    if kind == "dataclass_type":
        return f"{name} must be a table"
    wanted = kind.partition("_")[0]
    return f"{name} = {error['input']!r} must be of type {_TYPES.get(wanted, wanted)}"


def _keys_at(cls: Any, keys: Sequence[str]) -> list[str]:
    """Return the fields of the dataclass that stands at `keys` under `cls`."""
    for key in keys:
        kind = typing.get_type_hints(cls)[key]
        # A table that may be left out, or a list of tables, has the dataclass inside.
        inner = [kind, *typing.get_args(kind)]
        cls = next(each for each in inner if dataclasses.is_dataclass(each))
    return [field.name for field in dataclasses.fields(cls)]
