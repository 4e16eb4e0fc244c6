"""Which safety detectors there are, by name.

A detector is found by its name, here (`register_detector`) or among the entry points of the group
`models_backend.safety_detectors`, and is imported only when its name is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from models_backend.detectors.base import Detector
from models_backend.errors import InputError

ENTRY_POINTS = "models_backend.safety_detectors"

Loader = Callable[[], Detector]


def _nudenet() -> Detector:
    from models_backend.detectors.nudenet import NudeNet

    return NudeNet()


def _opennsfw() -> Detector:
    from models_backend.detectors.opennsfw import OpenNsfw

    return OpenNsfw()


_LOADERS: dict[str, Loader] = {"nudenet": _nudenet, "opennsfw": _opennsfw}


def register_detector(name: str, load: Loader) -> None:
    """Make a detector known under `name`; a later one of the same name takes its place."""
    _LOADERS[name] = load


def load_detector(name: str) -> Detector:
    """Load a detector. Raises `InputError` for an unknown name and where a package is missing."""
    plugged = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if name in _LOADERS:
        detector = _LOADERS[name]()
    elif name in plugged:
        detector = plugged[name].load()()
    else:
        known = ", ".join(sorted(_LOADERS.keys() | plugged.keys()))
        raise InputError(f"no safety detector {name!r}; known: {known}.")
    if detector.identity.name != name:
        raise InputError(
            f"the safety detector {name!r} calls itself {detector.identity.name!r}; its identity "
            "must bear the name it is registered under."
        )
    return detector
