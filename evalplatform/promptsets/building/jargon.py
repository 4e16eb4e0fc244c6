"""Prompt engineering taken off a prompt: weights, switches, and words about quality.

What stays is what somebody wanted to see, as they would say it.
"""

import re
from pathlib import Path

from evalplatform.promptsets.building.wordlists import any_of, read_words, whole_words, words_of

_SWITCH = re.compile(
    r"(?:^|\s)(?:--?|—|–)(?=[A-Za-z])[A-Za-z]+(?:\s+(?:\d[\d.:,]*|raw|cute|scenic|expressive))?(?=\s|,|$)"
)
_LEFT_OUT = re.compile(r"(?:^|\s)--no\s+(?:(?!\s--).)*", re.I | re.S)
_LORA = re.compile(r"<[a-z]+:[^<>]{1,200}>", re.I)
_WEIGHT = re.compile(r"[(\[{]+([^()\[\]{}:]+?)\s*:\s*-?\d*\.?\d+\s*[)\]}]+")
_COLONS = re.compile(r"::\s*-?\d*\.?\d*")
_ROUND = re.compile(r"\(+([^()]*)\)+")
_SQUARE = re.compile(r"[\[{]+([^\[\]{}]*)[\]}]+")
_NEGATIVE = re.compile(r"\bnegative prompts?\s*:.*$", re.I | re.S)
_SETTINGS = re.compile(
    r"\b(?:steps|sampler|cfg scale|cfg|seed|size|model hash|clip skip)\s*:\s*\S+", re.I
)
_IMAGINE = re.compile(r"^\s*/?imagine(?:\s+prompt)?\s*:?\s*|^\s*prompt\s*:\s*", re.I)
_SIGN = re.compile(r"[-—–<(\[{:]")  # all of the above but _IMAGINE need one
_DASH, _BRACKET = re.compile(r"[-—–]"), re.compile(r"[(\[{:]")
_PARTS = re.compile(r"([,;|\n]+)")
_WORD = re.compile(r"\w")
_BEFORE_STOP = re.compile(r"\s+([.!?])")
_LEFT_OVER = re.compile(r"^(?:and|with|in|by)$|\s+(?:and|,)$", re.I)
_SEPARATORS = re.compile(r"[\W_]+")


class Jargon:
    """The rules, with one list of words.

    Args:
        path: a file such as words/keywords.toml.
    """

    def __init__(self, path: Path) -> None:
        file = read_words(path)
        self.sha256 = file.sha256
        parts = words_of(file.tables.get("parts", []), f"{path.name}: parts")
        anywhere = words_of(file.tables.get("anywhere", []), f"{path.name}: anywhere")
        self._anywhere, self._whole = whole_words(anywhere), whole_words(parts)
        self._has_any, self._has_part = any_of([*parts, *anywhere]), any_of(parts)

    def strip(self, text: str) -> str:
        """Return a text without prompt engineering; "" where nothing else was in it.

        A text that has none is returned as it is.
        """
        plain = _IMAGINE.sub("", text)
        if _SIGN.search(plain):
            plain = _without_switches(plain)
            if _BRACKET.search(plain):
                plain = _without_weights(plain)
        kept = _PARTS.split(plain)[::2]
        if self._has_any(plain):  # most texts have none of its words
            kept = [each for each in kept if not self._is_jargon(each)]
            if self._anywhere:
                kept = [self._anywhere.sub(" ", each) for each in kept]
        tidy = [_tidy(each) for each in kept]
        said = ", ".join(each for each in tidy if _WORD.search(each))
        return text.strip() if _same(said, text) else said

    def _is_jargon(self, part: str) -> bool:
        """Whether nothing of a part is left once its jargon is gone."""
        if self._whole is None or not self._has_part(part):
            return False
        return not _WORD.search(self._whole.sub(" ", part))


def _without_switches(text: str) -> str:
    """Take off what follows the picture: "Negative prompt: …", "--ar 16:9", "Steps: 20", LoRAs.

    Each pattern is tried where a text has the sign that it needs, which is quick to look for.
    """
    colon = ":" in text
    if colon:
        text = _NEGATIVE.sub("", text)
    if "--" in text:
        text = _LEFT_OUT.sub(" ", text)
    if colon:
        text = _SETTINGS.sub(" ", _LORA.sub(" ", text))
    return _SWITCH.sub(" ", text) if _DASH.search(text) else text


def _without_weights(text: str) -> str:
    """Take off brackets that weigh words: "(word:1.3)", "((word))", "[word]", "word::2"."""
    for _ in range(4):  # nested no deeper
        lighter = _SQUARE.sub(r"\1", _WEIGHT.sub(r"\1", text))
        lighter = re.sub(r"\({2,}([^()]*)\){2,}", r"\1", lighter)
        if lighter == text:
            break
        text = lighter
    return _COLONS.sub(", ", text)


def _tidy(part: str) -> str:
    plain = " ".join(part.split()).strip(" \t-–—_*\"'`")
    if any(each in plain for each in (" .", " !", " ?")):
        plain = _BEFORE_STOP.sub(r"\1", plain)
    if len(plain) <= 4 or plain[-4:].lower().endswith((" and", " ,")):
        plain = _LEFT_OVER.sub("", plain)
    return plain.strip()


def _same(said: str, text: str) -> bool:
    """Whether only spaces and separators differ."""
    return said == text or _SEPARATORS.sub("", said) == _SEPARATORS.sub("", text)
