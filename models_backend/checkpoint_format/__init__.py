"""What a checkpoint directory is, said once for the trainer, the workers and the platform.

Pure: the standard library alone, so that a web process can import it. It raises no errors of its
own; whoever asks says in its own words what is wrong.
"""

from models_backend.checkpoint_format.families import (
    ENTRY_POINTS,
    FAMILIES,
    LAYOUT_FAMILIES,
    TUNED_PIPELINE,
    trained_families,
)
from models_backend.checkpoint_format.hashes import content_sha256, differing_files, file_sha256
from models_backend.checkpoint_format.installed import (
    diffusers_classes,
    diffusers_version,
    has_pipeline_folder,
)
from models_backend.checkpoint_format.layout import (
    CARD,
    FORMAT,
    METADATA,
    NOT_HASHED,
    PIPELINE_INDEX,
    SINGLE_FILE_CONFIG,
    SINGLE_FILE_INDEX,
    SINGLE_FILE_WEIGHTS,
    Layout,
    layout_of,
)

__all__ = [
    "CARD",
    "ENTRY_POINTS",
    "FAMILIES",
    "FORMAT",
    "LAYOUT_FAMILIES",
    "METADATA",
    "NOT_HASHED",
    "PIPELINE_INDEX",
    "SINGLE_FILE_CONFIG",
    "SINGLE_FILE_INDEX",
    "SINGLE_FILE_WEIGHTS",
    "TUNED_PIPELINE",
    "Layout",
    "content_sha256",
    "differing_files",
    "diffusers_classes",
    "diffusers_version",
    "file_sha256",
    "has_pipeline_folder",
    "layout_of",
    "trained_families",
]
