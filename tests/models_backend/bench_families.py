"""Steps/s and images/s of each family beside a bare loop on the same network; JSON line last.

    python -m tests.models_backend.bench_families [--repeats 5] [--steps 6] [--out FILE]

What is trained and sampled are the recorded models. The bare loop of training is plain torch: the
family's arithmetic written out, AdamW, clipping, a moving average, a loss read every step; ours is
the trainer with its draws by seed, log and checks. The bare loop of sampling calls the network and
a diffusers scheduler (or fills tokens in) with both halves of guidance in one batch, then decodes.
Examples and embeddings lie in memory on both sides. One thread, in turn, in one run, by the
processor's seconds, so that other programs count little; a ratio above 1 says that ours is faster.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend import checkpoints
from models_backend.configuration.loops import LoopConfig
from models_backend.families.base import Family
from models_backend.families.batch import training_batch
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.families.masked_transformer.model import MaskedTransformer
from models_backend.families.pixel_diffusion.model import PixelDiffusion
from models_backend.families.settings import SamplingSettings
from models_backend.nn.text_rows import TextEmbedding
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer

RECORDED = Path("models_backend/recorded")
MODELS = ("pretrained", "pixel_pretrained", "masked_pretrained")
BATCH, EXAMPLES, DECAY, GUIDANCE = 8, 32, 0.995, 3.0
PROMPTS = ["a cat", "a red apple", "a boat", "a drum"]
SAMPLER_STEPS = 6


def loaded(name: str) -> Family:
    return checkpoints.load(RECORDED / name, "cpu")[0]


class Examples:
    """What a part learns from, in memory: pictures prepared, captions embedded."""

    def __init__(self, family: Family, part: str) -> None:
        draw = torch.Generator().manual_seed(1)
        pictures = torch.rand((EXAMPLES, 3, *family.image_size), generator=draw) * 2 - 1
        self.z = family.prepare(pictures, part).detach()
        self.text = family.text_encoder.encode([f"picture {n}" for n in range(EXAMPLES)])

    def rows(self, rows: Tensor) -> tuple[Tensor, TextEmbedding]:
        return self.z[rows], self.text[rows]


class _PauseError(Exception):
    """Ends one timed stretch of a run that goes on later."""


def ours(family: Family, part: str, steps: int, run: Path) -> Iterator[None]:
    """Each `next` takes so many steps of our trainer."""
    config = LoopConfig(steps=10**6, batch_size=BATCH, learning_rate=1e-5, ema_decay=DECAY,
                        save_every=10**6)  # fmt: skip
    trainer = Trainer(module=family.part(part), config=config, seed=0, stage=part, run=run)
    given, taken = Examples(family, part), 0

    def step(draw: StepDraw) -> StepLoss:
        nonlocal taken
        if taken == steps:
            raise _PauseError
        taken += 1
        rows = torch.randint(EXAMPLES, (BATCH,), generator=draw)
        u, v = torch.rand((2, BATCH), generator=draw)
        z, text = given.rows(rows)
        noise = draw.noise(family.noise_shape(part, tuple(z.shape[1:])), offset=0.0, device="cpu")
        return StepLoss(family.loss(training_batch(z, text, noise, u, v), part), rows, {})

    while True:
        taken = 0
        try:
            trainer.fit(step)
        except _PauseError:
            yield


def plain(family: Family, part: str, steps: int) -> Iterator[None]:
    """Each `next` takes so many steps of a plain loop."""
    network = family.part(part).train()
    parameters = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, weight_decay=1e-4)
    average = [each.detach().clone() for each in parameters]
    given, loss_of = Examples(family, part), plain_loss(family, part)
    while True:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = loss_of(*given.rows(torch.randint(EXAMPLES, (BATCH,))))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            torch._foreach_lerp_(average, [each.detach() for each in parameters], 1 - DECAY)
            loss.item()
        yield


# -- the families' arithmetic, written out --------------------------------------------------------


def plain_loss(family: Family, part: str) -> Callable[[Tensor, TextEmbedding], Tensor]:
    if isinstance(family, LatentDiffusion):
        return lambda z, text: _denoising(family, z, lambda x, t: _unet(family, x, t, text))
    if isinstance(family, MaskedTransformer):
        return lambda z, text: _filling(family, z.long(), text)
    assert isinstance(family, PixelDiffusion)
    network: Any = family.part(part)
    if part == "base":
        return lambda z, text: _denoising(family, z, lambda x, t: network(x, t, text, masked=True))
    return lambda z, text: _upsampling(family, network, z, text)


def _unet(family: LatentDiffusion, x: Tensor, t: Tensor, text: TextEmbedding) -> Tensor:
    said: Tensor = family.unet(
        x, t, text.tokens, class_labels=text.pooled, encoder_attention_mask=text.mask
    ).sample
    return said


def _denoising(family: Any, z: Tensor, predict: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    t = family.schedule.times(torch.rand(len(z)))
    noisy, target = family.schedule.noise_and_target(z, torch.randn_like(z), t)
    return F.mse_loss(predict(noisy, t), target)


def _upsampling(family: PixelDiffusion, network: Any, z: Tensor, text: TextEmbedding) -> Tensor:
    config, level = family.stages.configs[1], torch.rand(len(z))
    low = F.avg_pool2d(z, 2)
    level = level * config.augmentation_most
    angle = (level * math.pi / 2).view(-1, 1, 1, 1)
    seen = angle.cos() * low + angle.sin() * torch.randn_like(low)
    small = F.interpolate(seen, size=z.shape[2:], mode="bilinear")
    learned = z
    if config.residual:
        large = F.interpolate(low, size=z.shape[2:], mode="bicubic").clamp(-1, 1)
        learned = (z - large) / config.residual
    return _denoising(
        family, learned, lambda x, t: network(x, t, text, masked=True, small=small, level=level)
    )


def _filling(family: MaskedTransformer, levels: Tensor, text: TextEmbedding) -> Tensor:
    count = (torch.cos(torch.rand(len(levels)) * math.pi / 2) * levels.shape[1]).ceil().clamp(1)
    order = torch.rand(levels.shape[:2]).argsort(dim=1).argsort(dim=1)
    hidden = order < count[:, None]
    said = family.transformer.of_channels(family.transformer(levels, hidden, text, masked=True))
    each = [
        F.cross_entropy(of.transpose(1, 2), levels[..., d], reduction="none", label_smoothing=0.1)
        for d, of in enumerate(said)
    ]
    error = torch.stack(each).mean(dim=0) * hidden
    return (error.sum(dim=1) / hidden.sum(dim=1)).mean()


# -- sampling -------------------------------------------------------------------------------------


@torch.no_grad()
def plain_sampling(family: Family) -> list[Image.Image]:
    text = family.text_encoder.encode([""] * len(PROMPTS) + PROMPTS)
    if isinstance(family, LatentDiffusion):
        side = family.image_size[0] // family.autoencoder.config.factor
        z = torch.randn(len(PROMPTS), family.autoencoder.config.latent_channels, side, side)
        z = _undone(family, z, lambda x, t: _unet(family, x, t, text))
        return _pictures(family.autoencoder.decode(family.denormalise(z)))
    if isinstance(family, MaskedTransformer):
        levels = _filled_in(family, text)
        return _pictures(family.tokenizer.decode(levels, *family.made_of.grid))
    assert isinstance(family, PixelDiffusion)
    base, upsampler = family.stages.networks
    x = torch.randn(len(PROMPTS), 3, *family.stages.sizes[0])
    held = family.stages.thresholding
    x = _undone(family, x, lambda x, t: base(x, t, text, masked=True), held).clamp(-1, 1)
    config, size = family.stages.configs[1], family.stages.sizes[1]
    angle = config.augmentation * math.pi / 2
    seen = math.cos(angle) * x + math.sin(angle) * torch.randn_like(x)
    small = F.interpolate(seen, size=size, mode="bilinear").repeat(2, 1, 1, 1)
    level = torch.full((2 * len(x),), config.augmentation)
    noise = torch.randn(len(x), 3, *size)
    found = _undone(
        family,
        noise,
        lambda x, t: upsampler(x, t, text, masked=True, small=small, level=level),
        None if config.residual else held,
    )
    if config.residual:
        found = F.interpolate(x, size=size, mode="bicubic").clamp(-1, 1) + config.residual * found
    return _pictures(found)


def _undone(
    family: Any,
    z: Tensor,
    predict: Callable[[Tensor, Tensor], Tensor],
    thresholding: float | None = None,
) -> Tensor:
    scheduler = family.schedule.sampler("default", thresholding=thresholding)
    scheduler.set_timesteps(SAMPLER_STEPS)
    for t in scheduler.timesteps:
        blank, asked = predict(torch.cat([z, z]), t).chunk(2)
        said = blank + GUIDANCE * (asked - blank)
        clipped = thresholding is not None
        z = scheduler.step(said, t, z, use_clipped_model_output=clipped).prev_sample
    return z


def _filled_in(family: MaskedTransformer, text: TextEmbedding) -> Tensor:
    """Fill in by confidence, as MaskGIT's samplers do."""
    rows, columns = family.made_of.grid
    tokens, sizes = rows * columns, family.transformer.levels
    filled = torch.zeros(len(PROMPTS), tokens, len(sizes), dtype=torch.long)
    hidden = torch.ones(len(PROMPTS), tokens, dtype=torch.bool)
    for step in range(SAMPLER_STEPS):
        scale = 1 + (GUIDANCE - 1) * (step + 1) / SAMPLER_STEPS
        both = family.transformer(filled.repeat(2, 1, 1), hidden.repeat(2, 1), text, masked=True)
        drawn, sure = [], torch.zeros(len(PROMPTS), tokens)
        for each in family.transformer.of_channels(both):
            blank, asked = each.chunk(2)
            scores = (blank + scale * (asked - blank)).log_softmax(dim=-1)
            noise = -(-torch.rand_like(scores).clamp(1e-9, 1 - 1e-6).log()).log()
            level = (scores + family.made_of.filling.temperature * noise).argmax(dim=-1)
            sure += scores.gather(-1, level[..., None]).squeeze(-1)
            drawn.append(level)
        filled = torch.where(hidden[..., None], torch.stack(drawn, dim=-1), filled)
        count = int(tokens * math.cos(math.pi / 2 * (step + 1) / SAMPLER_STEPS))
        least = sure.masked_fill(~hidden, math.inf).argsort(dim=1)[:, :count]
        hidden = torch.zeros_like(hidden).scatter(1, least, True)
    return filled


def _pictures(pixels: Tensor) -> list[Image.Image]:
    array = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(each) for each in array]


# -- measuring ------------------------------------------------------------------------------------


def in_turn(
    mine: Callable[[], object], theirs: Callable[[], object], repeats: int
) -> tuple[float, float, float]:
    """Return the processor's seconds of both, medians, and the median of theirs over ours."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):  # the first is not measured
        for work, kept in zip((mine, theirs), times, strict=True):
            started = time.process_time()
            work()
            if turn:
                kept.append(time.process_time() - started)
    ratio = statistics.median(peer / own for own, peer in zip(*times, strict=True))
    return statistics.median(times[0]), statistics.median(times[1]), ratio


def training(name: str, part: str, repeats: int, steps: int) -> dict[str, float]:
    family = loaded(name)
    with tempfile.TemporaryDirectory() as run:
        mine = ours(family, part, steps, Path(run))
        theirs = plain(copy.deepcopy(family), part, steps)
        own, peer, ratio = in_turn(lambda: next(mine), lambda: next(theirs), repeats)
    return {
        "steps_per_s": round(steps / own, 3),
        "bare": round(steps / peer, 3),
        "ratio": round(ratio, 3),
    }


def sampling(name: str, repeats: int) -> dict[str, float]:
    family = loaded(name)
    settings = SamplingSettings(sampler="default", steps=SAMPLER_STEPS, guidance_scale=GUIDANCE)
    seeds = list(range(len(PROMPTS)))
    own, peer, ratio = in_turn(
        lambda: family.sample(prompts=PROMPTS, seeds=seeds, settings=settings),
        lambda: plain_sampling(family),
        repeats,
    )
    count = len(PROMPTS)
    return {
        "images_per_s": round(count / own, 3),
        "bare": round(count / peer, 3),
        "ratio": round(ratio, 3),
    }


def measure(models: tuple[str, ...], repeats: int, steps: int) -> dict[str, Any]:
    """Print a row as each is measured; return all."""
    print(f"{'family':20} {'what':16} {'ours /s':>9} {'bare /s':>9} {'ratio':>7}")
    found: dict[str, Any] = {}
    for name in models:
        family = loaded(name)
        rows = {part: training(name, part, repeats, steps) for part in family.parts} | {
            "sampling": sampling(name, repeats)
        }
        for what, row in rows.items():
            rate, bare, ratio = row.values()
            print(f"{family.name:20} {what:16} {rate:9.3f} {bare:9.3f} {ratio:7.3f}", flush=True)
        found[family.name] = rows
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--out", type=Path, help="also write the JSON line to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(MODELS, options.repeats, options.steps)
    ratios = [row["ratio"] for rows in found.values() for row in rows.values()]
    line = json.dumps({
        "least_ratio_vs_bare_loop": min(ratios), "families": found, "batch": BATCH,
        "sampler_steps": SAMPLER_STEPS, "guidance": GUIDANCE, "prompts": len(PROMPTS),
        "repeats": options.repeats, "steps": options.steps, "by": "process time, one thread",
    })  # fmt: skip
    if options.out:
        options.out.write_text(line + "\n")
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
