"""What a run says while it trains: `log.jsonl`, TensorBoard events, pictures. Main process only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from models_backend.files import write_bytes_atomically

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"


class Monitor:
    """Writes the scalars and pictures of one stage of a run; resumed, it repeats none of them."""

    def __init__(self, run: Path, stage: str, *, step: int, enabled: bool) -> None:
        self._log, self._stage, self._writer = run / LOG, stage, None
        self._enabled = enabled
        if not enabled:
            return
        _forget_later_steps(self._log, stage, step)
        from torch.utils.tensorboard import SummaryWriter

        # Purging hides what an interrupted run wrote beyond the state it left.
        self._writer = SummaryWriter(run / TENSORBOARD / stage, purge_step=step + 1)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line of the log, and the same to TensorBoard."""
        if not self._enabled or self._writer is None:
            return
        rounded = {name: round(value, 6) for name, value in values.items()}
        self._write({"stage": self._stage, "step": step} | rounded)
        for name, value in values.items():
            self._writer.add_scalar(f"{self._stage}/{name}", value, step)

    def changed(self, step: int, setting: str, old: float, new: float) -> None:
        """Write that a setting is another one from this step on."""
        if self._enabled:
            entry = {"changed": setting, "from": old, "to": new}
            self._write({"stage": self._stage, "step": step} | entry)

    def _write(self, entry: dict[str, Any]) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")

    def pictures(self, step: int, name: str, grid: Tensor) -> None:
        """Write one picture (3, H, W) of bytes to TensorBoard."""
        if self._writer is not None:
            self._writer.add_image(f"{self._stage}/{name}", grid, step)

    def close(self) -> None:
        """Write what is still buffered."""
        if self._writer is not None:
            self._writer.close()


def read_changes(run: Path) -> list[dict[str, Any]]:
    """Return which settings were changed on the way: stage, step, changed, from, to."""
    log = run / LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    entries = [_entry(line) for line in lines]
    return [entry for entry in entries if entry is not None and "changed" in entry]


def _forget_later_steps(log: Path, stage: str, step: int) -> None:
    """Drop the entries a resumed run will write again, and a line that a kill cut short."""
    if not log.exists():
        return
    kept, lines = [], log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        entry = _entry(line)
        # A change is told at the step it takes effect, by the resumed run too.
        last = step - 1 if entry and "changed" in entry else step
        if entry and not (entry["stage"] == stage and entry["step"] > last):
            kept.append(line)
    if kept != lines:
        write_bytes_atomically(log, "".join(line + "\n" for line in kept).encode())


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        return entry if {"stage", "step"} <= entry.keys() else None
    except (ValueError, AttributeError):
        return None
