"""What a checkpoint directory may hold, checked without loading any of it.

Three layouts are accepted: the trainer's own (`metadata.json`, format t2i-checkpoint/1; with a
`model_index.json` beside it where diffusers can load it too), a local diffusers pipeline
(`model_index.json` alone), and one file in a model's original layout (`model.safetensors`) with a
pipeline's configurations (`config/`, see verification.single_file). Weights are safetensors, the
rest JSON and text; a file that could run code (pickle, Python) is refused.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from evalplatform.checkpoints.verification import single_file
from evalplatform.checkpoints.verification.configs import (
    INDEXES,
    NEVER_LOADED,
    check_config,
    check_model_index,
    read_json,
)
from evalplatform.checkpoints.verification.names import check_name, is_left_out
from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import (
    FORMAT,
    METADATA,
    NOT_HASHED,
    PIPELINE_INDEX,
    Layout,
    content_sha256,
    differing_files,
    file_sha256,
    layout_of,
    trained_families,
)

_TEXTS = {".txt", ".md", ".toml", ".jsonl", ""}
_MAX_FILES = 10_000


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


@dataclass(frozen=True)
class CheckpointFiles:
    """A directory that passed every check."""

    directory: Path
    paths: tuple[str, ...]
    sha256: str
    size_bytes: int
    family: str
    parameters: Counter[str]
    """Parameters by dtype, as safetensors names it."""
    metadata: dict[str, Any] = field(default_factory=dict)


def inspect(directory: Path) -> CheckpointFiles:
    """Check `directory` and return what it holds. Raises `BadInputError` naming the file."""
    if not directory.is_dir():
        what = "is a file" if directory.exists() else "is not there"
        raise BadInputError(
            f"{directory} {what}; give a checkpoint directory, one the trainer wrote "
            "(metadata.json) or a diffusers pipeline (model_index.json), or a zip or tar of one; "
            "or a single .safetensors file with --config."
        )
    files = sorted(checkpoint_files(directory))
    parameters = _check_contents(directory, files)
    if not parameters:
        raise BadInputError(f"{directory} holds no .safetensors weights; save it as safetensors.")
    hashes = {path: file_sha256(directory / path) for path in files if path not in NOT_HASHED}
    family, metadata = _kind(directory, files, hashes)
    return CheckpointFiles(
        directory=directory,
        paths=tuple(files),
        sha256=content_sha256(hashes),
        size_bytes=sum((directory / path).stat().st_size for path in files),
        family=family,
        parameters=parameters,
        metadata=metadata,
    )


def checkpoint_files(directory: Path) -> Iterator[str]:
    """Yield every file's relative path, refusing links and kinds that could run code.

    What hubs, editors and file managers leave behind is passed over.
    """
    for count, path in enumerate(directory.rglob("*")):
        name = PurePosixPath(path.relative_to(directory))
        if count >= _MAX_FILES:
            raise BadInputError(
                f"{directory} holds more than {_MAX_FILES:,} files; give the checkpoint's own "
                "folder."
            )
        if path.is_symlink():
            raise BadInputError(f"{directory}: {name} is a link; copy the file itself there.")
        if path.is_dir() or is_left_out(name):
            continue
        if not path.is_file():
            raise BadInputError(f"{directory}: {name} is no regular file; remove it.")
        check_name(name)
        yield name.as_posix()


def _check_contents(directory: Path, files: list[str]) -> Counter[str]:
    """Check every file by its kind; return the parameters by dtype."""
    parameters: Counter[str] = Counter()
    for name in files:
        path = directory / name
        suffix = path.suffix.lower()
        if suffix == ".safetensors":
            parameters += read_header(path, name).parameters
        elif suffix == ".json":
            content = read_json(path, name)
            check_config(content, name)
            if name in INDEXES:
                check_model_index(content)
            if name.endswith(".safetensors.index.json"):
                _check_shards(content, name, set(files))
        elif suffix in _TEXTS:
            _check_text(path, name)
    return parameters


def _check_shards(index: dict[str, Any], name: str, files: set[str]) -> None:
    """Check that a sharded model's table names only shards that lie beside it."""
    table = index.get("weight_map")
    shards = set(table.values()) if isinstance(table, dict) else {None}
    folder = PurePosixPath(name).parent
    for shard in shards:
        if not isinstance(shard, str) or (folder / shard).as_posix() not in files:
            raise BadInputError(
                f"{name} names the shard {str(shard)[:80]!r}, which does not lie beside it; copy "
                "the checkpoint again, whole."
            )


def _check_text(path: Path, name: str) -> None:
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            if b"\0" in chunk:
                raise BadInputError(f"{name} is not text; leave it out or copy it again.")


def _kind(directory: Path, files: list[str], hashes: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the family that loads the directory, and the trainer's metadata if it wrote it."""
    layout = layout_of(files.__contains__)
    if layout is Layout.TRAINED:
        metadata = _trainer_metadata(directory, hashes)
        return str(metadata["family"]), metadata
    if layout is Layout.DIFFUSERS_PIPELINE:
        index = read_json(directory / PIPELINE_INDEX, PIPELINE_INDEX)
        _check_components(index, files)
        return layout.value, {"config": {"pipeline": index["_class_name"]}}
    if layout is Layout.SINGLE_FILE:
        index = read_json(directory / single_file.INDEX, single_file.INDEX)
        tensors = read_header(directory / single_file.WEIGHTS, single_file.WEIGHTS).names
        single_file.check_components(files, tensors, index)
        return layout.value, {"config": {"pipeline": index["_class_name"]}}
    raise BadInputError(
        f"{directory} has neither metadata.json nor model_index.json; give a directory that the "
        "trainer or diffusers' save_pretrained wrote, or model.safetensors beside its config/."
    )


def _check_components(index: dict[str, Any], files: list[str]) -> None:
    """Refuse a pipeline of which a component's folder is missing: it could not be loaded."""
    there = {PurePosixPath(name).parts[0] for name in files if "/" in name}
    named = {
        name for name, source in index.items() if isinstance(source, list) and any(source)
    }  # fmt: skip
    missing = sorted(named - there - NEVER_LOADED)
    if missing:
        raise BadInputError(
            f"model_index.json names {', '.join(missing)[:200]}, of which there is no folder; copy "
            "the pipeline's folder again, whole."
        )


def _trainer_metadata(directory: Path, hashes: dict[str, str]) -> dict[str, Any]:
    metadata = read_json(directory / METADATA, METADATA)
    if metadata.get("format") != FORMAT:
        raise BadInputError(
            f"{directory}/metadata.json has format {metadata.get('format')!r}; accepted: {FORMAT}."
        )
    try:
        told = _Told.model_validate(metadata)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"metadata.json: {where[:80]}: {first['msg']}; copy the checkpoint again as the "
            "trainer wrote it."
        ) from error
    if told.family not in trained_families():
        raise BadInputError(
            f"{directory}/metadata.json names the family {told.family!r}; accepted: "
            f"{', '.join(sorted(trained_families()))}. Install the package that brings the family, "
            "or save the model as a diffusers pipeline."
        )
    recorded = {path: entry.sha256 for path, entry in told.files.items()}
    changed = differing_files(recorded, hashes)
    if changed or metadata.get("sha256") != content_sha256(hashes):
        raise BadInputError(
            f"{directory} is not what the trainer wrote ({', '.join(changed) or 'metadata.json'} "
            "differs from the recorded sha256); copy the checkpoint again."
        )
    return metadata
