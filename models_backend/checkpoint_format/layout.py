"""The three layouts of a checkpoint directory, told apart by the names of its files."""

from collections.abc import Callable
from enum import Enum

FORMAT = "t2i-checkpoint/1"
"""What `metadata.json` gives as `format`."""
METADATA = "metadata.json"
CARD = "README.md"
NOT_HASHED = frozenset({METADATA, CARD})
"""Written about the weights, not part of them: outside the content hash."""

PIPELINE_INDEX = "model_index.json"
SINGLE_FILE_WEIGHTS = "model.safetensors"
SINGLE_FILE_CONFIG = "config"
SINGLE_FILE_INDEX = f"{SINGLE_FILE_CONFIG}/{PIPELINE_INDEX}"


class Layout(Enum):
    """How the files of a checkpoint lie."""

    TRAINED = "trained"
    """As the trainer writes it, with `metadata.json`; diffusers may be able to load it too."""
    DIFFUSERS_PIPELINE = "diffusers_pipeline"
    """As diffusers' `save_pretrained` writes it, with `model_index.json`."""
    SINGLE_FILE = "single_file"
    """`model.safetensors` as a model's authors wrote it, beside a pipeline's `config/`."""


def layout_of(has: Callable[[str], bool]) -> Layout | None:
    """Return the layout of a directory, or None where it has none of the three.

    `has` says whether the directory holds a file, named relative to it with forward slashes.
    """
    if has(METADATA):
        return Layout.TRAINED
    if has(PIPELINE_INDEX):
        return Layout.DIFFUSERS_PIPELINE
    if has(SINGLE_FILE_INDEX) and has(SINGLE_FILE_WEIGHTS):
        return Layout.SINGLE_FILE
    return None
