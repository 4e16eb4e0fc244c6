"""Which words of a prompt say what is to be seen."""

import re

# Words that say nothing of the subject: grammar, and what kind of picture is asked for.
_GRAMMAR = """
a an and are as at be been but by each for from had has have having he her his how i if in into is
it its just like made many me more most much my no nor not of on one or our out over own she so
some such than that the their them then there these they this those to too up us very was we were
what when which while who whose will with without you your
"""
_KIND_OF_PICTURE = """
art artwork background drawing emoji graphic icon illustration image logo painting photo photograph
picture portrait render rendering scene shot sketch style view
"""
_EMPTY = frozenset((_GRAMMAR + _KIND_OF_PICTURE).split())


def content_words(prompt: str) -> frozenset[str]:
    """Return the words of a prompt that name what it shows, lower-case and without plural s.

    >>> sorted(content_words("A photo of two Cherries on a red table"))
    ['cherry', 'red', 'table', 'two']
    """
    words = re.findall(r"[^\W_]+", prompt.lower())
    return frozenset(_singular(word) for word in words if word not in _EMPTY)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
