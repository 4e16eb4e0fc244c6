"""Errors a person can act on: one line that names what was given, what is accepted, what to do."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable

EXIT_BAD_INPUT = 2
WHILE_STDIN = "MODELS_BACKEND_WHILE_STDIN"
"""Environment variable: where it is set, a program ends when its standard input is closed."""


class ModelsError(Exception):
    """Base of every error this package raises on purpose. Its text is one line.

    A worker's job shows it on a page, a program prints it. `by_command` is what a program alone
    adds, on the next line: the option or the other command that does what the text advises.
    """

    fails_its_like = False
    """Whether every image of the same checkpoint would fail alike, on every device."""

    def __init__(self, *said: object, by_command: str = "") -> None:
        super().__init__(*said)
        self.by_command = by_command


class InputError(ModelsError, ValueError):
    """A file, folder, setting or argument given by the caller cannot be used."""


class DataBuildError(ModelsError):
    """The data set could not be built: a tool, the network, the disk or a package is at fault."""


class CheckpointError(ModelsError):
    """A checkpoint directory is missing parts, was changed, or is of an unknown format."""


class NotFiniteError(ModelsError):
    """Images would hold NaN or infinity: what an 8-bit picture shows as black, without a word."""


class TrainingError(ModelsError):
    """Training stopped on purpose, for instance because the loss was not finite."""


def run_cli(main: Callable[[], None]) -> int:
    """Run ``main`` and turn the errors above into a line on stderr and exit status 2.

    What an error has for commands follows on a second line, which is indented.

    Who starts a program with :data:`WHILE_STDIN` and is killed leaves none behind that goes on
    writing where the next one writes.
    """
    # At its end Python would look for garbage in all that torch loaded: a second and a half.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    if os.environ.get(WHILE_STDIN):
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        main()
    except ModelsError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.by_command:
            print(f"  {error.by_command}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _end_with_stdin() -> None:
    while os.read(0, 4096):  # not sys.stdin, whose lock would be held when this process ends
        pass
    os._exit(130)
