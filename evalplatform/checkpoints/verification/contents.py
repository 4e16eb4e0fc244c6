"""One file of a checkpoint, checked by its kind."""

from collections import Counter
from pathlib import Path

from evalplatform.checkpoints.verification.configs import (
    INDEXES,
    check_config,
    check_model_index,
    check_words,
    is_words,
    read_json,
)
from evalplatform.checkpoints.verification.lfs import refuse_pointer
from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.core.errors import BadInputError

_TEXTS = {".txt", ".md", ".toml", ".jsonl", ""}
_CHUNK = 2**20
_PIECES = b"\n"
"""How a SentencePiece model begins: its first field, the pieces."""


def check_file(path: Path, name: str) -> Counter[str]:
    """Check a file; return the parameters that it holds, by dtype.

    `name` is how an error calls it. Raises `BadInputError`.
    """
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return read_header(path, name).parameters
    if suffix == ".json" and not is_words(name):
        content = read_json(path, name)
        check_config(content, name)
        if name in INDEXES:
            check_model_index(content)
        return Counter()
    refuse_pointer(path, name)
    if suffix == ".json":
        check_words(path, name)
    elif suffix in _TEXTS:
        _check_text(path, name)
    elif suffix == ".model":
        _check_pieces(path, name)
    return Counter()


def _check_text(path: Path, name: str) -> None:
    if not _is_text(path):
        raise BadInputError(f"{name} is not text; leave it out or copy it again.")


def _check_pieces(path: Path, name: str) -> None:
    """A tokenizer's pieces, or a list of words as text."""
    with path.open("rb") as file:
        begins = file.read(len(_PIECES))
    if begins != _PIECES and not _is_text(path):
        raise BadInputError(
            f"{name} is no tokenizer's model; copy it again from where the checkpoint is from."
        )


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(2)
        if head[:1] == b"\x80":  # a pickle, and no beginning of UTF-8
            return False
        file.seek(0)
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                return False
    return True
