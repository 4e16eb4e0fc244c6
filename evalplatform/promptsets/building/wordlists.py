"""Lists of words that rules of a set's building go by: TOML files, ours or a researcher's."""

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.words import one_line, shown

OURS = Path(__file__).parent / "words"
_MOST_BYTES = 4 * 2**20


@dataclass(frozen=True)
class WordFile:
    """A list's content, and the hash of its file, which a recipe records."""

    tables: dict[str, Any]
    sha256: str


@lru_cache(maxsize=32)
def read_words(path: Path) -> WordFile:
    """Read a TOML file of words. Raises `BadInputError` where it is none."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInputError(f"{path.name} is over 4 MiB; a list of words is shorter.")
        content = path.read_bytes()
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or a number without end
        raise BadInputError(
            f"{path.name} is not TOML that can be read ({one_line(str(error), 100)}); compare it "
            f"with {OURS.name}/*.toml in evalplatform/promptsets/building."
        ) from error
    return WordFile(tables, hashlib.sha256(content).hexdigest())


def words_of(value: object, where: str) -> list[str]:
    """Return a list of words. Raises `BadInputError` for anything else."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadInputError(f'{where} must be a list of texts, such as ["cat", "ice cream"].')
    empty = [each for each in value if not _tokens(each)]
    if empty:
        raise BadInputError(f"{where}: {shown(empty[0])} has no letter; remove it.")
    return list(value)


def whole_words(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds any of the words whole, capitals, hyphens and a plural aside.

    None where there are no words.
    """
    given = sorted({_shape(each) for each in words}, key=lambda each: (-len(each[1]), each))
    if not given:
        return None
    # By their first letters: a list of hundreds is otherwise tried word by word at each letter.
    by_first: dict[str, list[str]] = {}
    for first, rest in given:
        by_first.setdefault(first, []).append(rest)
    shapes = (f"{re.escape(each)}(?:{'|'.join(rests)})" for each, rests in by_first.items())
    return re.compile(rf"(?<!\w)(?:{'|'.join(shapes)})(?!\w)", re.IGNORECASE)


def any_of(words: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells quickly whether a text has one of the words whole, as `whole_words` does.

    A pattern that minds capitals, tried on small letters, takes less than half the time.
    """
    given = list(words)
    pattern = whole_words(given)
    if pattern is None:
        return lambda text: False
    if not all(each.isascii() for each in given):
        return lambda text: pattern.search(text) is not None
    small = re.compile(whole_words(each.lower() for each in given).pattern)  # type: ignore[union-attr]
    return lambda text: (
        (small.search(text.lower()) if text.isascii() else pattern.search(text)) is not None
    )


def lists_by_name(file: WordFile, name: str) -> dict[str, re.Pattern[str]]:
    """Return what finds the words of each of a file's lists, those without words left out."""
    found = {
        each: whole_words(words_of(words, f"{name}: {each}")) for each, words in file.tables.items()
    }
    return {each: pattern for each, pattern in found.items() if pattern is not None}


def first_found(lists: Mapping[str, re.Pattern[str]], text: str) -> tuple[str, str] | None:
    """Return the first list that a text has a word of, and that word."""
    for name, pattern in lists.items():
        found = pattern.search(text)
        if found:
            return name, found.group()
    return None


def _tokens(word: str) -> list[str]:
    return re.findall(r"[^\s\-_]+", word)


def _shape(word: str) -> tuple[str, str]:
    """A word's first letter, and the rest as a pattern.

    Between its parts are any spaces, hyphens or underscores, or none.
    """
    first, *others = _tokens(word)
    rest = r"[\s\-_]*".join(map(re.escape, [first[1:], *others]))
    letter = first[0].lower()
    plural = "(?:s|es)?" if word[-1:].isalpha() else ""
    return letter if len(letter) == 1 else first[0], rest + plural
