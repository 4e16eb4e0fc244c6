"""Which scorers there are, by name.

A scorer is found by its name, here (`register_scorer`) or among the entry points of the group
`models_backend.scorers`, and is imported only when its name is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points

from models_backend.curation.scorers.base import Scorer
from models_backend.errors import InputError

ENTRY_POINTS = "models_backend.scorers"

Loader = Callable[[str], Scorer]
"""Takes the scorer's option, `--with NAME=OPTION`, or an empty text."""


def _size(option: str) -> Scorer:
    from models_backend.curation.scorers.pixels import Size

    return Size()


def _pixels(option: str) -> Scorer:
    from models_backend.curation.scorers.pixels import PixelMeasures

    return PixelMeasures()


def _duplicates(option: str) -> Scorer:
    from models_backend.curation.scorers.duplicates import Duplicates

    return Duplicates()


def _ocr(option: str) -> Scorer:
    from models_backend.curation.scorers.ocr import Ocr

    return Ocr()


def _offensive(option: str) -> Scorer:
    from models_backend.curation.scorers.offensive import Offensive

    return Offensive(option or "nudenet")


def _text_image(option: str) -> Scorer:
    from models_backend.curation.scorers.learned import text_image

    return text_image(option)


def _appeal(option: str) -> Scorer:
    from models_backend.curation.scorers.learned import appeal

    return appeal(option)


def _clip(option: str) -> Scorer:
    from models_backend.curation.scorers.clip import clip

    return clip(option)


def _aesthetic(option: str) -> Scorer:
    from models_backend.curation.scorers.clip import aesthetic

    return aesthetic(option)


def _concepts(option: str) -> Scorer:
    from models_backend.curation.scorers.told import Concepts

    return Concepts(option)


def _popularity(option: str) -> Scorer:
    from models_backend.curation.scorers.told import Popularity

    return Popularity(option)


_LOADERS: dict[str, Loader] = {
    "size": _size, "pixels": _pixels, "duplicates": _duplicates, "ocr": _ocr,
    "offensive": _offensive, "text_image": _text_image, "appeal": _appeal,
    "clip": _clip, "aesthetic": _aesthetic, "concepts": _concepts, "popularity": _popularity,
}  # fmt: skip


def register_scorer(name: str, load: Loader) -> None:
    """Make a scorer known under `name`; a later one of the same name takes its place."""
    _LOADERS[name] = load


def load_scorers(names: Sequence[str], options: Mapping[str, str]) -> list[Scorer]:
    """Load scorers in order; `size` is always the first.

    Raises:
        InputError: an unknown name, an option for a scorer that is not asked for, or a scorer
            that lacks its package or its weights.
    """
    wanted = list(dict.fromkeys(["size", *names]))
    plugged = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    for name in wanted:
        if name not in _LOADERS and name not in plugged:
            known = ", ".join(sorted(_LOADERS.keys() | plugged.keys()))
            raise InputError(f"no scorer {name!r}; known: {known}")
    for name in options:
        if name not in wanted:
            raise InputError(
                f"an option is given for {name}, which is not among the scorers {','.join(wanted)}"
            )
    scorers = [
        (_LOADERS[name] if name in _LOADERS else plugged[name].load())(options.get(name, ""))
        for name in wanted
    ]
    taken = [scorer.identity.name for scorer in scorers]
    if len(set(taken)) < len(taken):
        raise InputError(f"two scorers share a name: {', '.join(taken)}")
    return scorers
