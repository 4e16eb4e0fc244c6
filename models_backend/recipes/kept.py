"""Parts that pre-training takes from a checkpoint as they are, and trains the others beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models_backend import checkpoints
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.errors import InputError
from models_backend.families.base import Family


def take_kept_parts(family: Family, config: PretrainConfig) -> dict[str, Any]:
    """Put the kept parts' weights into a fresh model; return what its checkpoint records of it.

    Stages of a cascade are trained apart (Imagen, arXiv 2205.11487), so that one can be made anew.

    Raises:
        InputError: a part that the family lacks or that does not fit, or another family.
        CheckpointError: the checkpoint was changed or cannot be loaded.
    """
    if not config.kept:
        return {}
    _refuse_strange_parts(family, config)
    folder = Path(config.kept_from)
    other, metadata = checkpoints.load(folder, "cpu")
    if type(other) is not type(family):
        raise InputError(f"kept_from {folder}: a {other.name} model; accepted is {family.name}")
    mine, theirs = family.config(), other.config()
    for name in ("text", "schedule"):
        if mine.get(name) != theirs.get(name):
            raise InputError(
                f"kept_from {folder}: its {name} is {theirs.get(name)}, this configuration's "
                f"{mine.get(name)}; give both the same"
            )
    for part in config.kept:
        if part not in other.parts:
            raise InputError(f"kept_from {folder}: it has no {part}, only {', '.join(other.parts)}")
        try:
            family.part(part).load_state_dict(other.part(part).state_dict())
        except RuntimeError:
            raise InputError(
                f"kept_from {folder}: its {part} is of another shape; give {part} as it is in its "
                "config.json"
            ) from None
        _refuse_another_task(part, family.part_config(part), other.part_config(part), folder)
    return {"kept_parts": list(config.kept), "kept_from_sha256": str(metadata["sha256"])}


def _refuse_another_task(
    part: str, mine: dict[str, Any], theirs: dict[str, Any], folder: Path
) -> None:
    """Weights of one shape may have learned something else, such as whole images."""
    for key in sorted(mine.keys() | theirs.keys()):
        if mine.get(key) != theirs.get(key):
            raise InputError(
                f"kept_from {folder}: {key} of its {part} is {theirs.get(key)}, this "
                f"configuration's {mine.get(key)}; give both the same"
            )


def _refuse_strange_parts(family: Family, config: PretrainConfig) -> None:
    if family.compressor:
        raise InputError(
            f"kept: the parts of a {family.name} model hang on its {family.compressor}, which is "
            "trained anew; tune the checkpoint instead"
        )
    unknown = sorted(set(config.kept) - set(family.parts))
    if unknown or set(config.kept) == set(family.parts):
        raise InputError(
            f"kept {list(config.kept)}: accepted are some, not all, of {', '.join(family.parts)}"
        )
