"""Asking a program of the models backend, in a process of its own: torch stays out of this one."""

import os
import subprocess
from collections.abc import Callable, Sequence

from django.conf import settings

from evalplatform.checkpoints.services.standby import backend_command
from evalplatform.core.errors import BadInputError

_REFUSED = 2
_ERROR = "error: "
_BY_COMMAND = "  "  # begins the line after an error's, which is for commands
_PROGRESS = "progress: "
_WHILE_STDIN = "MODELS_BACKEND_WHILE_STDIN"  # as models_backend.errors has it


def ask_backend(
    module: str, arguments: Sequence[object], *, say: Callable[[str], None]
) -> list[str]:
    """Run `python -m MODULE`; return the lines it prints. Its progress goes to `say`.

    The program ends when this process does: its standard input is closed then. Raises
    `BadInputError` with its reason where it refuses, or dies.
    """
    # One that watches by itself (`models_backend.fuse`) also takes away what it has half written.
    watches = {} if "--while-stdin" in arguments else {_WHILE_STDIN: "1"}
    process = subprocess.Popen(
        backend_command(module, arguments),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        errors="replace", cwd=settings.BASE_DIR, env=os.environ | watches,
    )  # fmt: skip
    said = by_command = ""
    with process:
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            for line in process.stderr:
                if said.startswith(_ERROR) and line.startswith(_BY_COMMAND):
                    by_command = line.strip()
                    continue
                said = line.strip() or said
                if line.startswith(_PROGRESS):
                    say(said.removeprefix(_PROGRESS))
            printed = process.stdout.read()
        except BaseException:
            process.kill()
            raise
    if process.returncode == _REFUSED and said.startswith(_ERROR):
        reason = f"{said.removeprefix(_ERROR).rstrip('.')}."
        raise BadInputError(reason, by_command=by_command)
    if process.returncode:
        raise BadInputError(
            f"{module} ended with status {process.returncode} ({said[:200]}); with status -9 the "
            "system took it for want of memory. See what it needs in docs/checkpoints.md."
        )
    return printed.splitlines()
