"""Captions for training: a concept's phrase, its keywords, and now and then its drawing style.

Every record has a finite list of weighted captions, so text embeddings can be computed once.
"""

from __future__ import annotations

from models_backend.configuration.captions import CaptionMix

PLAIN_TEMPLATES = ("{a}", "{bare}", "a picture of {a}")
"""Captions that say nothing of the style; ``{a}`` has the article, ``{bare}`` has not."""

STYLE_TEMPLATES: dict[str, tuple[str, ...]] = {
    "flat": ("a flat drawing of {a}", "{a}, flat sticker style"),
    "cartoon": ("a cartoon of {a}", "{a}, cartoon style"),
    "3d": ("a 3d render of {a}", "{a}, glossy 3d style"),
}

_ARTICLES = ("a ", "an ", "the ")
_KEYWORDS_PER_CAPTION = 3


def without_article(label: str) -> str:
    """``"a red car"`` becomes ``"red car"``."""
    for article in _ARTICLES:
        if label.startswith(article):
            return label[len(article) :]
    return label


def weighted_captions(
    label: str, keywords: list[str], style: str, mix: CaptionMix
) -> list[tuple[str, float]]:
    """All captions of one image with their probabilities (which sum to one).

    Args:
        label: noun phrase with its article.
        keywords: single words, most telling first; may be empty.
        style: a key of :data:`STYLE_TEMPLATES`; an unknown style gets no style phrase.
        mix: shares of the kinds; a kind without captions gives its share to the plain ones.
    """
    bare = without_article(label)
    kinds = [
        (mix.plain, [t.format(a=label, bare=bare) for t in PLAIN_TEMPLATES]),
        (mix.keywords, _keyword_captions(label, bare, keywords)),
        (mix.styled, [t.format(a=label, bare=bare) for t in STYLE_TEMPLATES.get(style, ())]),
    ]
    missing = sum(share for share, captions in kinds if not captions)
    weights: dict[str, float] = {}
    for index, (share, captions) in enumerate(kinds):
        total = share + (missing if index == 0 else 0.0)
        for caption in captions:
            weights[caption] = weights.get(caption, 0.0) + total / len(captions)
    return list(weights.items())


def _keyword_captions(label: str, bare: str, keywords: list[str]) -> list[str]:
    telling = [word for word in keywords if word not in bare.split()]
    if not telling:
        return []
    return [f"{label}, " + ", ".join(telling[:_KEYWORDS_PER_CAPTION])]
