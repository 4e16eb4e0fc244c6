"""The check's steps that train: on a GPU for the first time, killed, from shards, tuned."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Any

from models_backend.data import shards
from models_backend.files import read_json
from models_backend.training.run_folder import LOCK_FILE
from tests.gpu import programs
from tests.gpu.scale import CONFIGS, Scale, log_of, rates, run_train
from tests.models_backend import tiny


def first_step(scale: Scale) -> dict[str, Any]:
    """Autoencoder and denoiser from images in memory, as a user starts them."""
    return rates(scale.trained())


def resume(scale: Scale) -> dict[str, Any]:
    """The same run, killed in the denoiser's middle and taken up again."""
    whole, out = scale.trained(), scale.folder / "killed"
    arguments = [*scale.pretraining(), "--data", str(scale.data()), "--out", str(out)]
    state = out / "state-denoiser.pt"
    process = subprocess.Popen(programs.command("models_backend.train", *arguments))
    while not state.exists() and process.poll() is None:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(int((out / LOCK_FILE).read_text().split()[1]), signal.SIGKILL)
    killed = process.wait() == -signal.SIGKILL
    run_train(*arguments, "--resume")
    mine, theirs = log_of(out), log_of(whole)
    steps = [[(entry["stage"], entry["step"]) for entry in log] for log in (mine, theirs)]
    if steps[0] != steps[1]:
        raise RuntimeError("the resumed run's log holds other steps than the whole run's")
    gaps = [abs(a["loss"] - b["loss"]) for a, b in zip(mine, theirs, strict=True)]
    return {"was_killed": killed, "largest_difference_in_loss": max(gaps)}


def stream(scale: Scale) -> dict[str, Any]:
    """From shards: two stages, buckets, a cache, an AutoencoderKL with an adversary."""
    folder = scale.folder
    if not (folder / "shards").is_dir():
        shards.write_shards(scale.data(), folder / "shards", kind="tar", samples=64)
    side, steps, batch = (16, 4, 4) if scale.cpu else (64, 60, 64)
    late = f"{{resolution={side},steps={steps},batch_size={batch},noise_offset=0.02"
    stages = f"{{resolution={max(16, side // 2)},steps={steps},batch_size={batch}}},{late}"
    settings = [
        "noise_offset=0.0", f"stages=[{stages},aspect_ratios=true}}]",
        f"autoencoder_training.steps={steps}", "autoencoder_loss.adversarial_weight=0.5",
        f"autoencoder_loss.adversarial_start={steps // 3}", 'autoencoder.kind="kl"',
        "autoencoder.widths=[32,32,64,64]",
    ]  # fmt: skip
    out = folder / "streamed"
    arguments = ["--data", str(folder / "shards"), "--cache", str(folder / "cache")]
    run_train(*scale.pretraining(*settings), *arguments, "--out", str(out))
    return rates(out)


def tune(scale: Scale) -> dict[str, Any]:
    """Quality-tuning with early stopping, its candidates measured on the device."""
    out, parent = scale.folder / "tuned", scale.trained() / "checkpoint"
    listed = tiny.write_tuning_list(scale.folder / "picked.tsv", things=3 if scale.cpu else 72)
    candidates = "early_stopping.candidates=2"
    settings = [f"tuning_list={listed}", candidates, "training.steps=100"]
    config = CONFIGS / "quality_tuned.toml"
    if scale.cpu:
        config = scale.folder / "tune.toml"
        config.write_text(tiny.QUALITY_TUNE.format(tuning_list=listed))
        settings = [candidates, "early_stopping.images=4", "early_stopping.sampler_steps=2"]
    chosen = [part for each in settings for part in ("--set", each)]
    arguments = ["--data", str(scale.data()), "--parent", str(parent), "--out", str(out)]
    run_train(str(config), *chosen, *arguments)
    signals = read_json(out / "candidates" / "signals.json")
    return rates(out) | {"candidates": [entry["step"] for entry in signals["entries"]]}
