"""Rules over scores, read from TOML: stages in the order in which they are applied.

A stage keeps what fulfils expressions (`keep`), or takes so many by an order (`take`, `order`),
equally of each concept where it says `by`, or leaves one of each group of near-duplicates
(`hamming`). docs/curation.md shows each.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models_backend.curation.expressions import Expression, parse
from models_backend.curation.near_duplicates import Nearness
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes

RANK = "popularity/rank_in_concept"
"""Made of popularity/value and concepts/name: 0 is the least popular of its concept, 1 the most."""


@dataclass(frozen=True)
class Order:
    """Which of two images goes first."""

    name: str
    descending: bool = True

    @classmethod
    def parse(cls, text: str) -> Order:
        """Read a measure's name; a minus before it puts the lowest first."""
        return cls(text.removeprefix("-").strip(), not text.startswith("-"))


@dataclass(frozen=True)
class Keep:
    """Keeps what fulfils every rule."""

    name: str
    rules: tuple[tuple[str, Expression], ...]

    def numbers(self) -> set[str]:
        """Return the measures it needs."""
        return {c.name for _, rule in self.rules for c in rule.comparisons()}


@dataclass(frozen=True)
class Take:
    """Takes so many, the first by an order; with `by` equally of each group, as far as it goes."""

    name: str
    take: int
    order: Order
    by: str = ""

    def numbers(self) -> set[str]:
        """Return the measures it needs."""
        return {self.order.name}


@dataclass(frozen=True)
class Unique:
    """Of near-duplicates keeps the first by an order."""

    name: str
    nearness: Nearness
    order: Order
    crops: bool = False
    """Also what was cut at the edges, by windows of the images."""

    def numbers(self) -> set[str]:
        """Return the measures it needs."""
        return {self.order.name}


Stage = Keep | Take | Unique


@dataclass(frozen=True)
class SelectionRules:
    """A file of rules."""

    stages: tuple[Stage, ...]
    sha256: str
    versions: dict[str, str] = field(default_factory=dict)
    """Of scorers that the scores hold in more than one version: which counts."""
    text: str = ""

    def numbers(self) -> set[str]:
        """Return the names of all measures that are needed as numbers."""
        names = set().union(*(stage.numbers() for stage in self.stages))
        if RANK in names:
            names = (names - {RANK}) | {"popularity/value"}
        return names

    def texts(self) -> set[str]:
        """Return the names of all measures that are needed as texts."""
        names = {stage.by for stage in self.stages if isinstance(stage, Take) and stage.by}
        ranked = any(RANK in stage.numbers() for stage in self.stages)
        return names | ({"concepts/name"} if ranked else set())

    @property
    def fingerprints(self) -> bool:
        """Whether near-duplicates are looked for."""
        return any(isinstance(stage, Unique) for stage in self.stages)

    @property
    def gradients(self) -> bool:
        """Whether their gradients are compared."""
        return any(
            isinstance(stage, Unique) and stage.nearness.gradient < 64 for stage in self.stages
        )

    @property
    def crops(self) -> bool:
        """Whether they are looked for also where edges were cut."""
        return any(isinstance(stage, Unique) and stage.crops for stage in self.stages)


def read_rules(path: Path) -> SelectionRules:
    """Read a file of rules.

    Raises:
        InputError: no such file, no TOML, or a stage that does not fit.
    """
    try:
        data = path.read_bytes()
        content = tomllib.loads(data.decode())
    except OSError as error:
        raise InputError(f"--rules {path} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML ({error})") from None
    others = content.keys() - {"stage", "versions"}
    if others:
        raise InputError(f"{path}: {sorted(others)[0]!r} is unknown; there are stage and versions")
    stages = content.get("stage")
    if not isinstance(stages, list) or not stages:
        raise InputError(f"{path} has no [[stage]]")
    versions = content.get("versions", {})
    if not isinstance(versions, dict) or not all(isinstance(v, str) for v in versions.values()):
        raise InputError(f"{path}: [versions] has a text for each scorer")
    read = tuple(_stage(stage, f"{path}, stage {n}") for n, stage in enumerate(stages, start=1))
    names = [stage.name for stage in read]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two stages have the same name: {', '.join(names)}")
    return SelectionRules(read, sha256_of_bytes(data), versions, data.decode())


_KEYS: dict[str, set[str]] = {
    "keep": {"name", "keep"},
    "take": {"name", "take", "order", "by"},
    "hamming": {"name", "hamming", "gradient", "colours", "order", "crops"},
}


def _stage(content: Any, where: str) -> Stage:
    if not isinstance(content, dict):
        raise InputError(f"{where}: write [[stage]] and its keys")
    kinds = [kind for kind in _KEYS if kind in content]
    if len(kinds) != 1:
        raise InputError(f"{where} needs one of keep, take and hamming; it has {len(kinds)}")
    others = content.keys() - _KEYS[kinds[0]]
    if others:
        allowed = ", ".join(sorted(_KEYS[kinds[0]]))
        raise InputError(f"{where}: {sorted(others)[0]!r} is unknown; accepted are {allowed}")
    name = _get(content, "name", str, where)
    where = f"{where} ({name})"
    if kinds[0] == "keep":
        rules = _get(content, "keep", list, where)
        if not rules or not all(isinstance(rule, str) for rule in rules):
            raise InputError(f'{where}: keep is a list of texts such as "ocr/words <= 3"')
        return Keep(name, tuple((rule, parse(rule)) for rule in rules))
    order = Order.parse(_get(content, "order", str, where))
    if kinds[0] == "take":
        by = _get(content, "by", str, where) if "by" in content else ""
        return Take(name, _number(content, "take", 1, 10**12, where), order, by)
    crops = content.get("crops", False)
    if not isinstance(crops, bool):
        raise InputError(f"{where}: crops must be true or false, not {crops!r}")
    nearness = Nearness(
        _number(content, "hamming", 0, 16, where),
        _number(content, "colours", 0, 31, where) if "colours" in content else 31,
        _number(content, "gradient", 0, 64, where) if "gradient" in content else 64,
    )
    return Unique(name, nearness, order, crops)


def _get(content: dict[str, Any], key: str, kind: type, where: str) -> Any:
    value = content.get(key)
    if not isinstance(value, kind) or value in ("", []):
        called = "text" if kind is str else "list"
        raise InputError(f"{where}: {key} must be a {called}, not {value!r}")
    return value


def _number(content: dict[str, Any], key: str, low: int, high: int, where: str) -> int:
    value = content.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{where}: {key} must be a whole number, {low} to {high}, not {value!r}")
    return value
