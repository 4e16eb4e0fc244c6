"""Opens a folder of training images, whichever way they are kept."""

from pathlib import Path

from models_backend.data.manifest import MARK_NAME
from models_backend.data.manifest_source import ManifestSource
from models_backend.data.shard_source import INDEX, ShardSource
from models_backend.data.source import ImageSource


def open_source(folder: Path) -> ImageSource:
    """Return the samples of a data directory or a folder of shards.

    Raises:
        InputError: it is neither, or unfinished, changed or empty.
    """
    if (folder / INDEX).is_file() and not (folder / MARK_NAME).exists():
        return ShardSource(folder)
    return ManifestSource(folder)
