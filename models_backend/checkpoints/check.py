"""Whether a checkpoint directory would load: `python -m models_backend.checkpoints.check DIR`.

A process of its own, with bounded memory and time and without a GPU, for directories that nobody
knows yet.
It ends with status 0, or with one line of what is wrong and status 2.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import warnings
from pathlib import Path

from models_backend.checkpoint_format import Layout, layout_of
from models_backend.checkpoints.directory import read_metadata
from models_backend.errors import CheckpointError, run_cli
from models_backend.families.registry import family_named, family_of_layout

_MEMORY_BYTES = 4 * 2**30
_CPU_SECONDS = 360
"""Of an attempt that nobody waits for any longer: whoever started it was killed."""


def check(folder: Path) -> None:
    """Build the model of a directory as far as that takes no weights.

    Raises:
        CheckpointError: it would not load; the text says what is missing or does not fit.
    """
    layout = layout_of(lambda name: (folder / name).is_file())
    if layout is None:
        raise CheckpointError(f"{folder} is not a checkpoint directory")
    if layout is Layout.TRAINED:
        family_named(str(read_metadata(folder).get("family"))).check(folder)
    else:
        family_of_layout(layout).check(folder)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
    warnings.simplefilter("ignore")
    try:
        check(Path(sys.argv[1]))
    except (MemoryError, RecursionError) as error:
        raise CheckpointError(
            f"its configuration describes a model that cannot be built ({type(error).__name__})"
        ) from error


if __name__ == "__main__":
    gc.disable()  # it would take a third of the time that loading torch takes
    sys.exit(run_cli(main))
