"""Which language a prompt is in, as far as a short text tells."""

import re
from functools import cache
from typing import Any

# Below this nobody can tell "gato" from "gatto", and the line is given the benefit of the doubt.
# Of 1,632 English prompts of 1 to 67 words one is called another language at 0.5.
SURE = 0.5
# Words no other language of the Latin alphabet has; with one of them a text is English.
_ENGLISH = re.compile(r"\b(?:the|with|and|wearing|standing|sitting|holding|background)\b")

# Creoles and dialects of English: a terse prompt is easily taken for one.
_ENGLISH_BASED = frozenset({"pcm", "sco", "jam", "bi", "tpi", "srn"})


def other_language(text: str, wanted: frozenset[str]) -> str | None:
    """Return the language (ISO 639) that a text surely is in where it is none of `wanted`."""
    if "en" in wanted and text.isascii() and _ENGLISH.search(text.lower()):
        return None
    language, share = _identifier().classify(text)
    if "en" in wanted and language in _ENGLISH_BASED:
        return None
    return None if language in wanted or float(share) < SURE else str(language)


@cache
def languages_known() -> frozenset[str]:
    """Return the languages that can be told."""
    return frozenset(str(each) for each in _identifier().labels)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
