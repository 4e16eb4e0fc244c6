"""Walks through a demo's steps, saying what each came to and how long it took."""

import json
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from evalplatform.core.commands import PlatformCommand
from evalplatform.core.files import write_whole
from evalplatform.demo.steps import Demo

AnyDemo = TypeVar("AnyDemo", bound=Demo)
SECONDS = "seconds.json"


def walk(
    command: PlatformCommand, demo: AnyDemo, steps: Sequence[tuple[str, Callable[[AnyDemo], str]]]
) -> dict[str, str]:
    """Do every step in turn; return what each says, by title. Seconds go to `seconds.json`."""
    outcome, seconds = {}, {}
    for number, (title, step) in enumerate(steps, start=1):
        heading = f"[{number}/{len(steps)}] {title}"
        command.stdout.write(command.style.MIGRATE_HEADING(heading))
        started = time.monotonic()
        outcome[title] = step(demo)
        seconds[title] = round(time.monotonic() - started, 1)
        command.stdout.write(f"      {outcome[title]}  ({seconds[title]:.1f} s)")
    seconds["total"] = round(sum(seconds.values()), 1)
    write_whole(demo.folder / SECONDS, json.dumps(seconds, indent=2) + "\n")
    return outcome


def seconds_line(demo: Demo) -> str:
    """Return how long each step of the last walk took."""
    seconds = json.loads((demo.folder / SECONDS).read_text(encoding="utf-8"))
    return "seconds: " + ", ".join(f"{title}: {took}" for title, took in seconds.items())
