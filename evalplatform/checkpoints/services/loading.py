"""Whether a worker could load a checkpoint: the models backend tells, in a process of its own."""

import os
import subprocess
from pathlib import Path

from django.conf import settings

from evalplatform.checkpoints.services.standby import backend_command
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError

_MODULE = "models_backend.checkpoints.check"
_SECONDS = 300
_BAD_INPUT = 2  # the exit status of what the backend says on purpose
_ERROR = "error: "


def refuse_unloadable(directory: Path, called: str) -> None:
    """Refuse a directory whose weights and configurations do not make a model.

    Every class is built and every tensor held against it by name and shape; no weights are read.
    torch stays out of this process, and so does whatever a strange configuration costs.

    Raises `BadInputError` that calls the directory `called` and names the part at fault.
    """
    command = backend_command(_MODULE, [directory.absolute()])
    try:
        finished = subprocess.run(
            command, capture_output=True, text=True, errors="replace", cwd=settings.BASE_DIR,
            timeout=_SECONDS, check=False, env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BadInputError(
            f"{called} would not load: its model was not built within {_SECONDS} seconds; its "
            "configuration describes no real one. Copy it again from where it is from."
        ) from error
    if finished.returncode == 0:
        return
    lines = finished.stderr.strip().splitlines() or ["it said nothing"]
    # What an error has for commands may follow on a line of its own.
    said = next((each for each in reversed(lines) if each.startswith(_ERROR)), "")
    if finished.returncode != _BAD_INPUT or not said:
        last = shown(lines[-1], 200)
        said = f"{_ERROR}the attempt ended with status {finished.returncode} ({last})"
    reason = said.removeprefix(_ERROR).replace(str(directory.absolute()), called)
    raise BadInputError(f"{called} would not load: {_one_line(reason)}.")


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:1000])
