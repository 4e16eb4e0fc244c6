"""The checkpoint of a run, and what it says of how it came about."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.configuration.pretraining import PretrainConfig
from models_backend.configuration.tuning import TuneConfig
from models_backend.data.curated import curated_facts
from models_backend.data.tuning import images_sha256
from models_backend.recipes.configs import RunConfig
from models_backend.runs.processes import is_main_process
from models_backend.runs.training_run import RunImages, TrainingRun
from models_backend.training import run_folder

if TYPE_CHECKING:
    from models_backend.families.base import Family


def save_run(
    job: TrainingRun,
    images: RunImages,
    started_at: str,
    model: Family,
    facts: dict[str, Any],
    parent_sha256: str | None,
    *,
    suffix: str = "",
) -> Path:
    """Write the checkpoint on the main process; one a person picked has its step in its name."""
    from models_backend import checkpoints

    folder = job.out / f"checkpoint{suffix}"
    if isinstance(job.config, TuneConfig):
        told = {"tuning": curated_facts(job.tuning), "content": curated_facts(job.content)}
        curated = {name: each for name, each in told.items() if each}
        facts = {"tuning_images_sha256": images_sha256(images.records)} | facts
        facts |= {"curated": curated} if curated else {}
    if is_main_process():
        checkpoints.save(
            model,
            folder,
            name=job.config.name + suffix,
            role=job.config.role,
            training=_provenance(job, images, started_at, model) | facts,
            licences=images.licences,
            parent_sha256=parent_sha256,
        )
    return folder


def _loops(config: RunConfig, model: Family, *, streamed: bool) -> dict[str, tuple[int, int]]:
    """Return steps and batch size of each loop the run had, by the name in its log."""
    if isinstance(config, TuneConfig):
        loop = config.training
        return dict.fromkeys(config.parts or model.parts, (loop.steps, loop.batch_size))
    assert isinstance(config, PretrainConfig)
    loops: dict[str, tuple[int, int]] = {}
    for part in filter(None, (model.compressor, *model.parts)):
        if part in config.kept:
            continue
        if streamed and part != model.compressor:
            for number, stage in enumerate(config.all_stages(part), start=1):
                loops[f"{part}-{number}"] = (stage.steps, stage.batch_size)
        else:
            whole = config.part_training(part)
            loops[part] = (whole.steps, whole.batch_size)
    return loops


def _provenance(
    job: TrainingRun, images: RunImages, started_at: str, model: Family
) -> dict[str, Any]:
    import diffusers
    import torch

    from models_backend.training.monitor import read_changes

    loops = _loops(job.config, model, streamed=images.source is not None)
    return {
        "recipe": job.config.recipe,
        "config": dataclasses.asdict(job.config),
        "seed": job.config.seed,
        "images": images.count,
        "steps": {name: steps for name, (steps, _) in loops.items()},
        "images_seen": {name: steps * batch for name, (steps, batch) in loops.items()},
        "data_manifest_sha256": images.sha256,
        "changed_on_resume": read_changes(job.out),
        "code_version": run_folder.code_version(),
        "started_at": started_at,
        "finished_at": run_folder.now(),
        "device": _device(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "python": platform.python_version(),
    }


def _device() -> str:
    import torch

    from models_backend.training.trainer import default_accelerator

    if default_accelerator().device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"
