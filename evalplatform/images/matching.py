"""Which prompt a row means: by its text, or by its key."""

import unicodedata
from collections.abc import Iterable

from evalplatform.images.faults import RowError
from evalplatform.promptsets.models import Prompt, PromptSet

_SHOWN = 60


def normalised(text: str) -> str:
    """Return a text with single spaces between its words and composed letters."""
    return " ".join(unicodedata.normalize("NFC", text).split())


class PromptMatcher:
    """The prompts of one set, by key (the prompt's row in its file, from 0) and by text."""

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self._by_key = {prompt.position: prompt for prompt in prompts}
        self._by_text = {prompt.text: prompt for prompt in self._by_key.values()}
        # Where texts differ in their spaces alone, only the exact ones tell them apart.
        self._by_words: dict[str, Prompt | None] = {}
        for prompt in self._by_key.values():
            words = normalised(prompt.text)
            self._by_words[words] = None if words in self._by_words else prompt

    @property
    def prompts(self) -> list[Prompt]:
        """The prompts in their order."""
        return [self._by_key[key] for key in sorted(self._by_key)]

    def find(self, *, text: str | None, key: str | None) -> Prompt:
        """Return the prompt that is meant. Raises `RowError`."""
        by_text = None if text is None else self._of_text(text)
        by_key = None if key is None else self._of_key(key)
        if by_text and by_key and by_text != by_key:
            why = f"its prompt is number {by_text.position} of the set and its key {key}"
            raise RowError("unmatched", f"{why}; give one of them")
        found = by_text or by_key
        if found is None:
            raise RowError("row", "has neither prompt nor key")
        return found

    def from_name(self, name: str) -> Prompt | None:
        """Return the prompt that a file or folder is named by, its key or its text; or None."""
        if _is_number(name) and int(name) in self._by_key:
            return self._by_key[int(name)]
        return self._by_text.get(name) or self._by_words.get(normalised(name))

    def _of_text(self, text: str) -> Prompt:
        found = self._by_text.get(text)
        if found is None:
            words = normalised(text)
            found = self._by_words.get(words)
            if found is None and words in self._by_words:
                why = f"several prompts are {words[:_SHOWN]!r} but for spaces; give the exact text"
                raise RowError("unmatched", why)
        if found is None:
            raise RowError("unmatched", f"no prompt is {text[:_SHOWN]!r}")
        return found

    def _of_key(self, key: str) -> Prompt:
        if not _is_number(key):
            raise RowError("row", f"its key is {key[:_SHOWN]!r}; a key is a number from 0")
        found = self._by_key.get(int(key))
        if found is None:
            raise RowError("unmatched", f"no prompt has key {key}; keys are {self._range()}")
        return found

    def _range(self) -> str:
        return f"0 to {max(self._by_key)}" if self._by_key else "none: the set is empty"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def other_set_of(texts: Iterable[str], prompt_set: PromptSet) -> str:
    """Return words that name another set which has some of these texts; empty where none has."""
    wanted = {*texts}
    found = (
        Prompt.objects.filter(text__in=wanted).exclude(prompt_set=prompt_set)
        .select_related("prompt_set").order_by("prompt_set__name", "-prompt_set__version").first()
    )  # fmt: skip
    return f" (some are prompts of {found.prompt_set})" if found else ""
