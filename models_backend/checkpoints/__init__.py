"""Checkpoint directories: safetensors, readable metadata, a content hash. Never pickle.

A directory holds `metadata.json`, a model card `README.md`, and what the family saves; which files
make a checkpoint is said in `checkpoint_format`. Importing this package does not load torch.
"""

from models_backend.checkpoints.directory import file_hashes, read_metadata
from models_backend.checkpoints.loading import load, load_pipeline, load_to_tune, sha256_of
from models_backend.checkpoints.saving import save

__all__ = [
    "file_hashes", "load", "load_pipeline", "load_to_tune", "read_metadata", "save", "sha256_of",
]  # fmt: skip
