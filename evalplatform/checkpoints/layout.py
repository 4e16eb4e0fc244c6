"""What a checkpoint directory may hold, checked without loading any of it.

Three layouts are accepted: the trainer's own (`metadata.json`, format t2i-checkpoint/1; with a
`model_index.json` beside it where diffusers can load it too), a local diffusers pipeline
(`model_index.json` alone), and one file in a model's original layout (`model.safetensors`) with a
pipeline's configurations (`config/`, see verification.single_file). Weights are safetensors, the
rest JSON and text; a file that could run code (pickle, Python) is refused.

Whether the tensors are those that the configured classes want is for `services.loading` to find
out, in a process with torch.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from evalplatform.checkpoints.verification import single_file
from evalplatform.checkpoints.verification.configs import (
    NEVER_LOADED,
    check_model_index,
    named_components,
    read_json,
)
from evalplatform.checkpoints.verification.contents import check_file
from evalplatform.checkpoints.verification.names import check_name, is_left_out, relative_path
from evalplatform.checkpoints.verification.recognition import refuse_another_kind, refuse_partial
from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.checkpoints.verification.trained import trainer_metadata
from evalplatform.checkpoints.verification.weight_files import (
    is_table,
    is_weight,
    one_set_each,
    plain_table,
)
from evalplatform.checkpoints.verification.wording import listed, shown
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import (
    NOT_HASHED,
    PIPELINE_INDEX,
    Layout,
    content_sha256,
    file_sha256,
    layout_of,
)

_MAX_FILES = 10_000


@dataclass(frozen=True)
class CheckpointFiles:
    """A directory that passed every check."""

    directory: Path
    sources: dict[str, str]
    """What is kept: each file's name in the registry, and its name here."""
    left_out: tuple[str, ...]
    """Weights that no component loads: another precision, a whole copy at the top."""
    sha256: str
    size_bytes: int
    family: str
    parameters: Counter[str]
    """Parameters by dtype, as safetensors names it."""
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def is_as_kept(self) -> bool:
        """Whether the directory itself can become the registry's."""
        return not self.left_out and all(kept == here for kept, here in self.sources.items())


def inspect(directory: Path) -> CheckpointFiles:
    """Check `directory` and return what it holds. Raises `BadInputError` naming the file."""
    _refuse_no_directory(directory)
    refuse_another_kind(directory)
    files = sorted(checkpoint_files(directory))
    layout = layout_of(files.__contains__)
    if layout is None:
        raise BadInputError(
            f"{directory} has neither metadata.json nor model_index.json; give a directory that "
            "the trainer or diffusers' save_pretrained wrote, or model.safetensors beside its "
            "config/."
        )
    index = _index(directory, layout)
    sources = _taken(files, layout, index)
    parameters: Counter[str] = Counter()
    for name in sources.values():
        parameters += check_file(directory / name, name)
    if not parameters:
        raise BadInputError(f"{directory} holds no .safetensors weights; save it as safetensors.")
    for name in sources.values():
        if is_table(name):
            _check_shards(read_json(directory / name, name), name, set(sources.values()))
    _check_components(directory, sources, layout, index)
    hashes = {
        kept: hashlib.sha256(content).hexdigest()
        if (content := renamed_table(directory, kept, name)) is not None
        else file_sha256(directory / name)
        for kept, name in sources.items()
        if kept not in NOT_HASHED
    }
    trained = layout is Layout.TRAINED
    metadata = (
        trainer_metadata(directory, hashes)
        if trained
        else {"config": {"pipeline": index["_class_name"]}}
    )
    return CheckpointFiles(
        directory=directory,
        sources=sources,
        left_out=tuple(sorted(set(files) - set(sources.values()))),
        sha256=content_sha256(hashes),
        size_bytes=sum((directory / name).stat().st_size for name in sources.values()),
        family=str(metadata["family"]) if trained else layout.value,
        parameters=parameters,
        metadata=metadata,
    )


def renamed_table(directory: Path, kept: str, name: str) -> bytes | None:
    """Return the table of shards that lost their variant; None for a file that is kept as it is."""
    if kept == name or not is_table(name):
        return None
    return plain_table((directory / name).read_bytes())


def _refuse_no_directory(path: Path) -> None:
    if path.is_dir():
        return
    if path.suffix.lower() == ".safetensors" and path.is_file():
        refuse_partial(path.name, read_header(path, path.name).names)
    what = "is a file" if path.exists() else "is not there"
    raise BadInputError(
        f"{path} {what}; give a checkpoint directory, one the trainer wrote (metadata.json) or a "
        "diffusers pipeline (model_index.json), or a zip or tar of one; or a single .safetensors "
        "file and the configuration that belongs to it.",
        by_command="--config names the configuration.",
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
        if path.is_symlink() and not _leads_into_cache(path, directory):
            raise BadInputError(
                f"{directory}: {shown(name)} is a link; copy the folder with `cp -rL`, which "
                "copies the files that links lead to, and give the copy."
            )
        if path.is_dir() or is_left_out(name):
            continue
        if not path.is_file():
            raise BadInputError(f"{directory}: {shown(name)} is no regular file; remove it.")
        check_name(relative_path(name.as_posix(), str(directory)))
        yield name.as_posix()


def _leads_into_cache(path: Path, directory: Path) -> bool:
    """Whether a link of a snapshot in a hub's cache leads to a file of the same model there.

    Such a cache is `models--ORG--NAME/`, with `snapshots/COMMIT/` and the files in `blobs/`.
    """
    snapshots = directory.resolve().parent
    blobs = snapshots.parent / "blobs"
    return snapshots.name == "snapshots" and path.resolve().parent == blobs and path.is_file()


def _index(directory: Path, layout: Layout) -> dict[str, Any]:
    """Return the checked index of a pipeline's components; of our own checkpoint nothing."""
    if layout is Layout.TRAINED:
        return {}
    name = PIPELINE_INDEX if layout is Layout.DIFFUSERS_PIPELINE else single_file.INDEX
    index = read_json(directory / name, name)
    check_model_index(index)
    return index


def _taken(files: list[str], layout: Layout, index: dict[str, Any]) -> dict[str, str]:
    """Return what is kept, as name in the registry: name here. One set of weights a component."""
    if layout is Layout.TRAINED:
        return {name: name for name in files}
    if layout is Layout.SINGLE_FILE:
        beside = [name for name in files if "/" not in name]
        return {name: name for name in beside} | one_set_each(set(files) - set(beside))
    named = named_components(index)
    return one_set_each(
        name for name in files if not is_weight(name) or name.partition("/")[0] in named
    )


def _check_shards(index: dict[str, Any], name: str, files: set[str]) -> None:
    """Check that a sharded model's table names only shards that lie beside it."""
    table = index.get("weight_map")
    folder = PurePosixPath(name).parent
    for shard in table.values() if isinstance(table, dict) else [None]:
        if not isinstance(shard, str) or (folder / shard).as_posix() not in files:
            raise BadInputError(
                f"{name} names the shard {shown(shard)!r}, which does not lie beside it; copy "
                "the checkpoint again, whole."
            )


def _check_components(
    directory: Path, sources: dict[str, str], layout: Layout, index: dict[str, Any]
) -> None:
    """Refuse a pipeline of which a component is missing: it could not be loaded."""
    if layout is Layout.SINGLE_FILE:
        tensors = read_header(directory / single_file.WEIGHTS, single_file.WEIGHTS).names
        single_file.check_components(sources, tensors, index)
    if layout is not Layout.DIFFUSERS_PIPELINE:
        return
    there = {PurePosixPath(name).parts[0] for name in sources if "/" in name}
    missing = sorted(named_components(index) - there - NEVER_LOADED)
    if missing:
        raise BadInputError(
            f"model_index.json names {listed(missing)}, of which there is no folder; copy the "
            "pipeline's folder again, whole."
        )
