"""Processes that begin with torch and diffusers loaded already.

Loading them takes a process eight seconds of a core, and the tests start some eighty. So one
parent loads them and forks for each: arguments, environment, signals, exit status and number are
those of a process of its own. What the platform does at a cold start is tested by starting it cold.

    process = warm.start("celery", "-A", "evalplatform.celery", "worker", env=environment)

It also stands by for programs of the backend, as models_backend.standby does.
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
from pathlib import Path
from typing import IO, Any

from models_backend import standby

ROOT = Path(__file__).resolve().parents[1]
# No module of the platform's: what it is reads the environment as it is loaded.
HEAVY = ("torch._dynamo", "accelerate", "diffusers", "transformers", "celery.bin.celery")
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
    ours, theirs = socket.socketpair()
    request = {
        "module": module,
        "arguments": [str(each) for each in arguments],
        "environment": os.environ.copy() if env is None else env,
        "folder": str(ROOT),
    }
    output = [(stdout or sys.__stdout__).fileno(), (stderr or sys.__stderr__).fileno()]
    socket.send_fds(_parent()[0], [json.dumps(request).encode()], [theirs.fileno(), *output])
    theirs.close()
    return Process(ours)


def programs_path() -> Path:
    """Where programs can be asked for, as `models_backend.standby.ask` does."""
    return _parent()[1]


@functools.cache
def _parent() -> tuple[socket.socket, Path]:
    """Start the parent of this test process; it ends when the socket closes, so with us."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    path = Path(folder.name) / "socket"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(64)
    files = [theirs.fileno(), listening.fileno()]
    command = [sys.executable, "-m", "tests.warm", *map(str, files)]
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
    parent = subprocess.Popen(command, cwd=ROOT, pass_fds=files, env=os.environ | quiet)
    theirs.close()
    listening.close()

    def end() -> None:
        ours.close()
        parent.wait()
        folder.cleanup()

    atexit.register(end)
    return ours, path


# ---- the parent, and what it forks ---------------------------------------------------------------


def serve(control: socket.socket, programs: socket.socket) -> dict[str, Any]:
    """Fork for every request and tell how each child ended. Returns in the children alone."""
    children: dict[int, socket.socket] = {}
    asked_for: dict[int, socket.socket] = {}  # programs; they end with whoever asked
    while True:
        watched = [control, programs, *asked_for.values()]
        wait = 0.02 if children or asked_for else None
        ready = select.select(watched, [], [], wait)[0]
        standby.end_abandoned(asked_for, ready)
        if programs in ready:
            asked = standby.fork_for(programs, asked_for)
            if asked is not None:
                return asked
        if control in ready:
            message, files, _, _ = socket.recv_fds(control, 1 << 20, 3)
            if not message:
                standby.stop(asked_for)
            channel, *output = files
            pid = os.fork()
            if pid == 0:
                control.close()
                for number, file in enumerate(output, start=1):
                    os.dup2(file, number)
                os.closerange(3, 3 + 1000)  # the others' channels, and the second names of these
                return json.loads(message)
            for file in output:
                os.close(file)
            children[pid] = socket.socket(fileno=channel)
            children[pid].send(str(pid).encode())
        standby.tell_ended(children, asked_for)


def main() -> None:
    standby.load(HEAVY, HEAVY_CLASSES)
    gc.set_threshold(50_000, 20, 50)  # as in conftest.py
    control, programs = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    standby.become(serve(control, programs))


if __name__ == "__main__":
    main()
