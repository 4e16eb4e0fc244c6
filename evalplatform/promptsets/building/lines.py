"""What becomes of one line: pure, and the same wherever it stands in a log."""

import re
import unicodedata
from dataclasses import dataclass

from evalplatform.promptsets.building.language import other_language
from evalplatform.promptsets.building.log import LogLine
from evalplatform.promptsets.building.personal import personal_data
from evalplatform.promptsets.building.recipe import Recipe
from evalplatform.promptsets.building.wordlists import first_found, whole_words

_MINOR = whole_words(
    ["child", "children", "kid", "baby", "toddler", "infant", "teen", "teenager", "little girl",
     "little boy", "young girl", "young boy", "schoolgirl", "schoolboy", "minor", "year old"]
)  # fmt: skip
# Texts that nobody should have to read again in a list of what was dropped.
_MOST_LETTERS = 2_000  # no prompt is longer, and rules stay quick on texts made to hang them
_RUN = re.compile(r"\w+")
_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_UNWRITTEN = ("personal: ", "unsafe: minors")


@dataclass(frozen=True)
class Kept:
    """A line that the rules of single lines let pass: its prompt, and what was in the log."""

    text: str
    original: str


@dataclass(frozen=True)
class Dropped:
    """A line that a rule drops: "stage: what", and its text where that may be written down."""

    reason: str
    text: str | None


def judge_line(line: LogLine, recipe: Recipe) -> Kept | Dropped:
    """Return a line's prompt, or why it has none: the first rule that drops it.

    In this order: unreadable, longer than any prompt, personal, unsafe, (prompt engineering
    goes), empty, length, language.
    """
    if line.fault:
        return Dropped(f"unreadable: {line.fault}", None)
    text = unicodedata.normalize("NFC", " ".join(line.text.split()))
    if len(text) > _MOST_LETTERS:
        return Dropped(f"length: over {_MOST_LETTERS:,} letters", None)
    reason = not_to_be_kept(text, recipe)
    if reason:
        return Dropped(reason, None if reason.startswith(_UNWRITTEN) else text)
    plain = recipe.jargon.strip(text) if recipe.choices.strip else text
    reason = _not_wanted(plain, recipe)
    return Dropped(reason, text) if reason else Kept(plain, text)


def not_to_be_kept(text: str, recipe: Recipe) -> str | None:
    """Return why a text must not be in any set: personal data, unsafe content."""
    kind = personal_data(text)
    if kind is None and recipe.known_names and recipe.known_names.search(text):
        kind = "listed name"
    if kind:
        return f"personal: {kind}"
    if not recipe.has_unsafe_word(text):
        return None
    found = first_found(recipe.unsafe_words, text)
    if found is None:
        return None
    if found[0] == "sexual" and _MINOR and _MINOR.search(text):
        return "unsafe: minors"
    return f"unsafe: {found[0]}"


def _not_wanted(text: str, recipe: Recipe) -> str | None:
    choices = recipe.choices
    words = len(_WORD.findall(text))
    if not words:
        return "empty: nothing but prompt engineering"
    if words < choices.fewest_words:
        return f"length: under {choices.fewest_words} words"
    if words > choices.most_words:
        return f"length: over {choices.most_words} words"
    other = other_language(text, frozenset(choices.languages)) if choices.languages else None
    return f"language: {other}" if other else None


def compared(text: str) -> str:
    """Return what is compared of a text: without capitals, accents, punctuation, spare spaces."""
    if text.isascii():  # the same, in a fifth of the time
        return " ".join(_RUN.findall(text.lower())) or text
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    return " ".join(_RUN.findall(letters)) or text


def is_stylized(text: str, recipe: Recipe) -> bool:
    """Return whether a prompt asks for a look that is no photograph's (words/stylized.toml)."""
    return bool(recipe.stylized_words and recipe.stylized_words.search(text))
