"""Who uses the machine: waiting for others to end, and telling their share from the site's.

Linux tells; elsewhere nothing is waited for and the shares are None.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

BUSY = 0.15  # share of all cores above which a level is not begun yet
_LOOK = 1.0  # seconds


@dataclass(frozen=True)
class Use:
    """Processor time in seconds: of the machine, of the site, and how much there was of it."""

    machine: float
    site: float
    there_was: float


class Meter:
    """Measures between `start` and `stop` what the site's processes and their children used."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._began: tuple[tuple[float, float] | None, float] = (None, 0.0)

    def start(self) -> None:
        self._began = _machine(), self._site()

    def stop(self) -> Use | None:
        before, after = self._began[0], _machine()
        if before is None or after is None:
            return None
        site = self._site() - self._began[1]
        return Use(machine=after[0] - before[0], site=site, there_was=after[1] - before[1])

    def _site(self) -> float:
        total = 0.0
        for pid in self._pids:
            try:
                root = psutil.Process(pid)
                family = [root, *root.children(recursive=True)]
            except psutil.Error:
                continue
            for process in family:
                try:
                    total += sum(process.cpu_times()[:4])  # with that of children that ended
                except psutil.Error:
                    continue
        return total


def wait(seconds: float = 90) -> None:
    """Wait until the machine is quiet, so many seconds at most."""
    deadline = time.monotonic() + seconds
    told = False
    while time.monotonic() < deadline:
        before = _machine()
        time.sleep(_LOOK)
        after = _machine()
        if before is None or after is None:
            return
        if after[0] - before[0] <= BUSY * (after[1] - before[1]):
            return
        if not told:
            print("  waiting for other programs to end", file=sys.stderr, flush=True)
            told = True
        time.sleep(2)


def _machine() -> tuple[float, float] | None:
    """Return seconds of all cores in use and all seconds of all cores since the start."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    ticks = [int(each) for each in first.split()[1:9]]
    hertz = 100  # what Linux shows to programs, whatever it runs at
    return (sum(ticks) - ticks[3] - ticks[4]) / hertz, sum(ticks) / hertz
