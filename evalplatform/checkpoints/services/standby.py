"""Programs of the models backend, begun where torch is loaded already (models_backend.standby).

For commands that start several programs one after the other: each saves the seconds that loading
takes. Every other command starts them cold.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

SERVER = (sys.executable, "-m", "models_backend.standby")
_path: Path | None = None


@contextmanager
def standing_by() -> Iterator[None]:
    """Keep a process standing by while the block runs; it loads in the background.

    Within another such block this one changes nothing.
    """
    global _path
    if _path is not None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="standby-") as folder:
        path = Path(folder) / "socket"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen(64)
            process = subprocess.Popen(
                [*SERVER, str(listening.fileno())],
                stdin=subprocess.PIPE, cwd=settings.BASE_DIR, env=os.environ | _QUIET,
                pass_fds=[listening.fileno()],
            )  # fmt: skip
        try:
            with process:  # leaving closes its standard input, which ends it
                _path = path
                yield
        finally:
            _path = None


_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}


def backend_command(module: str, arguments: Sequence[object]) -> list[str]:
    """Return the command line of `python -m MODULE`: warm where a process stands by, else cold."""
    words = [str(each) for each in arguments]
    if _path is None:
        return [sys.executable, "-m", module, *words]
    relay = Path(settings.BASE_DIR) / "models_backend" / "standby.py"
    return [sys.executable, "-I", "-S", str(relay), str(_path), module, *words]
