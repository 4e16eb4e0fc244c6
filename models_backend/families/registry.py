"""Finds a family's class by its name and imports it only then. No torch here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from models_backend.checkpoint_format import LAYOUT_FAMILIES, Layout, trained_families
from models_backend.errors import CheckpointError

if TYPE_CHECKING:
    from models_backend.families.base import Family


def family_named(name: str) -> type[Family]:
    """Return the family that a checkpoint's `metadata.json` names.

    Raises:
        CheckpointError: no such family, or its module cannot be imported here.
    """
    known = trained_families()
    if name not in known:
        raise CheckpointError(f"family {name!r}, accepted are {', '.join(sorted(known))}")
    return _imported(name, known[name])


def family_of_layout(layout: Layout) -> type[Family]:
    """Return the family of a layout that has no `metadata.json`.

    Raises:
        CheckpointError: its module cannot be imported here.
    """
    return _imported(layout.value, LAYOUT_FAMILIES[layout])


def _imported(name: str, place: str) -> type[Family]:
    module, _, attribute = place.partition(":")
    try:
        family: type[Family] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CheckpointError(
            f"family {name!r} is declared as {place}, which cannot be imported ({error}); install "
            "its package on every worker"
        ) from error
    if family.name != name:
        raise CheckpointError(
            f"family {name!r} is declared as {place}, which calls itself {family.name!r}; its name "
            "must be the one it is declared under"
        )
    return family
