"""What is taken from the source's own fields: the concept and the popularity of an image."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput
from models_backend.errors import InputError

OTHER = "other"
_WORDS = re.compile(r"[a-z]+(?:-[a-z]+)*")


class Concepts:
    """To which concept an image belongs: a field of the source, or by the words of its caption.

    Words are looked for among the concepts of the demo's drawings, from the longest phrase to the
    shortest; the first that is found gives its category, none gives `other`.
    """

    measures = {"name": "string"}
    reads_fields = True

    def __init__(self, field: str) -> None:
        self._field = field
        self.identity = ScorerIdentity("concepts", f"1, {field or 'category or caption'}")

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return a name for each image."""
        return [{"name": self._name(sample)} for sample in samples]

    def _name(self, sample: ScorerInput) -> str | None:
        told = sample.fields.get(self._field or "category")
        if self._field or told:
            return str(told).strip() if told is not None and str(told).strip() else None
        return of_caption(sample.caption)


def of_caption(caption: str) -> str:
    """Return the category of the longest known phrase in a caption."""
    words = _WORDS.findall(caption.lower())
    known = _vocabulary()
    for length in range(min(4, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            found = known.get(" ".join(words[start : start + length]))
            if found is not None:
                return found
    return OTHER


@cache
def _vocabulary() -> dict[str, str]:
    from models_backend.data import emoji
    from models_backend.data.captions import without_article

    path = Path(emoji.__file__).parent / "concepts.tsv"
    known: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "hexcode")):
            _, label, category = line.split("\t")[:3]
            phrase = " ".join(_WORDS.findall(without_article(label.lower())))
            for name in (phrase, f"{phrase}s"):
                known.setdefault(name, category)
            # "a red car" is found as "car", too, where no other concept has that word.
            known.setdefault(phrase.rpartition(" ")[2], category)
    return known


class Popularity:
    """A number of the source, such as likes. Rules rank it within its concept.

    Raw likes say as much of an image's age and topic as of the image.
    """

    measures = {"value": "float64"}
    reads_fields = True

    def __init__(self, field: str) -> None:
        if not field:
            raise InputError(
                "the scorer 'popularity' needs the name of a numeric field of the source, such "
                "as likes, as its option",
                by_command="`--with popularity=likes` gives it.",
            )
        self._field = field
        self.identity = ScorerIdentity("popularity", f"1, {field}")

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return the number; None where it is missing, negative or no number."""
        return [{"value": self._value(sample)} for sample in samples]

    def _value(self, sample: ScorerInput) -> float | None:
        try:
            value = float(sample.fields.get(self._field))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
        return value if 0 <= value < math.inf else None
