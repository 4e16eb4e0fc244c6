"""Tuning a pipeline beside diffusers' example scripts, whole and by LoRA: steps/s, peak memory.

The peer is a loop in the shape of `train_text_to_image.py` and its LoRA sibling: pictures and token
ids from a DataLoader, encoded by the autoencoder and the text encoder in every step, AdamW,
clipping, a loss gathered and logged, EMAModel where the network is tuned whole. `fed` is the same
loop with latents and embeddings computed before it, which the scripts do not do: what is left then
is the loop alone. Same pipeline, batch, precision. Each run is a process of its own with one
thread, in turn; steps are counted by seconds of the processor, so that other programs do not show;
memory is the most the process ever held (VmHWM), loading, encoding and saving included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import Accelerator
from diffusers import DDPMScheduler, DiffusionPipeline
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from peft import LoraConfig as PeftConfig
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from models_backend.configuration.captions import CaptionMix
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.tuning import FinetuneConfig, LoraConfig
from models_backend.data.dataset import load_images
from models_backend.data.manifest import read_records
from models_backend.families.diffusers_pipelines.tuned import TunedPipeline
from models_backend.recipes.parts import Examples, train_part
from tests.models_backend import tiny, tiny_encoders

SIDES = ("ours", "script", "fed")
SIZE, BATCH, STEPS, RANK = 32, 4, 16, 8
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


def write_pipeline(folder: Path) -> Path:
    """A Stable Diffusion of 11 M parameters for 32 pixels."""
    torch.manual_seed(0)
    width = 256
    config = tiny_encoders.clip_config(width, 77)
    config.intermediate_size, config.num_hidden_layers, config.num_attention_heads = 1024, 4, 4
    diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=(32, 64, 64), norm_num_groups=8, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
        ),
        unet=diffusers.UNet2DConditionModel(
            sample_size=SIZE // 4, block_out_channels=(96, 192), layers_per_block=1,
            attention_head_dim=8, cross_attention_dim=width,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
        text_encoder=transformers.CLIPTextModel(config),
        tokenizer=tiny_encoders.clip_tokenizer(folder / "raw"),
        scheduler=DDPMScheduler(
            beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder / "pipeline", safe_serialization=True)  # fmt: skip
    return folder / "pipeline"


def loop(is_lora: bool) -> LoopConfig:
    return LoopConfig(
        steps=STEPS, batch_size=BATCH, learning_rate=1e-4, save_every=10**6,
        ema_decay=0.0 if is_lora else 0.999,
    )  # fmt: skip


class Clock:
    """Seconds of the processor from the first step to the last."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def mark(self) -> None:
        self.marks.append(time.process_time())

    @property
    def steps_per_s(self) -> float:
        return (len(self.marks) - 1) / (self.marks[-1] - self.marks[0])


def ours(folder: Path, *, is_lora: bool) -> float:
    """Return steps/s of the recipe's own loop."""
    data = folder / "data"
    config = FinetuneConfig(
        name="bench", training=loop(is_lora), image_size=SIZE,
        lora=LoraConfig(rank=RANK) if is_lora else None,
    )  # fmt: skip
    model = TunedPipeline.load_to_tune(folder / "pipeline", config)
    records = read_records(data)
    clock, loss = Clock(), model.loss

    def marked(*arguments: Any) -> Tensor:
        clock.mark()
        return loss(*arguments)

    model.loss = marked  # type: ignore[method-assign]
    examples = [Examples.of(model, load_images(data, records, SIZE), "denoiser")]
    with tempfile.TemporaryDirectory() as run:
        train_part(
            model, "denoiser", examples=examples, records=records,
            mix=CaptionMix(plain=1.0, keywords=0.0, styled=0.0), loop=config.training,
            caption_dropout=0.1, noise_offset=0.0, seed=0, run=Path(run),
        )  # fmt: skip
    return clock.steps_per_s


def script(folder: Path, *, is_lora: bool, is_fed: bool) -> float:
    """Return steps/s of a loop as diffusers' example scripts write it."""
    pipeline = DiffusionPipeline.from_pretrained(folder / "pipeline", local_files_only=True)
    vae, text_encoder, unet = pipeline.vae, pipeline.text_encoder, pipeline.unet
    schedule = DDPMScheduler.from_config(pipeline.scheduler.config)
    vae.requires_grad_(False)
    text_encoder.requires_grad_(False)
    accelerator = Accelerator(gradient_accumulation_steps=1)
    if is_lora:
        unet.requires_grad_(False)
        unet.add_adapter(
            PeftConfig(
                r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=TARGETS
            )
        )
    trained = [p for p in unet.parameters() if p.requires_grad]
    ema = None if is_lora else EMAModel(unet.parameters(), decay=0.999)
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=1e-2)
    rate = get_scheduler("cosine", optimizer, num_warmup_steps=100, num_training_steps=10**6)
    pixels, ids = _examples(folder, pipeline.tokenizer)
    if is_fed:
        with torch.no_grad():
            pixels = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
            ids = text_encoder(ids)[0]
        del pipeline, vae, text_encoder
    loader = DataLoader(TensorDataset(pixels, ids), BATCH, shuffle=True, drop_last=True)
    unet, optimizer, loader, rate = accelerator.prepare(unet, optimizer, loader, rate)
    unet.train()
    bar = tqdm(total=STEPS, file=sys.stderr, mininterval=1.0)
    clock = Clock()
    for images, words in _without_end(loader):
        if bar.n == STEPS:
            break
        clock.mark()
        with accelerator.accumulate(unet):
            z, tokens = images, words
            if not is_fed:
                z = vae.encode(images).latent_dist.sample() * vae.config.scaling_factor
                tokens = text_encoder(words, return_dict=False)[0]
            noise = torch.randn_like(z)
            t = torch.randint(0, 1000, (len(z),)).long()
            predicted = unet(schedule.add_noise(z, noise, t), t, tokens, return_dict=False)[0]
            loss = F.mse_loss(predicted.float(), noise.float(), reduction="mean")
            logged = accelerator.gather(loss.repeat(BATCH)).mean().item()
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            rate.step()
            optimizer.zero_grad()
        if ema is not None:
            ema.step(unet.parameters())
        bar.update(1)
        bar.set_postfix(step_loss=logged, lr=rate.get_last_lr()[0])
    return clock.steps_per_s


def _examples(folder: Path, tokenizer: Any) -> tuple[Tensor, Tensor]:
    """The same pictures, mirrored too, and their captions."""
    records = read_records(folder / "data")
    pictures = load_images(folder / "data", records, SIZE)
    pixels = torch.cat([pictures, pictures.flip(3)]).float() / 127.5 - 1
    ids = tokenizer(
        [record.caption for record in records] * 2, max_length=77, padding="max_length",
        truncation=True, return_tensors="pt",
    ).input_ids  # fmt: skip
    return pixels, ids


def _without_end(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]) * 1024


def run_one(side: str, folder: Path, *, is_lora: bool) -> dict[str, float]:
    """Run one side in this process."""
    if side == "ours":
        rate = ours(folder, is_lora=is_lora)
    else:
        rate = script(folder, is_lora=is_lora, is_fed=side == "fed")
    return {"steps_per_s": rate, "bytes": peak_bytes()}


def _elsewhere(side: str, folder: Path, how: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.models_backend.bench_tuning", side, how, folder]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def tuning(repeats: int) -> dict[str, Any]:
    """Return the table: ratios of ours to the scripts', medians over runs in turn."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pipeline(folder)
        tiny.write_dataset(folder / "data", size=SIZE, copies=6)
        for how in ("full", "lora"):
            runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
            for _ in range(repeats):
                for side in SIDES:
                    runs[side].append(_elsewhere(side, folder, how))
            result |= _row(how, runs)
    return result


def _row(how: str, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    def ratio(key: str, peer: str) -> float:
        pairs = zip(runs["ours"], runs[peer], strict=True)
        return round(statistics.median(mine[key] / theirs[key] for mine, theirs in pairs), 3)

    def middle(key: str, side: str) -> float:
        return statistics.median(each[key] for each in runs[side])

    return {
        f"ratio_steps_{how}": ratio("steps_per_s", "script"),
        f"ratio_steps_{how}_fed": ratio("steps_per_s", "fed"),
        f"ratio_memory_{how}": ratio("bytes", "script"),
        f"tuning_steps_per_s_{how}": {s: round(middle("steps_per_s", s), 2) for s in SIDES},
        f"tuning_peak_mb_{how}": {s: round(middle("bytes", s) / 1e6) for s in ("ours", "script")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("how", choices=("full", "lora"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    print(json.dumps(run_one(options.side, options.folder, is_lora=options.how == "lora")))


if __name__ == "__main__":
    main()
