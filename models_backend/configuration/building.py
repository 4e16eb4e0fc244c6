"""Reads TOML tables into dataclasses: an unknown key or a wrong type is refused by its name."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from typing import Any, TypeVar

from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError

T = TypeVar("T")


def apply_override(values: dict[str, Any], override: str) -> None:
    """Put `key=value` or `table.key=value` into tables read from TOML; values as in TOML."""
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set {override}: give key=value, e.g. denoiser_training.steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {override}: {table} is not a table")
    values[last] = value


def build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """Return dataclass `cls` from a TOML table, refusing what it does not know.

    A loop that is given in part is otherwise as `cls` has it: who sets the steps of a recipe keeps
    that recipe's learning rate.
    """
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise InputError(f"unknown key {where}{key}; accepted are {', '.join(known)}")
    missing = [
        name
        for name, f in known.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"missing key {where}{missing[0]}")
    converted = {
        key: _converted(hints[key], _filled(known[key], value), f"{where}{key}")
        for key, value in values.items()
    }
    try:
        return cls(**converted)
    except InputError as error:
        raise InputError(f"{where}{error}") from None
    except ValueError as error:
        raise InputError(f"{where.rstrip('.')}: {error}") from None


def _filled(field: dataclasses.Field[Any], value: Any) -> Any:
    """Return a loop's table with what it leaves out as the field's own default has it."""
    if not isinstance(value, dict) or field.default_factory is dataclasses.MISSING:
        return value
    default = field.default_factory()
    if not isinstance(default, LoopConfig):
        return value
    return {f.name: getattr(default, f.name) for f in dataclasses.fields(default)} | value


def _converted(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise InputError(f"{where} must be a table")
        return build(kind, value, f"{where}.")
    if isinstance(kind, types.UnionType):  # of a table that may be left out
        (kind,) = (each for each in typing.get_args(kind) if each is not types.NoneType)
        return _converted(kind, value, where)
    plain = typing.get_origin(kind) or kind
    if plain is float and type(value) is int:
        return float(value)
    if plain is tuple and isinstance(value, list):  # TOML has lists; frozen dataclasses tuples
        return tuple(_converted(typing.get_args(kind)[0], item, where) for item in value)
    if not isinstance(plain, type) or type(value) is plain:
        return value
    raise InputError(f"{where} = {value!r} must be of type {plain.__name__}")
