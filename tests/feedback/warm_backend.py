"""The backend's own programs, each in a process of its own, begun with torch loaded already."""

import os
import subprocess
from types import SimpleNamespace, TracebackType
from typing import Any

from tests import warm


class Piped:
    """As much of `subprocess.Popen` as those who ask the backend use; standard input is closed."""

    def __init__(self, command: list[str], **asked: Any) -> None:
        assert command[1] == "-m"
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with os.fdopen(out_end, "wb") as stdout, os.fdopen(err_end, "wb") as stderr:
            # They end with their standard input; a warm process has that of the tests.
            env = {k: v for k, v in (asked.get("env") or os.environ).items() if "STDIN" not in k}
            self.process = warm.start(*command[2:], env=env, stdout=stdout, stderr=stderr)
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        self.returncode: int | None = None

    def __enter__(self) -> "Piped":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stdout.close()
        self.stderr.close()
        self.returncode = self.process.wait()

    def kill(self) -> None:
        self.process.kill()


def run(command: list[str], **asked: Any) -> subprocess.CompletedProcess[str]:
    """Run to the end, as `subprocess.run` does; what it says of its progress is dropped."""
    with Piped(command, **asked) as process:
        os.set_blocking(process.stderr.fileno(), True)
        printed = _both(process)
    return subprocess.CompletedProcess(command, process.returncode or 0, printed)


def _both(process: Piped) -> str:
    """Read both streams at once: a full pipe would stop the program."""
    from threading import Thread

    reader = Thread(target=process.stderr.read)
    reader.start()
    printed = process.stdout.read()
    reader.join()
    return printed


STAND_IN = SimpleNamespace(Popen=Piped, run=run, PIPE=subprocess.PIPE)
"""In the place of the module `subprocess`."""
