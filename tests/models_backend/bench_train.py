"""Training and sampling beside diffusers: steps/s, peak memory, cost of an image; JSON line last.

    python -m tests.models_backend.bench_train [--repeats 7] [--out FILE]

The peer of training is a loop in the shape of diffusers' own `train_text_to_image` example
(accelerate, DDPM noise, AdamW, EMAModel, clipping, a loss gathered and logged every step), with the
same U-Net, batch, precision and data, all in memory. The peer of sampling is the bare loop over a
diffusers scheduler: both halves of guidance in one batch, then the decoder. Pipelines are tuned
beside diffusers' scripts in `bench_tuning`, always on the CPU. Repeats alternate. A ratio above 1
says that ours is faster, and `peak_memory_ratio` above 1 that it is smaller; `ratio_memory_full`
and `_lora` are ours to theirs, so below 1 it is smaller.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from models_backend.configuration.loops import LoopConfig
from models_backend.data import shards
from models_backend.data.shard_source import ShardSource
from models_backend.families.latent_diffusion.config import LatentPretrainConfig
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import AutoencoderConfig, TextConfig, UNetConfig
from models_backend.recipes.streaming import train_in_stages
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer
from tests.models_backend import tiny
from tests.models_backend.bench_tuning import tuning

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
}
NOISE_OFFSET = 0.02
PEAK_BF16 = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bf16 operations per second, from the vendor's data sheets."""


@dataclass(frozen=True)
class Variant:
    """How a network is run; the trainer's own choice is channels last on a GPU, not compiled."""

    compile: bool = False
    plain_layout: bool = False


@dataclass(frozen=True)
class Size:
    """What is trained: the demo's model on a CPU, a larger one on a GPU."""

    widths: tuple[int, ...]
    layers: int
    heads: int
    side: int
    batch: int
    steps: int
    precision: str
    text: TextConfig = field(default_factory=TextConfig)


CPU = Size((80, 96), 1, 4, 64, 64, 4, "no")
GPU = Size((320, 640, 1280), 2, 8, 256, 64, 20, "bf16")


def build(size: Size, device: torch.device) -> LatentDiffusion:
    torch.manual_seed(0)
    unet = UNetConfig(widths=size.widths, layers=size.layers, heads=size.heads)
    model = LatentDiffusion.create(AutoencoderConfig(), unet, (size.side, size.side), size.text)
    return model.to(device)


def data(size: Size, device: torch.device) -> dict[str, Tensor]:
    """Latents and text embeddings, in memory on the device."""
    g = torch.Generator().manual_seed(1)
    n, side = 4 * size.batch, size.side // 8
    values = {
        "z": torch.randn(n, 16, side, side, generator=g),
        "tokens": torch.randn(n, 24, 384, generator=g),
        "mask": torch.ones(n, 24, dtype=torch.long),
        "pooled": torch.randn(n, 384, generator=g),
    }
    return {name: value.to(device) for name, value in values.items()}


def loop(size: Size, variant: Variant) -> LoopConfig:
    return LoopConfig(
        steps=10**6, batch_size=size.batch, learning_rate=1e-4, save_every=10**6,
        mixed_precision=size.precision, compile=variant.compile,
    )  # fmt: skip


class _PauseError(Exception):
    """Ends one timed stretch of a run that goes on later."""


def ours(
    size: Size, device: torch.device, run: Path, variant: Variant | None = None
) -> Iterator[None]:
    """Each `next` takes `size.steps` steps of our Trainer, logging and all."""
    model, values, variant = build(size, device), data(size, device), variant or Variant()
    config = loop(size, variant)
    trainer = Trainer(module=model.denoiser, config=config, seed=0, stage="bench", run=run)
    if variant.plain_layout:
        model.unet.to(memory_format=torch.contiguous_format)
    taken = 0

    def step(draw: StepDraw) -> StepLoss:
        nonlocal taken
        if taken == size.steps:
            raise _PauseError
        taken += 1
        rows = torch.randint(len(values["z"]), (size.batch,), generator=draw)
        u = torch.rand(size.batch, generator=draw).to(device)
        batch = {name: value[rows.to(device)] for name, value in values.items()}
        shape = tuple(batch["z"].shape[1:])
        batch |= {"noise": draw.noise(shape, offset=NOISE_OFFSET, device=device), "u": u}
        return StepLoss(model.loss(batch), rows, {})

    while True:
        taken = 0
        try:
            trainer.fit(step)
        except _PauseError:
            yield


def diffusers_loop(size: Size, device: torch.device, run: Path) -> Iterator[None]:
    """Each `next` takes `size.steps` steps of a loop in the shape of diffusers' example."""
    model, values = build(size, device), data(size, device)
    accelerator = Accelerator(gradient_accumulation_steps=1)
    schedule = DDPMScheduler(**SCHEDULE)
    unet = model.unet
    unet.train()
    ema = EMAModel(unet.parameters(), decay=0.999)
    ema.to(device)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4, weight_decay=1e-4)
    rate = get_scheduler("cosine", optimizer, num_warmup_steps=100, num_training_steps=10**6)
    loader = DataLoader(TensorDataset(*values.values()), size.batch, shuffle=True, drop_last=True)
    unet, optimizer, rate = accelerator.prepare(unet, optimizer, rate)
    bf16 = size.precision == "bf16"
    bar = tqdm(total=10**6, disable=False, file=sys.stderr, mininterval=1.0)
    steps = 0
    while True:
        for z, tokens, mask, pooled in loader:
            with accelerator.accumulate(unet):
                noise = torch.randn_like(z)
                noise += NOISE_OFFSET * torch.randn((*z.shape[:2], 1, 1), device=z.device)
                t = torch.randint(0, 1000, (len(z),), device=z.device).long()
                noisy = schedule.add_noise(z, noise, t)
                target = schedule.get_velocity(z, noise, t)
                with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
                    predicted = unet(
                        noisy, t, tokens, class_labels=pooled, encoder_attention_mask=mask,
                        return_dict=False,
                    )[0]  # fmt: skip
                loss = F.mse_loss(predicted.float(), target.float(), reduction="mean")
                logged = accelerator.gather(loss.repeat(len(z))).mean().item()
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(unet.parameters(), 1.0)
                optimizer.step()
                rate.step()
                optimizer.zero_grad()
            if accelerator.sync_gradients:
                ema.step(unet.parameters())
                bar.update(1)
            bar.set_postfix(step_loss=logged, lr=rate.get_last_lr()[0])
            steps += 1
            if steps % size.steps == 0:
                yield


def seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def alternate(
    first: Callable[[], object], second: Callable[[], object], repeats: int, device: torch.device
) -> tuple[list[float], list[float]]:
    """Time two things in turn, after one unmeasured turn of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for work, kept in zip((first, second), times, strict=True):
            taken = seconds(work, device)
            if turn:
                kept.append(taken)
    return times


# -- sampling -------------------------------------------------------------------------------------


@torch.no_grad()
def bare_sampling(model: LatentDiffusion, prompts: list[str], steps: int) -> list[Image.Image]:
    """Sample as a diffusers pipeline does: both halves of guidance in one batch."""
    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    texts = model.text_encoder.encode([""] * len(prompts) + prompts)
    device = model.device
    tokens, mask, pooled = (part.to(device) for part in (texts.tokens, texts.mask, texts.pooled))
    side = model.image_size[0] // 8
    channels = model.autoencoder.config.latent_channels
    z = torch.randn(len(prompts), channels, side, side, device=device)
    for t in scheduler.timesteps:
        predicted = model.unet(
            torch.cat([z, z]), t, tokens, class_labels=pooled, encoder_attention_mask=mask
        ).sample
        blank, conditional = predicted.chunk(2)
        z = scheduler.step(blank + 3.0 * (conditional - blank), t, z).prev_sample
    pixels = model.autoencoder.decode(model.denormalise(z))
    array = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(picture) for picture in array]


def sampling(size: Size, device: torch.device, repeats: int) -> tuple[float, float]:
    """Return milliseconds an image: ours, and the bare loop's."""
    model = build(size, device)
    model.autoencoder.eval()
    model.unet.eval()
    prompts = [f"a picture of thing {number}" for number in range(8)]
    settings = SamplingSettings(steps=10)
    mine, theirs = alternate(
        lambda: model.sample(prompts=prompts, seeds=list(range(8)), settings=settings),
        lambda: bare_sampling(model, prompts, 10),
        repeats,
        device,
    )
    return tuple(1000 * statistics.median(times) / len(prompts) for times in (mine, theirs))


# -- waiting for data -----------------------------------------------------------------------------


def data_wait_share(size: Size) -> float:
    """Train a few steps from shards on disk, nothing cached; return the share of time waited."""
    with tempfile.TemporaryDirectory() as name:
        folder = tiny.write_dataset(Path(name) / "data", size=size.side, copies=24)
        shards.write_shards(folder, Path(name) / "shards", kind="tar", samples=64)
        source = ShardSource(Path(name) / "shards")
        config = LatentPretrainConfig(
            name="bench", role="pretrained", image_size=size.side,
            autoencoder_training=LoopConfig(steps=1),
            denoiser_training=LoopConfig(
                steps=12, batch_size=32, mixed_precision=size.precision, save_every=100
            ),
        )  # fmt: skip
        run = Path(name) / "run"
        run.mkdir()
        train_in_stages(build(size, torch.device("cpu")), source, config, run=run, cache=None)
        last = (run / "log.jsonl").read_text().splitlines()[-1]
        return float(json.loads(last)["data_wait_share"])


# -- memory ---------------------------------------------------------------------------------------


def peak_memory(which: str, size: Size, device: torch.device) -> int:
    """Run in a process of its own: a few steps, then the most bytes ever held."""
    with tempfile.TemporaryDirectory() as name:
        turns = (ours if which == "ours" else diffusers_loop)(size, device, Path(name))
        next(turns)
        if device.type == "cuda":
            return int(torch.cuda.max_memory_allocated())
        # Not getrusage: its maximum counts what the parent held before this program was started.
        status = Path("/proc/self/status").read_text()
        return int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]) * 1024


def peak_memory_elsewhere(which: str) -> int:
    command = [sys.executable, "-m", "tests.models_backend.bench_train", "--memory", which]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(out.splitlines()[-1])


def operations_a_step(size: Size, device: torch.device) -> int:
    """Count the operations of one forward and backward pass of the U-Net."""
    from torch.utils.flop_counter import FlopCounterMode

    model, values = build(size, device), data(size, device)
    batch = {name: value[: size.batch] for name, value in values.items()}
    with FlopCounterMode(display=False) as counter:
        noise, u = torch.randn_like(batch["z"]), torch.rand(size.batch, device=device)
        given = batch | {"noise": noise, "u": u}
        model.loss(given).mean().backward()
    return int(counter.get_total_flops())


def training(size: Size, device: torch.device, repeats: int) -> dict[str, Any]:
    """Return steps/s beside the peer's, and what share of the device's peak they are."""
    with tempfile.TemporaryDirectory() as name:
        mine, theirs = ours(size, device, Path(name)), diffusers_loop(size, device, Path(name))
        times = alternate(lambda: next(mine), lambda: next(theirs), repeats, device)
    ratios = [peer / own for own, peer in zip(*times, strict=True)]
    rates = [size.steps / statistics.median(each) for each in times]
    return {
        "ratio_vs_diffusers_loop": round(statistics.median(ratios), 3),
        "ratio_spread": [round(float(q), 3) for q in np.quantile(ratios, [0, 1])],
        "steps_per_s": round(rates[0], 3),
        "steps_per_s_diffusers": round(rates[1], 3),
        "images_per_s": round(rates[0] * size.batch, 1),
        **use_of_peak(rates[0], operations_a_step(size, device)),
    }


def use_of_peak(steps_per_s: float, operations: int) -> dict[str, Any]:
    """Return Tflop/s, and their share of a known GPU's bf16 peak (MFU), None elsewhere."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peak = next((v for key, v in PEAK_BF16.items() if key in name), None)
    done = operations * steps_per_s
    return {
        "tflops_per_s": round(done / 1e12, 3),
        "mfu_bf16": round(done / peak, 4) if peak else None,
    }


def memory_ratio() -> dict[str, Any]:
    memory = {which: peak_memory_elsewhere(which) for which in ("ours", "diffusers")}
    return {
        "peak_memory_ratio": round(memory["diffusers"] / memory["ours"], 3),
        "peak_memory_mb": {which: round(held / 1e6) for which, held in memory.items()},
    }


def sampling_ratio(size: Size, device: torch.device, repeats: int) -> dict[str, Any]:
    image_ms, bare_ms = sampling(size, device, repeats)
    return {
        "ratio_sampling_vs_bare_loop": round(bare_ms / image_ms, 3),
        "sampling_ms_per_image": round(image_ms, 2),
    }


def main() -> int:
    """Print each part as it is measured; one that fails is named, and the others go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory", choices=("ours", "diffusers"))
    parser.add_argument("--out", type=Path, help="also write the JSON line to this file")
    options = parser.parse_args()
    cuda = torch.cuda.is_available()
    device, size = (torch.device("cuda"), GPU) if cuda else (torch.device("cpu"), CPU)
    if options.memory:
        print(peak_memory(options.memory, size, device))
        return 0
    repeats = options.repeats
    return measure_parts(
        {
            "device": torch.cuda.get_device_name() if cuda else f"cpu, {platform.machine()}",
            "threads": torch.get_num_threads(),
            "precision": size.precision,
        },
        {
            "training": lambda: training(size, device, repeats),
            "memory": memory_ratio,
            "sampling": lambda: sampling_ratio(size, device, repeats),
            "tuning": lambda: tuning(repeats),
            "data": lambda: {"data_wait_share": round(data_wait_share(size), 4)},
        },
        options.out,
    )


def measure_parts(
    result: dict[str, Any], parts: dict[str, Callable[[], dict[str, Any]]], out: Path | None
) -> int:
    """Print what is known and each part's result once it is there; return 1 where one failed."""
    failed = {}
    _show(result)
    for name, part in parts.items():
        try:
            found = part()
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            print(f"{name:28} FAILED {failed[name]}", flush=True)
            continue
        _show(found)
        result |= found
    line = json.dumps(result | ({"failed": failed} if failed else {}))
    if out:
        out.write_text(line + "\n")
    print(line)
    return 1 if failed else 0


def _show(values: dict[str, Any]) -> None:
    for key, value in values.items():
        print(f"{key:28} {value}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
