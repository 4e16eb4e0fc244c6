"""Programs of this package that begin with torch loaded already.

Loading torch and diffusers takes a process several seconds of a core, and a feedback loop starts
two dozen programs. So one process loads them and forks for each program that is asked:

    python -m models_backend.standby FD                # serves until its standard input closes
    python models_backend/standby.py PATH MODULE ...   # in the place of `python -m MODULE ...`

FD is a Unix socket that listens at PATH: who asks before everything is loaded waits.

The second is a small process of its own with everything that its caller expects of a program:
arguments, environment, folder, the three streams, exit status; killed, it takes the program with
it. Where nobody serves, it becomes the program itself, begun cold.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

_HEAVY = ("torch", "torch._dynamo", "accelerate", "diffusers", "transformers", "scipy.stats")
_HEAVY_CLASSES = {
    "diffusers": ("AutoencoderKL", "UNet2DConditionModel", "UNet2DModel"),
    "transformers": ("AutoTokenizer", "AutoModel"),
}
_SECONDS = 0.02  # between two looks for programs that have ended
_HEADER = 8  # bytes of a request's length


def ask(path: str, module: str, arguments: list[str]) -> int:
    """Run `python -m module arguments` where `path` is served; return its exit status.

    It has our streams, environment and folder. Does not return where nobody serves.
    """
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(path)
        except OSError:
            os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
        asked = {"module": module, "arguments": arguments, "environment": dict(os.environ)}
        message = json.dumps(asked | {"folder": os.getcwd()}).encode()
        socket.send_fds(channel, [len(message).to_bytes(_HEADER, "big")], [0, 1, 2])
        channel.sendall(message)
        said = channel.recv(100)
    if not said:
        print("error: the process that stood by for programs is gone", file=sys.stderr)
        return 1
    status = int(said)
    if status < 0:  # ended by a signal: so do we
        with contextlib.suppress(OSError):  # two of them cannot be set
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def serve(server: socket.socket) -> dict[str, Any]:
    """Fork for every request. Returns in the forked processes alone, with the request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the programs
    load(_HEAVY, _HEAVY_CLASSES)
    running: dict[int, socket.socket] = {}  # by process
    while True:
        watched: list[Any] = [0, server, *running.values()]
        ready = select.select(watched, [], [], _SECONDS if running else None)[0]
        if 0 in ready and not os.read(0, 4096):
            stop(running)
        end_abandoned(running, ready)
        if server in ready:
            asked = fork_for(server, running)
            if asked is not None:
                return asked
        tell_ended(running)


def stop(running: dict[int, socket.socket]) -> NoReturn:
    """End this process, and with it the programs that run."""
    for process in running:
        os.kill(process, signal.SIGKILL)
    os._exit(0)


def end_abandoned(running: dict[int, socket.socket], ready: list[Any]) -> None:
    """Kill the programs of which whoever asked was killed: their channels are ready."""
    for process, channel in list(running.items()):
        if channel in ready:
            running.pop(process).close()
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def fork_for(server: socket.socket, running: dict[int, socket.socket]) -> dict[str, Any] | None:
    """Accept a request and fork for it. Returns it in the forked process, None here."""
    channel = server.accept()[0]
    asked, streams = _received(channel)
    process = os.fork() if asked else -1
    if process == 0:
        _take_over(streams)
        return asked
    for each in streams:
        os.close(each)
    if process > 0:
        running[process] = channel
    return None


def _received(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return a request and its three streams; None of one that was not sent whole."""
    header, streams, _, _ = socket.recv_fds(channel, _HEADER, 3)
    wanted, message = int.from_bytes(header, "big"), b""
    while len(message) < wanted:
        part = channel.recv(wanted - len(message))
        if not part:
            break
        message += part
    if len(streams) < 3 or len(message) < wanted:
        channel.close()
        return None, list(streams)
    asked: dict[str, Any] = json.loads(message)
    return asked, list(streams)


def _take_over(streams: list[int]) -> None:
    """Give the forked process its streams, and nothing else of ours."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def tell_ended(*running: dict[int, socket.socket]) -> None:
    """Tell whoever asked for a forked process that has ended its exit status."""
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
        for each in running:
            if process in each:
                with contextlib.suppress(OSError), each.pop(process) as channel:
                    channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def load(modules: Iterable[str], classes: Mapping[str, Iterable[str]]) -> None:
    """Load what programs need; none of this package's own, which reads the environment.

    It stays out of the garbage collector's way: looking through it takes a second and a half while
    it loads, and as long again at the end of each program, which has to copy it to look.
    """
    gc.disable()
    for name in modules:
        importlib.import_module(name)
    for package, names in classes.items():
        for name in names:
            getattr(importlib.import_module(package), name)
    gc.freeze()
    gc.enable()


def become(asked: dict[str, Any]) -> None:
    """Be the program that was asked for."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    random.seed()
    sys.argv = [asked["module"], *asked["arguments"]]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """Serve, or ask."""
    if len(sys.argv) == 2:
        become(serve(socket.socket(fileno=int(sys.argv[1]))))
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2], sys.argv[3:]))


if __name__ == "__main__":
    main()
