"""What a rule says: comparisons of measures with numbers, joined by and, or, not and parentheses.

    rule       = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" rule ")" | name comparison number
    comparison = "<" | "<=" | ">" | ">=" | "==" | "!="

A measure that is missing makes a comparison neither true nor false (as in SQL); an image is kept
where the whole is true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_backend.errors import InputError

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
Truth = tuple[Mask, Mask]
"""Where it is true, and where it is false; elsewhere it is unknown."""

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][\w./-]*)|(?P<number>[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<sign><=|>=|==|!=|<|>|\(|\)))"
)
_COMPARE: dict[str, Callable[[Numbers, float], Mask]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
_DEEPEST = 50


@dataclass(frozen=True)
class ScoreCondition:
    """A measure beside its threshold."""

    name: str
    sign: str
    number: float

    def truth(self, columns: Mapping[str, Numbers]) -> Truth:
        """Return where it holds and where it does not, (N,) each; neither where it is NaN."""
        values = columns[self.name]
        holds = _COMPARE[self.sign](values, self.number)
        known = ~np.isnan(values)
        return holds & known, ~holds & known

    def comparisons(self) -> Iterator[ScoreCondition]:
        """Yield every comparison in it."""
        yield self


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Expression

    def truth(self, columns: Mapping[str, Numbers]) -> Truth:
        """Return where the part is false, and where it is true."""
        true, false = self.part.truth(columns)
        return false, true

    def comparisons(self) -> Iterator[ScoreCondition]:
        """Yield every comparison in it."""
        yield from self.part.comparisons()


@dataclass(frozen=True)
class Joined:
    """Parts of which all, or any, have to hold."""

    word: str
    parts: tuple[Expression, ...]

    def truth(self, columns: Mapping[str, Numbers]) -> Truth:
        """Return the truth of all or any, by Kleene's logic."""
        true, false = self.parts[0].truth(columns)
        for part in self.parts[1:]:
            also_true, also_false = part.truth(columns)
            if self.word == "and":
                true, false = true & also_true, false | also_false
            else:
                true, false = true | also_true, false & also_false
        return true, false

    def comparisons(self) -> Iterator[ScoreCondition]:
        """Yield every comparison in it."""
        for part in self.parts:
            yield from part.comparisons()


Expression = ScoreCondition | Not | Joined


def parse(text: str) -> Expression:
    """Read a rule.

    Raises:
        InputError: it does not follow the grammar; says where.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self._kind, self._token = "", ""
        self._next()

    def whole(self) -> Expression:
        found = self._rule()
        if self._kind:
            raise self._wrong("and, or, or the end")
        return found

    def _rule(self) -> Expression:
        return self._joined("or", lambda: self._joined("and", self._one))

    def _joined(self, word: str, part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self._token == word:
            self._next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _one(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InputError(f"rule {self._text[:60]!r}…: more than {_DEEPEST} levels")
        try:
            if self._token == "not":
                self._next()
                return Not(self._one())
            if self._token == "(":
                self._next()
                found = self._rule()
                self._take(")")
                return found
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> ScoreCondition:
        if self._kind != "name" or self._token in ("and", "or"):
            raise self._wrong("a measure such as ocr/words, not, or (")
        name = self._token
        self._next()
        sign = self._token
        if sign not in _COMPARE:
            raise self._wrong(f"one of {' '.join(_COMPARE)}")
        self._next()
        if self._kind != "number":
            raise self._wrong("a number")
        number = float(self._token.replace("_", ""))
        if not math.isfinite(number):
            raise self._wrong("a finite number")
        self._next()
        return ScoreCondition(name, sign, number)

    def _take(self, token: str) -> None:
        if self._token != token:
            raise self._wrong(token)
        self._next()

    def _next(self) -> None:
        self._kind = self._token = ""
        if not self._text[self._at :].strip():
            return
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            self._token = self._text[self._at :].strip()[:1]
            raise self._wrong("a measure, a number, a comparison or a parenthesis")
        self._at = found.end()
        self._kind = found.lastgroup or ""
        self._token = found.group(self._kind)

    def _wrong(self, wanted: str) -> InputError:
        given = repr(self._token) if self._token else "the end"
        return InputError(f"rule {self._text!r}: {given} where {wanted} is expected")
