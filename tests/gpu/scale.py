"""How large the check's steps are: those of a large GPU, or of a rehearsal on a CPU."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from models_backend import train
from models_backend.nn.architecture import TextConfig
from tests.generation.bench_generate import CPU as SMALL_PIPELINE
from tests.generation.bench_generate import GPU as PIPELINE
from tests.models_backend import bench_train, tiny, tiny_encoders

CONFIGS = Path(train.__file__).parent / "configs"
STEPS, SAVE_EVERY = 200, 20


@dataclass(frozen=True)
class Scale:
    """Where a step works, and whether it is a rehearsal."""

    folder: Path
    cpu: bool

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.cpu else "cuda")

    def clip(self) -> Path:
        """A text encoder with random weights, of the packaged one's width: it need not be there."""
        return self._once("clip", partial(tiny_encoders.write_clip, width=384, tokens=24))

    def _once(self, name: str, write: Callable[[Path], Any]) -> Path:
        """Return the folder of that name; a step that is ended while it writes leaves none."""
        folder = self.folder / name
        if not folder.is_dir():
            partly = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self.folder))
            write(partly)
            partly.rename(folder)
        return folder

    @property
    def network(self) -> bench_train.Size:
        """The network whose steps and samples are timed: 600 M parameters on a GPU."""
        text = TextConfig((str(self.clip()),), (24,))
        if self.cpu:
            return bench_train.Size((32, 48), 1, 2, 32, 2, 1, "no", text)
        return bench_train.Size(**{**vars(bench_train.GPU), "text": text})

    @property
    def pipeline(self) -> dict[str, Any]:
        """The pipeline a worker draws from: as large as Stable Diffusion 1.5 on a GPU."""
        small = {**SMALL_PIPELINE, "unet": [32, 32], "text": 32, "heads": 4}
        return small if self.cpu else PIPELINE

    def data(self) -> Path:
        """A data directory of plain colours."""
        size, copies = (tiny.SIZE, 1) if self.cpu else (64, 24)
        return self._once("data", partial(tiny.write_dataset, size=size, copies=copies))

    def pretraining(self, *more: str) -> list[str]:
        """Arguments of `models_backend.train`: the demo's model, or the tests' tiny one."""
        encoder = [f'text.encoders=["{self.clip()}"]', "text.tokens=[24]"]
        config = CONFIGS / "pretrained.toml"
        settings = [
            f"{loop}_training.{key}={value}"
            for loop in ("autoencoder", "denoiser")
            for key, value in (("steps", STEPS), ("save_every", SAVE_EVERY),
                               ("mixed_precision", "bf16"))
        ]  # fmt: skip
        if self.cpu:
            config, settings = self.folder / "tiny.toml", []
            config.write_text(tiny.PRETRAIN)
        chosen = [*encoder, *settings, *more]
        return [str(config), *(part for each in chosen for part in ("--set", each))]

    def trained(self) -> Path:
        """The run folder of a pre-training, which is done once."""
        out = self.folder / "pretrained"
        run_train(*self.pretraining(), "--data", str(self.data()), "--out", str(out))
        return out


def run_train(*arguments: str) -> None:
    """Train in this process.

    Raises:
        RuntimeError: it was refused or stopped; the reason stands in the log.
    """
    status = train.main(list(arguments))
    if status:
        raise RuntimeError(f"training ended with status {status}; see the step's log")


def log_of(run: Path) -> list[dict[str, Any]]:
    """Return the entries of a run's log that have a loss."""
    lines = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [line for line in lines if "loss" in line]


def rates(run: Path) -> dict[str, Any]:
    """Return the last loss and steps/s of each stage."""
    last = {entry["stage"]: entry for entry in log_of(run)}
    return {
        stage: {key: entry[key] for key in ("step", "loss", "steps_per_s", "data_wait_share")}
        for stage, entry in last.items()
    }
