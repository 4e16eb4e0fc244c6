"""Ending processes, whoever started them."""

import time
from collections.abc import Sequence
from contextlib import suppress

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie, ended and not asked after, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end(
    processes: Sequence[psutil.Process], *, then: Sequence[psutil.Process] = (), seconds: float
) -> None:
    """Ask processes to end, give them and `then` so many seconds, and kill what is left."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    for survivor in _alive_after(seconds, [*processes, *then]):
        with suppress(psutil.Error):
            survivor.kill()
    _alive_after(5, [*processes, *then])


def _alive_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while (alive := [each for each in processes if is_alive(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive
