"""Processes that begin with torch and diffusers loaded already.

Loading them takes a process eight seconds of a core, and the tests start some eighty. So one
parent of a run loads them and forks for each: arguments, environment, signals, exit status and
number are those of a process of its own. What the platform does at a cold start is tested by
starting it cold.

    process = warm.start("celery", "-A", "evalplatform.celery", "worker", env=environment)

It also stands by for programs of the backend, as models_backend.standby does; the processes that
run tests side by side are such programs (warm_worker.py).
"""

import atexit
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import IO, Any

from models_backend import standby

ROOT = Path(__file__).resolve().parents[1]
# Names the folder of the sockets at which the parent of a whole run listens.
SHARED = "EVALPLATFORM_TEST_WARM"
# No module of the platform's: what it is reads the environment as it is loaded. None of pytest's
# plugins either, whose assertions pytest rewrites as it loads them. Nor what starts a thread, which
# a fork loses: pyarrow does, and with it pandas, statsmodels and scikit-learn.
HEAVY = (
    "torch._dynamo", "accelerate", "diffusers", "transformers", "peft", "celery.bin.celery",
    "scipy.stats",
)  # fmt: skip
HEAVY_CLASSES = {
    "diffusers": ("AutoencoderKL", "StableDiffusionPipeline", "UNet2DConditionModel"),
    "transformers": ("CLIPTextModel", "CLIPTokenizer"),
}


class Process:
    """A forked process, with as much of `subprocess.Popen` as the tests use."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.returncode: int | None = None
        self.pid = int(channel.recv(100))

    def poll(self) -> int | None:
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._ended_within(timeout)
        if status is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return status

    def _ended_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._channel], [], [], seconds)[0]:
            said = self._channel.recv(100)
            assert said, "the parent of the warm processes is gone"
            self.returncode = int(said)
            self._channel.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    module: str,
    *arguments: object,
    env: dict[str, str] | None = None,
    stdout: IO[Any] | None = None,
    stderr: IO[Any] | None = None,
) -> Process:
    """Run `python -m MODULE ARGUMENTS` in the project's folder; output goes to open files."""
    request = {
        "module": module,
        "arguments": [str(each) for each in arguments],
        "environment": os.environ.copy() if env is None else env,
        "folder": str(ROOT),
    }
    output = [(stdout or sys.__stdout__).fileno(), (stderr or sys.__stderr__).fileno()]
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel.connect(str(_folder() / "processes"))
    socket.send_fds(channel, [json.dumps(request).encode()], output)
    return Process(channel)


def programs_path() -> Path:
    """Where programs can be asked for, as `models_backend.standby.ask` does."""
    return _folder() / "programs"


def share() -> None:
    """Start a parent for all processes that run tests; they find it in their environment."""
    os.environ[SHARED] = str(_folder())


@functools.cache
def _folder() -> Path:
    """Return the folder of the sockets of the parent: of the run's, or of one of our own.

    It ends when our socket closes, so with us.
    """
    if SHARED in os.environ:
        return Path(os.environ[SHARED])
    ours, theirs = socket.socketpair()
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    processes = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    programs = socket.socket(socket.AF_UNIX)
    for name, each in (("processes", processes), ("programs", programs)):
        each.bind(str(Path(folder.name) / name))
        each.listen(64)
    files = [each.fileno() for each in (theirs, processes, programs)]
    command = [sys.executable, "-m", "tests.warm", *map(str, files)]
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
    parent = subprocess.Popen(command, cwd=ROOT, pass_fds=files, env=os.environ | quiet)
    for each in (theirs, processes, programs):
        each.close()

    def end() -> None:
        ours.close()
        parent.wait()
        folder.cleanup()

    atexit.register(end)
    return Path(folder.name)


# ---- the parent, and what it forks ---------------------------------------------------------------


def serve(
    owner: socket.socket, processes: socket.socket, programs: socket.socket
) -> dict[str, Any]:
    """Fork for every request and tell how each child ended. Returns in the children alone."""
    children: dict[int, socket.socket] = {}
    asked_for: dict[int, socket.socket] = {}  # programs; they end with whoever asked
    while True:
        watched = [owner, processes, programs, *asked_for.values()]
        wait = 0.02 if children or asked_for else None
        ready = select.select(watched, [], [], wait)[0]
        if owner in ready:
            standby.stop(asked_for)
        standby.end_abandoned(asked_for, ready)
        if programs in ready:
            asked = standby.fork_for(programs, asked_for)
            if asked is not None:
                return asked
        if processes in ready:
            channel = processes.accept()[0]
            message, output, _, _ = socket.recv_fds(channel, 1 << 20, 2)
            pid = os.fork()
            if pid == 0:
                for number, file in enumerate(output, start=1):
                    os.dup2(file, number)
                os.closerange(3, 3 + 1000)  # the sockets, and the second names of these
                return json.loads(message)
            for file in output:
                os.close(file)
            children[pid] = channel
            channel.send(str(pid).encode())
        standby.tell_ended(children, asked_for)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the tests
    with warnings.catch_warnings(action="error"):  # as in the tests
        standby.load(HEAVY, HEAVY_CLASSES)
    assert "pyarrow" not in sys.modules, "its thread would be lost in all that is forked"
    gc.set_threshold(50_000, 20, 50)  # as in conftest.py
    asked = serve(*(socket.socket(fileno=int(number)) for number in sys.argv[1:]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    standby.become(asked)


if __name__ == "__main__":
    main()
