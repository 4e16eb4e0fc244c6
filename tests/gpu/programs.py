"""Programs that the check starts: cold, or in the tests' rehearsal where torch is loaded."""

import os
import sys
from pathlib import Path

STANDING_BY = "GPU_CHECK_STANDING_BY"
"""Environment variable: where models_backend.standby or tests.warm serves programs."""
RELAY = Path(__file__).resolve().parents[2] / "models_backend" / "standby.py"


def command(module: str, *arguments: object) -> list[str]:
    """Return the command line of `python -m MODULE ARGUMENTS`."""
    words = [module, *map(str, arguments)]
    path = os.environ.get(STANDING_BY)
    return (
        [sys.executable, "-m", *words]
        if path is None
        else [sys.executable, str(RELAY), path, *words]
    )
