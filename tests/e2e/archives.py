"""Archives of checkpoints that a worker of its own process can verify: pipelines that load."""

import os
from pathlib import Path

from tests.checkpoints import hostile
from tests.checkpoints.hub_server import files_of
from tests.generation.original_layout import save_configurations, save_single_file
from tests.generation.tiny import save_tiny_pipeline


def of_pipeline(archive: Path) -> Path:
    """Write the archive of a pipeline and of notes that no packing shortens to less than 9 MiB."""
    content = files_of(save_tiny_pipeline(archive.with_suffix(""), seed=1))
    content |= {"notes.txt": os.urandom(9 * 2**20).hex().encode()}
    hostile.zipped(archive, content)
    assert archive.stat().st_size > 9 * 2**20
    return archive


def of_single_file(archive: Path) -> Path:
    """Write the archive of one file in the original layout, with its configurations."""
    pipeline = save_tiny_pipeline(archive.with_suffix(""), seed=1)
    folder = archive.with_name("original")
    save_configurations(pipeline, folder / "config")
    save_single_file(pipeline, folder / "model.safetensors")
    return hostile.zipped(archive, files_of(folder))
