"""What the trainer recorded of its own checkpoint, held against the files and the database."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from evalplatform.checkpoints.verification.configs import read_json
from evalplatform.checkpoints.verification.wording import listed, shown
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import (
    FORMAT,
    METADATA,
    content_sha256,
    differing_files,
    trained_families,
)

_MAX_DEPTH = 50


class _File(BaseModel):
    sha256: str


class _Told(BaseModel):
    """The types of what is read from the trainer's metadata; the rest is kept as it is."""

    family: str = Field(max_length=60)
    sha256: str
    files: dict[str, _File]
    name: str = ""
    role: str = ""
    parent_sha256: str | None = Field(default=None, pattern=r"^([0-9a-f]{64})?$")
    config: dict[str, Any] = {}
    training: dict[str, Any] = {}
    licences: list[Annotated[str, Field(max_length=200)]] = []


def trainer_metadata(directory: Path, hashes: dict[str, str]) -> dict[str, Any]:
    """Return `metadata.json`. `hashes` are those of the files, as they are now.

    Raises `BadInputError` for files that were changed since, and for what cannot be stored.
    """
    metadata = read_json(directory / METADATA, METADATA)
    if metadata.get("format") != FORMAT:
        raise BadInputError(
            f"metadata.json has format {shown(metadata.get('format'))!r}; accepted: {FORMAT}."
        )
    _refuse_what_cannot_be_stored(metadata)
    told = _told(metadata)
    if told.family not in trained_families():
        raise BadInputError(
            f"metadata.json names the family {shown(told.family)!r}; accepted: "
            f"{', '.join(sorted(trained_families()))}. Install the package that brings the family, "
            "or save the model as a diffusers pipeline."
        )
    recorded = {path: entry.sha256 for path, entry in told.files.items()}
    changed = differing_files(recorded, hashes)
    if changed or told.sha256 != content_sha256(hashes):
        raise BadInputError(
            f"{directory} is not what the trainer wrote ({listed(changed or [METADATA])} differs "
            "from the recorded sha256); copy the checkpoint again."
        )
    return metadata


def _told(metadata: dict[str, Any]) -> _Told:
    try:
        return _Told.model_validate(metadata)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"metadata.json: {shown(where)}: {first['msg']}; copy the checkpoint again as the "
            "trainer wrote it."
        ) from error


def _refuse_what_cannot_be_stored(metadata: dict[str, Any]) -> None:
    for value in _values(metadata):
        if isinstance(value, float) and not math.isfinite(value):
            raise _unstorable(f"the number {value}")
        if isinstance(value, str) and any(
            character == "\0" or "\ud800" <= character <= "\udfff" for character in value
        ):
            raise _unstorable(f"the text {shown(value)!r}")


def _values(metadata: dict[str, Any]) -> Iterator[Any]:
    """Yield every key and plain value, at any depth."""
    waiting: list[tuple[Any, int]] = [(metadata, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise _unstorable(f"objects nested more than {_MAX_DEPTH} deep")
        if isinstance(each, dict):
            yield from each
            waiting += [(value, depth + 1) for value in each.values()]
        elif isinstance(each, list):
            waiting += [(value, depth + 1) for value in each]
        else:
            yield each


def _unstorable(what: str) -> BadInputError:
    return BadInputError(
        f"metadata.json holds {what}, which no database stores; the trainer writes no such thing. "
        "Copy the checkpoint again as it was trained."
    )
