"""Guards of tuning by preferences: a judge that is never optimised, bounds, a rule that stops.

Optimised long enough, a reward is fooled: it rises while what it stands for falls. So candidates
are kept and measured on held-out prompts, and `signals.png` shows the reward that is optimised
beside the judge that is not: where the two part, over-optimisation begins. The rule is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_backend.configuration.feedback import GuardConfig
from models_backend.configuration.loops import LoopConfig
from models_backend.families.base import Family
from models_backend.families.settings import SamplingSettings
from models_backend.files import write_bytes_atomically, write_json_atomically
from models_backend.recipes.candidates import (
    SIGNALS,
    candidates_folder,
    keep_candidate,
    read_signals,
)
from models_backend.recipes.early_stopping import candidate_steps
from models_backend.recipes.grids import grid, grid_png, refuse_sharded
from models_backend.recipes.guard_plot import plot_guard
from models_backend.recipes.overfitting import MeanWithError, RetrievalHead, to_pixels
from models_backend.rewards.model import RewardModel
from models_backend.training.trainer import Trainer

RULE = (
    "the latest candidate at which the judge rose by more than {tolerance:g} standard errors, "
    "among those of at least {diversity:g} of the parent's diversity, faithfulness within "
    "{tolerance:g} standard errors of the parent's, and the winner's error at most {rise:g} above "
    "the parent's; without a judge the latest of these; the first where none is"
)
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Optimised:
    """A reward and how much it counts."""

    reward: RewardModel
    weight: float

    def calibrated(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """Return (B,): the mean over its aspects, in standard deviations of the reference set."""
        return self.reward.calibrated(self.reward.raw(images, prompts)).mean(dim=1)


def allowed(entry: dict[str, Any], parent: dict[str, Any], config: GuardConfig) -> list[str]:
    """Return the bounds that a candidate breaks, by name; none where it is fit."""
    broken = []
    if entry["diversity"] < config.diversity * parent["diversity"]:
        broken.append("diversity")
    least = parent["faithfulness"] - config.tolerance * parent["faithfulness_error"]
    if entry["faithfulness"] < least:
        broken.append("faithfulness")
    before, now = parent.get("winner_error"), entry.get("winner_error")
    if before is not None and now is not None and now > before * (1 + config.winner_error_rise):
        broken.append("winner_error")
    return broken


def rise(entry: dict[str, Any], over: dict[str, Any]) -> MeanWithError | None:
    """Return how far the judge rose from one entry to another, image by image; None without one."""
    if entry.get("judge") is None:
        return None
    return MeanWithError.of(torch.tensor(entry["judged"]) - torch.tensor(over["judged"]))


def decide(entries: Sequence[dict[str, Any]], config: GuardConfig) -> dict[str, Any]:
    """Return the picked step, whether none fits, and why to stop (empty to go on).

    The first entry is the parent, step 0. See :data:`RULE`.
    """
    parent, picked, since, why = entries[0], entries[0], 0, ""
    for entry in entries[1:]:
        broken = allowed(entry, parent, config)
        higher = rise(entry, picked)
        rose = higher is None or higher.mean > config.tolerance * higher.error
        if not broken and rose:
            picked, since = entry, 0
        else:
            since += 1
        if broken:
            why = f"step {entry['step']} breaks the bound of {' and '.join(broken)}"
            break
        if since >= config.patience:
            why = f"the judge has not risen over {since} candidates"
            break
    fits = picked is not parent
    step = picked["step"] if fits else entries[min(1, len(entries) - 1)]["step"]
    return {"picked_step": int(step), "none_fits": not fits, "stopped": why}


class Guard:
    """Keeps and measures candidates while a trainer runs; give `at` to it as `on_save`."""

    def __init__(
        self,
        model: Family,
        config: GuardConfig,
        loop: LoopConfig,
        *,
        part: str,
        run: Path,
        seed: int,
        prompts: Sequence[str],
        faithfulness: RetrievalHead,
        judge: RewardModel | None,
        optimised: Sequence[Optimised] = (),
        winner_error: Callable[[], float] | None = None,
    ) -> None:
        self._model, self._config, self._part, self._seed = model, config, part, seed
        self.folder = candidates_folder(run, model, part)
        self._steps = [0, *candidate_steps(loop, config.candidates)]
        self.prompts = list(prompts)
        self._faithfulness, self._judge = faithfulness, judge
        self._optimised, self._winner_error = list(optimised), winner_error
        self._trainer: Trainer | None = None

    def watch(self, trainer: Trainer) -> None:
        """Take the weights from this trainer.

        Raises:
            InputError: it spreads them over processes, so that none can sample alone.
        """
        refuse_sharded(trainer, "guard", "set guard.candidates = 0")
        self._trainer = trainer

    def at(self, step: int) -> None:
        """Keep and measure the candidate of this step, and stop where the rule says so."""
        trainer = self._trainer
        assert trainer is not None
        if trainer.accelerator.is_main_process and step in self._steps:
            entries = read_signals(self.folder)
            if step not in {entry["step"] for entry in entries}:
                with trainer.averaged_weights():
                    if step:
                        keep_candidate(self._model, self._part, self.folder, step)
                    entry = self._measure(step)
                entries = [e for e in entries if e["step"] < step] + [entry]
                self._write(entries)
            if self._config.stop and decide(entries, self._config)["stopped"]:
                trainer.stop()
        trainer.agree_to_stop()
        trainer.accelerator.wait_for_everyone()

    @torch.no_grad()
    def _measure(self, step: int) -> dict[str, Any]:
        each = self._config.seeds
        prompts = [prompt for prompt in self.prompts for _ in range(each)]
        images = self._samples(prompts)
        first = images[::each]
        fit = MeanWithError.of(self._faithfulness.measure(first, self.prompts))
        pixels = to_pixels(images)
        spread = self._model.features(pixels).view(len(self.prompts), each, -1)
        distances = torch.stack([torch.pdist(group).mean() for group in spread])
        write_bytes_atomically(self.folder / f"samples-{step:06d}.png", grid_png(images[:16]))
        assert self._trainer is not None
        self._trainer.monitor.pictures(step, "held_out", grid(images[:16]))
        entry: dict[str, Any] = {
            "step": step,
            "faithfulness": fit.mean,
            "faithfulness_error": fit.error,
            "diversity": float(distances.mean()),
            "winner_error": self._winner_error() if self._winner_error else None,
            **self._judged(pixels, prompts),
        }
        if self._optimised:
            rewards = [o.weight * o.reward.calibrated(
                o.reward.to("cpu").scores(pixels, prompts)
            ).mean(dim=1) for o in self._optimised]  # fmt: skip
            total = sum(o.weight for o in self._optimised)
            entry["reward"] = float(torch.stack(rewards).sum(dim=0).mean() / total)
            for each_one in self._optimised:
                each_one.reward.to(self._model.device)
        return entry

    def _judged(self, pixels: Tensor, prompts: Sequence[str]) -> dict[str, Any]:
        if self._judge is None:
            return {"judge": None, "judge_error": None, "judged": None}
        scores = self._judge.calibrated(self._judge.scores(pixels, prompts)).mean(dim=1)
        # Images of one prompt are no two opinions: errors are those of prompts.
        of_prompt = scores.view(len(self.prompts), -1).mean(dim=1)
        mean = MeanWithError.of(of_prompt)
        return {
            "judge": mean.mean, "judge_error": mean.error,
            "judged": [round(float(s), 5) for s in of_prompt],
        }  # fmt: skip

    def _samples(self, prompts: Sequence[str]) -> list[Any]:
        settings = SamplingSettings(
            sampler="default", steps=self._config.sampler_steps,
            guidance_scale=self._config.guidance_scale,
        )  # fmt: skip
        images: list[Any] = []
        for start in range(0, len(prompts), _BATCH):
            part = prompts[start : start + _BATCH]
            seeds = [7000 + self._seed + start + at for at in range(len(part))]
            images += self._model.sample(prompts=part, seeds=seeds, settings=settings)
        return images

    def _write(self, entries: list[dict[str, Any]]) -> None:
        config = self._config
        content: dict[str, Any] = {
            "rule": RULE.format(
                tolerance=config.tolerance, diversity=config.diversity,
                rise=config.winner_error_rise,
            ),
            "held_out_captions": len(self.prompts),
            "cautions": cautions(self._judge, entries[0], len(self.prompts)),
            "entries": entries,
        }  # fmt: skip
        if len(entries) > 1:
            content |= decide(entries, config)
        write_json_atomically(self.folder / SIGNALS, content)
        write_bytes_atomically(self.folder / "signals.png", plot_guard(content, config))


def cautions(judge: RewardModel | None, parent: dict[str, Any], prompts: int) -> list[str]:
    """Return what to know of a guard whose parent was measured on so many held-out prompts."""
    said = []
    if judge is None:
        said.append("no guard.judge: over-optimisation is not seen, look at the samples")
    elif judge.metadata.get("data", {}).get("simulated"):
        said.append("the judge has learned from SIMULATED votes")
    if parent["faithfulness_error"] == 0:
        said.append(
            f"the parent is as faithful to each of the {prompts} held-out prompts, so its "
            "faithfulness has no error and any loss breaks that bound: measure more of them "
            "(guard.held_out, guard.prompts)"
        )
    return said


def guard_table(content: dict[str, Any]) -> str:
    """Return the signals of every candidate as lines of text, and what was picked and why."""
    lines = ["  step    judge            reward  diversity  faithfulness  winner's error"]

    def number(value: float | None, width: int) -> str:
        told = "-" if value is None or math.isnan(value) else f"{value:.3f}"
        return told.rjust(width)

    for e in content["entries"]:
        mark = "*" if e["step"] == content.get("picked_step") else " "
        lines.append(
            f"{mark}{e['step']:>5}  {number(e['judge'], 6)} ± {number(e['judge_error'], 5)}"
            f"  {number(e.get('reward'), 8)}  {number(e['diversity'], 9)}"
            f"  {number(e['faithfulness'], 12)}  {number(e['winner_error'], 14)}"
        )
    if content.get("stopped"):
        lines.append(f"stopped: {content['stopped']}")
    if content.get("none_fits"):
        lines.append("* no candidate fits the rule, so the first is taken: look at the samples")
    return "\n".join([*lines, content["rule"], *content["cautions"]])
