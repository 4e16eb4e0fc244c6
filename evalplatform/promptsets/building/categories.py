"""Which category a prompt belongs to, and how many prompts each is to have."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from pathlib import Path

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building.wordlists import read_words, whole_words, words_of
from evalplatform.promptsets.reading.prompts import LONGEST_LABEL
from evalplatform.promptsets.reading.words import shown

_LARGEST_SHARE = 1_000_000_000


@dataclass(frozen=True)
class Category:
    """A category: its weight, and what finds its words (None: it has none)."""

    name: str
    share: float
    words: re.Pattern[str] | None


@dataclass(frozen=True)
class Categories:
    """A list of categories in its order, and the one for prompts that fit none, if any."""

    listed: tuple[Category, ...]
    rest: str | None
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "Categories":
        """Read a TOML file such as words/categories.toml. Raises `BadInputError`."""
        file = read_words(path)
        if not file.tables:
            raise BadInputError(
                f"{path.name} names no category; add [animals] with share and words."
            )
        listed, rest = [], None
        for name, table in file.tables.items():
            where = f"{path.name}: [{name}]"
            if not isinstance(table, dict):
                raise BadInputError(f"{where} must be a table with share and words.")
            unknown = set(table) - {"share", "words", "rest", "description"}
            if unknown:
                raise BadInputError(
                    f"{where} has {shown(min(unknown))}; accepted: share, words, rest, description."
                )
            if len(name) > LONGEST_LABEL:
                raise BadInputError(f"{where} is longer than {LONGEST_LABEL} letters; shorten it.")
            words = whole_words(words_of(table.get("words", []), f"{where} words"))
            listed.append(Category(name, _share(table.get("share", 1), where), words))
            if table.get("rest"):
                rest = rest or name
        if not sum(each.share for each in listed):
            raise BadInputError(f"{path.name}: all shares are 0; give at least one category more.")
        return cls(tuple(listed), rest, file.sha256)

    def of(self, text: str, given: str = "") -> str | None:
        """Return a prompt's category: `given` where it is one of ours, else by its words.

        None where nothing fits and no category takes the rest.
        """
        names = {each.name.casefold(): each.name for each in self.listed}
        if given.casefold() in names:
            return names[given.casefold()]
        best, most = self.rest, 0
        for category in self.listed:
            if category.words:
                found = len({each.lower() for each in category.words.findall(text)})
                if found > most:
                    best, most = category.name, found
        return best

    @property
    def shares(self) -> dict[str, float]:
        """Each category's share of a set; they sum to 1."""
        whole = sum(each.share for each in self.listed)
        return {each.name: each.share / whole for each in self.listed}


def quotas(size: int, shares: Mapping[str, float], there: Mapping[str, int]) -> dict[str, int]:
    """Return how many prompts each category gives to a set of `size`.

    What a category lacks the others give in proportion to their shares, as water finds its level:
    a set is smaller than asked only where all categories together have too little. A category of
    share 0 gives nothing. Fractions go to the largest remainders, of equals to the first named.
    """
    given: Counter[str] = Counter()
    open_ = {name for name, share in shares.items() if share > 0}
    left = size
    while open_ and left > 0:
        whole = sum(shares[name] for name in open_)
        wanted = _rounded({n: left * shares[n] / whole for n in shares if n in open_}, left)
        full = {name for name in open_ if given[name] + wanted[name] >= there.get(name, 0)}
        taken = {n: min(w, there.get(n, 0) - given[n]) for n, w in wanted.items()}
        if not full:
            given.update(taken)
            break
        # Those that run dry give all they have; what is left is shared out anew among the others.
        given.update({name: taken[name] for name in full})
        left -= sum(taken[name] for name in full)
        open_ -= full
    return {name: given[name] for name in shares}


def _rounded(parts: Mapping[str, float], whole: int) -> dict[str, int]:
    """Largest remainders (Hamilton): whole numbers near the parts that sum to `whole`."""
    floors = {name: floor(part + 1e-9) for name, part in parts.items()}
    order = sorted(parts, key=lambda name: floors[name] - parts[name])
    for name in order[: whole - sum(floors.values())]:
        floors[name] += 1
    return floors


def _share(value: object, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= _LARGEST_SHARE:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    is_huge = isinstance(value, int) and abs(value) > _LARGEST_SHARE
    raise BadInputError(
        f"{where} share must be a number of at least 0 and at most {_LARGEST_SHARE:,}, it is "
        f"{'another' if is_huge else shown(value)}."
    )
