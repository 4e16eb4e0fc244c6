"""Steps of tuning by preferences beside plain loops on the same U-Net, by the processor's seconds.

    python -m tests.models_backend.bench_feedback [--repeats 5] [--steps 6] [--out FILE]

The peer of DPO is the published arithmetic (Diffusion-DPO's script): pictures and captions encoded
in every step, the two images of a pair in one batch with one noise and time, a second U-Net for the
parent, AdamW, clipping, a loss read every step. `fed` is the same with latents and embeddings made
before: what is left is the loop alone. The peer of ReFL is a bare loop: captions encoded, DDIM
steps without a gradient, one with it, the decoder, the reward, a hinge, and the denoising loss
beside it. One thread, in turn, in one run; a ratio above 1 says that ours is faster. What is timed
goes from the end of one step to the end of the next, so that loading a model is in no figure.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models_backend.configuration.feedback import GuardConfig, PreferenceConfig, RewardTuningConfig
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.reward import RewardConfig
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.nn.pixels import to_unit_range
from models_backend.preferences.reading import PreferenceSet
from models_backend.recipes.feedback import tune_by_rewards
from models_backend.recipes.preference import tune_by_preferences
from models_backend.recipes.preference_data import DecidedPairs
from models_backend.recipes.reward import train_reward
from models_backend.rewards.model import RewardModel
from models_backend.training.trainer import Trainer
from tests.models_backend.preferences import simulated

CHECKPOINT = Path("models_backend/recorded/pretrained")
DPO_BATCH, REFL_BATCH, BETA, ROLLOUT, GRADED = 8, 4, 2000.0, 10, 7
NO_GUARD = GuardConfig(candidates=0)


def loop(steps: int, batch: int) -> LoopConfig:
    return LoopConfig(steps=steps, batch_size=batch, learning_rate=1e-5, warmup_steps=1,
                      ema_decay=0.0, save_every=10**6)  # fmt: skip


def model() -> LatentDiffusion:
    return LatentDiffusion.load(CHECKPOINT, "cpu")


_ended: list[float] = []
"""When each step of the run that is timed ended, in the processor's seconds."""


def per_step(work: Callable[[int], object], steps: int) -> float:
    """Return the median of the processor's seconds from one step's end to the next one's."""
    _ended.clear()
    work(1 + steps)
    return statistics.median(after - before for before, after in pairwise(_ended))


@contextmanager
def timed_trainer() -> Iterator[None]:
    """Note when each step of our trainer ends."""
    own = Trainer._train_step

    def step(trainer: Trainer) -> dict[str, float | Tensor]:
        told = own(trainer)
        _ended.append(time.process_time())
        return told

    Trainer._train_step = step  # type: ignore[method-assign]
    try:
        yield
    finally:
        Trainer._train_step = own  # type: ignore[method-assign]


def ours_dpo(folder: Path, steps: int) -> None:
    config = PreferenceConfig(name="bench", beta=BETA, training=loop(steps, DPO_BATCH),
                              guard=NO_GUARD)  # fmt: skip
    with tempfile.TemporaryDirectory() as run, timed_trainer():
        tune_by_preferences(config, parent=model(), data=folder, run=Path(run))


class Plain:
    """What a plain script has at hand."""

    def __init__(self, folder: Path, fed: bool) -> None:
        self.family, self.fed = model(), fed
        self.pairs = DecidedPairs.of(PreferenceSet.open(folder), "train", ("appeal",),
                                     self.family.image_size[0])  # fmt: skip
        self.unet = self.family.unet
        self.optimizer = torch.optim.AdamW(self.unet.parameters(), lr=1e-5)
        if fed:
            self.z = self.pairs.prepared(self.family, "denoiser")

    def latents(self, rows: Tensor) -> Tensor:
        if self.fed:
            return self.z[rows]
        with torch.no_grad():
            return self.family.prepare(to_unit_range(self.pairs.shown.pictures[rows]), "denoiser")

    def text(self, rows: Tensor) -> Any:
        if not self.fed:
            self.family.text_encoder._cache.clear()
        return self.family.text_encoder.encode([self.pairs.shown.prompts[r] for r in rows.tolist()])

    def predict(self, unet: Any, noisy: Tensor, t: Tensor, text: Any) -> Tensor:
        config = self.family
        return unet(
            noisy, t, text.tokens,
            class_labels=text.pooled if config.unet_config.sentence_vector else None,
            encoder_attention_mask=text.mask if config.text_encoder.config.masked else None,
        ).sample  # fmt: skip

    def step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step()
        loss.item()
        _ended.append(time.process_time())


def plain_dpo(folder: Path, steps: int, fed: bool) -> None:
    at = Plain(folder, fed)
    parent = copy.deepcopy(at.unet).requires_grad_(False)
    schedule = at.family.schedule
    for _ in range(steps):
        chosen = torch.randint(len(at.pairs.winners), (DPO_BATCH,))
        rows = torch.cat([at.pairs.winners[chosen], at.pairs.losers[chosen]])
        z, text = at.latents(rows), at.text(rows)
        noise = torch.randn_like(z[:DPO_BATCH]).repeat(2, 1, 1, 1)
        t = schedule.times(torch.rand(DPO_BATCH)).repeat(2)
        noisy, target = schedule.noise_and_target(z, noise, t)
        said = at.predict(at.unet, noisy, t, text)
        errors = (said - target).square().mean(dim=(1, 2, 3))
        with torch.no_grad():
            before = at.predict(parent, noisy, t, text)
            known = (before - target).square().mean(dim=(1, 2, 3))
        win, lose = errors.chunk(2)
        win_before, lose_before = known.chunk(2)
        inside = -0.5 * BETA * ((win - lose) - (win_before - lose_before))
        at.step(-F.logsigmoid(inside).mean())


def ours_refl(folder: Path, reward: Path, steps: int) -> None:
    config = RewardTuningConfig(
        name="bench", rewards=(str(reward),), rollout_steps=ROLLOUT,
        graded=(ROLLOUT - GRADED, ROLLOUT - GRADED), training=loop(steps, REFL_BATCH),
        guard=NO_GUARD,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as run, timed_trainer():
        tune_by_rewards(config, parent=model(), data=folder, run=Path(run))


def plain_refl(folder: Path, reward: Path, steps: int) -> None:
    at = Plain(folder, fed=False)
    family, judge = at.family, RewardModel.load(reward)
    schedule = family.schedule
    for _ in range(steps):
        rows = at.pairs.winners[torch.randint(len(at.pairs.winners), (REFL_BATCH,))]
        text = at.text(rows)
        prompts = [at.pairs.shown.prompts[row] for row in rows.tolist()]
        both = family.text_encoder.encode([""] * REFL_BATCH + prompts)
        z0 = at.latents(rows)
        z = torch.randn_like(z0)
        scheduler = schedule.sampler("default")
        scheduler.set_timesteps(ROLLOUT)

        def guided(z: Tensor, t: Tensor, both: Any = both) -> Tensor:
            blank, said = at.predict(at.unet, torch.cat([z, z]), t, both).chunk(2)
            return blank + 3.0 * (said - blank)

        with torch.no_grad():
            for t in scheduler.timesteps[:GRADED]:
                z = scheduler.step(guided(z, t), t, z).prev_sample
        t = scheduler.timesteps[GRADED]
        clean = schedule.clean(guided(z, t), z, t.expand(REFL_BATCH))
        images = family.autoencoder.decode(family.denormalise(clean)).clamp(-1, 1)
        hinge = (2.0 - judge.calibrated(judge.raw(images, prompts)).mean(dim=1)).clamp_min(0)
        u = schedule.times(torch.rand(REFL_BATCH))
        noisy, target = schedule.noise_and_target(z0, torch.randn_like(z0), u)
        denoising = (at.predict(at.unet, noisy, u, text) - target).square().mean()
        at.step(0.02 * hinge.mean() + denoising)


def measure(repeats: int, steps: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder, reward = Path(name) / "set", Path(name) / "reward"
        simulated.SIZE = 64
        simulated.write(folder, prompts=40, people=1)
        made = train_reward(RewardConfig(name="bench"), data=folder, run=Path(name) / "run")
        made.save(reward, made.metadata)
        sides: dict[str, Callable[[int], object]] = {
            "dpo": lambda n: ours_dpo(folder, n),
            "plain_dpo": lambda n: plain_dpo(folder, n, False),
            "fed_dpo": lambda n: plain_dpo(folder, n, True),
            "refl": lambda n: ours_refl(folder, reward, n),
            "plain_refl": lambda n: plain_refl(folder, reward, n),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for repeat in range(repeats):
            for side, work in sides.items():
                times[side].append(per_step(work, steps))
                print(f"{repeat} {side:10} {times[side][-1]:.3f} CPU-s a step", file=sys.stderr)

    def ratio(peer: str, own: str) -> float:
        pairs = zip(times[peer], times[own], strict=True)
        return round(statistics.median(a / b for a, b in pairs), 3)

    return {
        "ratio_vs_plain_dpo": ratio("plain_dpo", "dpo"),
        "ratio_vs_plain_dpo_fed": ratio("fed_dpo", "dpo"),
        "ratio_vs_plain_refl": ratio("plain_refl", "refl"),
        "cpu_s_a_step": {name: round(statistics.median(v), 4) for name, v in times.items()},
        "repeats": repeats, "steps": steps, "batch_dpo": DPO_BATCH, "batch_refl": REFL_BATCH,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(options.repeats, options.steps)
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
