"""How a set is built: every choice, and the hashes of what it was built from."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building.categories import Categories
from evalplatform.promptsets.building.jargon import Jargon
from evalplatform.promptsets.building.language import languages_known
from evalplatform.promptsets.building.wordlists import (
    OURS,
    any_of,
    lists_by_name,
    read_words,
    whole_words,
)
from evalplatform.promptsets.building.wordlists import words_of as _words_of

RULES = 1
"""Counts up whenever a rule changes what it drops or keeps."""


@dataclass(frozen=True)
class Choices:
    """What a person chooses; every one has a default.

    Attributes:
        size: prompts that the set is to have, at least 1.
        seed: of the order in which prompts are taken, 0 to 2^63 - 1.
        languages: ISO 639 codes of those that stay; empty: all do.
        fewest_words, most_words: of a prompt once its jargon is gone, both counted in.
        near: share of 5-grams, over 0 to 1, from which two prompts are alike; 1: only equal ones.
        pool: prompts, at least `size`, that are given categories; drawn where more are left.
        strip: whether prompt engineering is taken off.
    """

    size: int = 2100
    seed: int = 0
    languages: tuple[str, ...] = ("en",)
    fewest_words: int = 2
    most_words: int = 77
    near: float = 0.8
    pool: int = 50_000
    strip: bool = True

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("size", self.size, 1, 100_000),
            ("seed", self.seed, 0, 2**63 - 1),
            ("fewest words", self.fewest_words, 1, 10_000),
            ("most words", self.most_words, self.fewest_words, 10_000),
            ("pool", self.pool, self.size, 10_000_000),
            ("near", self.near, 0.3, 1),
        ):
            if not least <= value <= most:
                raise BadInputError(f"{name} {value}; accepted: {least} to {most}.")
        unknown = sorted(set(self.languages) - languages_known())
        if unknown:
            raise BadInputError(
                f"the language {unknown[0]!r} is none that can be told; give ISO 639 codes such as "
                "en, de, ja, or take any language.",
                by_command="--any-language takes any.",
            )


@dataclass(frozen=True)
class Recipe:
    """Choices with their word lists.

    Attributes:
        choices: see `Choices`.
        categories, unsafe, keywords, stylized: files of words; ours where none were given.
        names: a file of names, one a line, that are personal data wherever they stand; or None.
    """

    choices: Choices = field(default_factory=Choices)
    categories: Path = OURS / "categories.toml"
    unsafe: Path = OURS / "unsafe.toml"
    keywords: Path = OURS / "keywords.toml"
    stylized: Path = OURS / "stylized.toml"
    names: Path | None = None

    @cached_property
    def category_list(self) -> Categories:
        """The categories and their shares."""
        return Categories.read(self.categories)

    @cached_property
    def jargon(self) -> Jargon:
        """The rules of prompt engineering."""
        return Jargon(self.keywords)

    @cached_property
    def unsafe_words(self) -> dict[str, Any]:
        """What finds the words of each category of unsafe content."""
        return lists_by_name(read_words(self.unsafe), self.unsafe.name)

    @cached_property
    def has_unsafe_word(self) -> Callable[[str], bool]:
        """What tells in one look whether a text has a word of any of them."""
        tables = read_words(self.unsafe).tables
        return any_of(word for name in self.unsafe_words for word in tables[name])

    @cached_property
    def known_names(self) -> Any:
        """What finds the names of the file of names; None without one."""
        if self.names is None:
            return None
        lines = self.names.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        return whole_words([each for each in lines if each.strip()])

    @cached_property
    def stylized_words(self) -> Any:
        """What finds the words that make a prompt stylized."""
        table = read_words(self.stylized).tables
        return whole_words(_words_of(table.get("words", []), f"{self.stylized.name}: words"))

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as a set records it: choices, shares, and hashes of the lists."""
        return {
            "rules": RULES,
            "choices": asdict(self.choices) | {"languages": list(self.choices.languages)},
            "shares": {k: round(v, 6) for k, v in self.category_list.shares.items()},
            "lists": {
                "categories": self.category_list.sha256,
                "unsafe": read_words(self.unsafe).sha256,
                "keywords": self.jargon.sha256,
                "stylized": read_words(self.stylized).sha256,
                "names": _sha256(self.names) if self.names else None,
            },
        }

    def digest(self) -> str:
        """Return the hash of `as_dict`."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
