"""What two versions of a draft's choices differ in, and how changes of two people join. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NOTHING: Any = None


@dataclass(frozen=True)
class ChoiceChange:
    """One choice that changed: where, what it was and what it is; None is the usual value."""

    path: tuple[str, ...]
    before: Any
    after: Any

    @property
    def name(self) -> str:
        """Such as "prompts.limit"."""
        return ".".join(self.path)

    def __str__(self) -> str:
        before, after = _short(self.before), _short(self.after)
        inside = _inside(self.before, self.after) if before == after else ""
        return f"{self.name}: {inside or f'{before} → {after}'}"


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ChoiceChange]:
    """Return every choice that differs, by name. Lists are one choice each."""
    old, new = _leaves(before), _leaves(after)
    return [
        ChoiceChange(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def clashes(mine: list[ChoiceChange], theirs: list[ChoiceChange]) -> list[ChoiceChange]:
    """Return my changes to choices that they changed too, to something else."""
    other = {change.path: change.after for change in theirs}
    return [
        change for change in mine if change.path in other and change.after != other[change.path]
    ]


def with_changes(choices: Mapping[str, Any], changes: list[ChoiceChange]) -> dict[str, Any]:
    """Return the choices with these changes made."""
    leaves = _leaves(choices)
    for change in changes:
        if change.after is _NOTHING:
            leaves.pop(change.path, None)
        else:
            leaves[change.path] = change.after
    made: dict[str, Any] = {}
    for path, value in leaves.items():
        inside = made
        for step in path[:-1]:
            inside = inside.setdefault(step, {})
        inside[path[-1]] = value
    return made


def _leaves(choices: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for name, value in choices.items():
        if isinstance(value, Mapping):
            found |= _leaves(value, (*at, name))
        else:
            found[(*at, name)] = value
    return found


def _inside(before: Any, after: Any) -> str:
    """Say what differs in the entries of two lists that name the same ones; "" of all else."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return ""
    entries = [
        (_short([new]), change)
        for old, new in zip(before, after, strict=False)
        if isinstance(old, Mapping) and isinstance(new, Mapping)
        for change in changes_between(old, new)
    ]
    return "; ".join(f"{entry} {change}" for entry, change in entries)[:300]


def _short(value: Any) -> str:
    if value is None:
        return "as usual"
    if isinstance(value, list):
        named = [
            str(each.get("slug", each)) if isinstance(each, dict) else str(each) for each in value
        ]
        return ", ".join(named)[:120] or "none"
    return (value if isinstance(value, str) else json.dumps(value))[:120]
