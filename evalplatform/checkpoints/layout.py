"""What a checkpoint directory may hold, checked without loading any of it.

Two layouts are accepted: the trainer's own (`metadata.json`, format t2i-checkpoint/1) and a local
diffusers pipeline (`model_index.json`). Weights are safetensors, the rest JSON and text; a file
that could run code (pickle, Python) is refused.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError

FORMAT = "t2i-checkpoint/1"
_ALLOWED_SUFFIXES = {".safetensors", ".json", ".txt", ".md", ".model", ".toml", ".jsonl"}
# Written about the weights, not part of them: outside the content hash.
_NOT_HASHED = {"metadata.json", "README.md"}
_MAX_HEADER_BYTES = 100 * 2**20  # safetensors' own limit


@dataclass(frozen=True)
class CheckpointFiles:
    """A directory that passed every check."""

    directory: Path
    sha256: str
    size_bytes: int
    family: str
    metadata: dict[str, Any] = field(default_factory=dict)


def inspect(directory: Path) -> CheckpointFiles:
    """Check `directory` and return what it holds. Raises `BadInputError` naming the file."""
    if not directory.is_dir():
        raise BadInputError(
            f"{directory}: no such directory; give a checkpoint directory: one the trainer wrote "
            "(metadata.json) or a diffusers pipeline (model_index.json)."
        )
    files = _files(directory)
    hashes = {path: _file_sha256(directory / path) for path in files if path not in _NOT_HASHED}
    if "metadata.json" in files:
        metadata = _trainer_metadata(directory, hashes)
        family = str(metadata["family"])
    elif "model_index.json" in files:
        metadata, family = {}, "diffusers_pipeline"
        _check_model_index(directory / "model_index.json")
    else:
        raise BadInputError(
            f"{directory} has neither metadata.json nor model_index.json; give a directory that "
            "the trainer or diffusers' save_pretrained wrote."
        )
    if not any(path.endswith(".safetensors") for path in files):
        raise BadInputError(f"{directory} holds no .safetensors weights; save it as safetensors.")
    return CheckpointFiles(
        directory=directory,
        sha256=content_sha256(hashes),
        size_bytes=sum((directory / path).stat().st_size for path in files),
        family=family,
        metadata=metadata,
    )


def content_sha256(hashes: dict[str, str]) -> str:
    """Return the hash of a directory's content: sha256 over sorted lines "path sha256"."""
    lines = "".join(f"{path} {digest}\n" for path, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _files(directory: Path) -> list[str]:
    """Return every file's relative path, refusing links and kinds that could run code."""
    found = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink():
            raise BadInputError(f"{directory}: {name} is a link; copy the file itself there.")
        if path.is_dir():
            continue
        if path.suffix.lower() not in _ALLOWED_SUFFIXES:
            raise BadInputError(
                f"{directory}: {name} is not accepted; weights must be .safetensors and the rest "
                "JSON or text, since other kinds could run code when loaded."
            )
        if path.suffix.lower() == ".safetensors":
            _check_safetensors(path, name)
        found.append(name)
    return found


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_safetensors(path: Path, name: str) -> None:
    """Check that the header is bounded JSON and that its tensors fill the file exactly."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(_MAX_HEADER_BYTES, size - 8):
            raise BadInputError(
                f"{name} is not a whole safetensors file (its header says {length} bytes, the "
                f"file has {size}); copy it again."
            )
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key[:2] != "__"]
        except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
            raise BadInputError(
                f"{name} has a broken safetensors header; save it again."
            ) from error
    if max(ends, default=0) != size - 8 - length:
        raise BadInputError(
            f"{name} is cut off or padded: its tensors need {max(ends, default=0)} bytes, it holds "
            f"{size - 8 - length}; copy it again."
        )


def _trainer_metadata(directory: Path, hashes: dict[str, str]) -> dict[str, Any]:
    metadata = _json(directory / "metadata.json")
    if metadata.get("format") != FORMAT:
        raise BadInputError(
            f"{directory}/metadata.json has format {metadata.get('format')!r}; accepted: {FORMAT}."
        )
    recorded = {path: entry["sha256"] for path, entry in metadata.get("files", {}).items()}
    changed = sorted(
        path for path in recorded.keys() | hashes.keys() if recorded.get(path) != hashes.get(path)
    )
    if changed or metadata.get("sha256") != content_sha256(hashes):
        raise BadInputError(
            f"{directory} is not what the trainer wrote ({', '.join(changed) or 'metadata.json'} "
            "differs from the recorded sha256); copy the checkpoint again."
        )
    return metadata


def _check_model_index(path: Path) -> None:
    index = _json(path)
    if not str(index.get("_class_name", "")).endswith("Pipeline"):
        raise BadInputError(
            f"{path} names no diffusers pipeline (_class_name is {index.get('_class_name')!r})."
        )
    for component, source in index.items():
        if isinstance(source, list) and source and source[0] not in (
            "diffusers", "transformers", None,
        ):  # fmt: skip
            raise BadInputError(
                f"{path}: component {component!r} comes from {source[0]!r}; only classes of "
                "diffusers and transformers are loaded, never code from the checkpoint."
            )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInputError(f"{path} is not JSON ({error}); copy the checkpoint again.") from error
    if not isinstance(content, dict):
        raise BadInputError(f"{path} must hold one JSON object.")
    return content
