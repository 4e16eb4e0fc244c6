"""The check's steps that measure: use of the card's peak, sampling, too little memory, a worker."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from models_backend.families.settings import SamplingSettings
from models_backend.nn.memory import release_memory
from models_backend.sampling.image_sampler import ImageSampler
from tests.generation import bench_generate
from tests.gpu import programs
from tests.gpu.scale import Scale
from tests.models_backend import bench_train
from tests.models_backend.bench_train import Variant

_VARIANTS: dict[str, Variant | None] = {
    "diffusers' loop": None,
    "ours": Variant(),
    "ours, plain layout": Variant(plain_layout=True),
    "ours, compiled": Variant(compile=True),
    "ours, compiled, plain layout": Variant(compile=True, plain_layout=True),
}


def mfu(scale: Scale) -> dict[str, Any]:
    """Steps/s and share of the card's bf16 peak, of the trainer and of what it does not do."""
    size, device = scale.network, scale.device
    operations = bench_train.operations_a_step(size, device)
    release_memory()
    found: dict[str, Any] = {"tflop_a_step": operations / 1e12}
    for name, variant in _VARIANTS.items():
        if scale.cpu and variant is not None:  # compiling takes a minute, and is tested elsewhere
            variant = replace(variant, compile=False)
        try:
            found[name] = _variant(size, device, variant, operations)
        except Exception as error:  # the others are worth their numbers
            found[name] = {"failed": f"{type(error).__name__}: {str(error)[:300]}"}
        print(name, found[name], flush=True)
        torch._dynamo.reset()
        release_memory()
    return found


def _variant(
    size: bench_train.Size, device: torch.device, variant: Variant | None, operations: int
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as run:
        if variant is None:
            turns = bench_train.diffusers_loop(size, device, Path(run))
        else:
            turns = bench_train.ours(size, device, Path(run), variant)
        begun = time.perf_counter()
        next(turns)  # compiles, and lets the allocator settle
        warm_up = time.perf_counter() - begun
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = [bench_train.seconds(lambda: next(turns), device) for _ in range(2)]
        turns.close()
    rate = size.steps / statistics.median(seconds)
    held = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None
    return {
        "steps_per_s": round(rate, 3), "images_per_s": round(rate * size.batch, 1),
        "warm_up_s": round(warm_up, 1), "peak_gib": held and round(held, 1),
        **bench_train.use_of_peak(rate, operations),
    }  # fmt: skip


def sampling(scale: Scale) -> dict[str, Any]:
    """Images/s of our own family by precision; and how far an image hangs on its batch."""
    model = bench_train.build(scale.network, scale.device)
    model.autoencoder.eval()
    model.unet.eval()
    count, settings = (
        (2, SamplingSettings(steps=1)) if scale.cpu else (16, SamplingSettings(steps=20))
    )
    prompts = [f"thing {number}" for number in range(count)]

    def draw(images: int = count) -> list[Any]:
        return model.sample(prompts=prompts[:images], seeds=range(images), settings=settings)

    single = "models_backend.families.latent_diffusion.model.sampling_autocast"
    with mock.patch(single, return_value=nullcontext()):
        found = {"float32": _images_per_s(draw, count, scale)}
    found["while training"] = _images_per_s(draw, count, scale)
    model.for_sampling()
    found["a worker"] = _images_per_s(draw, count, scale)
    alone, among = (np.asarray(draw(images)[0]).astype(int) for images in (1, count))
    return {
        "images_per_s": found, "dtype": str(model.dtype),
        "alone_against_among_others": int(np.abs(alone - among).max()),
    }  # fmt: skip


def _images_per_s(draw: Callable[[], object], count: int, scale: Scale) -> float:
    draw()
    turns = 1 if scale.cpu else 3
    seconds = bench_train.seconds(lambda: [draw() for _ in range(turns)], scale.device)
    return round(turns * count / seconds, 2)


def out_of_memory(scale: Scale) -> dict[str, Any]:
    """A ladder of less and less memory: parts must shrink and go on, or say that nothing fits."""
    folder = scale.folder / "pipeline"
    if not folder.is_dir():
        shape = json.dumps(scale.pipeline)
        subprocess.run(
            programs.command("tests.generation.tiny_writer", folder, 0, shape), check=True
        )
    # What a CPU has cannot be cut: the rehearsal climbs one rung.
    rungs: list[float | None] = [None] if scale.cpu else [80, 8, 6, 4]
    return {f"{rung or 'all'} GiB": _rung(rung, folder, scale) for rung in rungs}


def _rung(gib: float | None, folder: Path, scale: Scale) -> dict[str, Any]:
    release_memory()
    if gib is not None:
        total = torch.cuda.get_device_properties(0).total_memory / 2**30
        torch.cuda.set_per_process_memory_fraction(min(1.0, gib / total))
    count = 2 if scale.cpu else 24
    sampler = ImageSampler(images_per_step=2 if scale.cpu else 8)
    try:
        begun = time.perf_counter()
        parts = sampler.parts(
            folder, prompts=[f"no {n}" for n in range(count)], seeds=list(range(count)),
            settings=SamplingSettings(steps=1 if scale.cpu else 10),
        )  # fmt: skip
        sizes = [len(part.decode()) for part in parts]
        return {"parts": sizes, "images_per_s": round(count / (time.perf_counter() - begun), 2)}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {str(error)[:300]}"}
    finally:
        sampler.pipelines.keep_only(None)


def worker(scale: Scale) -> dict[str, Any]:
    """A worker with its database and broker beside diffusers' bare loop; 1 is as fast."""
    images, rounds = (2, 1) if scale.cpu else (128, 2)
    return bench_generate.measure(images, rounds, scale.pipeline, patient=False)
