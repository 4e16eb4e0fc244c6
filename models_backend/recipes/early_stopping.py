"""Early stopping of quality-tuning: dense candidates, signals at each, a rule, a person's choice.

Emu (section 3.3): over-fitting sets in while the training loss still falls, so the loss cannot say
when to stop, and the authors stopped by looking. The signals here are ours, and so is the rule.

Beside the files of `candidates`: `signals.png`, and a contact sheet of each candidate's samples.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_backend.configuration.captions import CaptionMix
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.tuning import EarlyStoppingConfig
from models_backend.data.dataset import Shapes, build_captions
from models_backend.data.manifest import Record
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.batch import training_batch
from models_backend.families.settings import SamplingSettings
from models_backend.files import sha256_of_bytes, write_bytes_atomically, write_json_atomically
from models_backend.nn.pixels import to_unit_range
from models_backend.recipes.candidates import (
    SIGNALS,
    candidates_folder,
    counted,
    keep_candidate,
    read_signals,
    refuse_other_shapes,
)
from models_backend.recipes.grids import grid, grid_png, refuse_sharded
from models_backend.recipes.overfitting import Copying, Faithfulness, MeanWithError, RetrievalHead
from models_backend.recipes.parts import in_parts
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import Trainer

ENOUGH_CAPTIONS = 40
"""With so many the standard error of a mean reciprocal rank is about 0.05."""
RULE = (
    "the latest candidate whose faithfulness is within {tolerance:g} standard errors of the best "
    "and whose copied share is at most {rise:g} above the parent's; the first where none is"
)


def candidate_steps(loop: LoopConfig, candidates: int) -> list[int]:
    """Return the steps kept: about `candidates`, evenly spaced over saved states, and the last."""
    saves = math.ceil(loop.steps / loop.save_every)
    every = math.ceil(saves / candidates) * loop.save_every
    return sorted({*range(every, loop.steps, every), loop.steps})


def pick_step(entries: Sequence[dict[str, Any]], config: EarlyStoppingConfig) -> int:
    """Return the step the rule picks; see :data:`RULE`. The first entry is the parent, step 0."""
    fitting = fitting_steps(entries, config)
    return fitting[-1] if fitting else int(entries[1]["step"])


def fitting_steps(entries: Sequence[dict[str, Any]], config: EarlyStoppingConfig) -> list[int]:
    """Return the steps of the candidates that the rule allows, in order."""
    parent, tuned = entries[0], entries[1:]
    best = max(entries, key=lambda e: float(e["faithfulness"]))
    least = best["faithfulness"] - config.tolerance * best["faithfulness_error"]
    most = parent["copied_share"] + config.copying_rise
    allowed = (e for e in tuned if e["faithfulness"] >= least and e["copied_share"] <= most)
    return [int(e["step"]) for e in allowed]


def cautions(held_out: int, images: int) -> list[str]:
    """Return what to know of signals measured on so many captions, where `images` were wanted."""
    said = []
    if held_out < images:
        said.append(
            f"early_stopping.images is {images}, and {held_out} captions lie outside the tuning "
            "list: faithfulness and the copying threshold are measured on these"
        )
    if held_out < ENOUGH_CAPTIONS:
        said.append(
            f"fewer than {ENOUGH_CAPTIONS} held-out captions can hardly tell candidates apart: "
            "leave more concepts out of the tuning list, or look at the samples and pick by hand"
        )
    return said


@dataclass(frozen=True)
class HeldOutCaptions:
    """Records of one caption each, of concepts that tuning does not show."""

    records: list[Record]

    @classmethod
    def of(
        cls, everything: Sequence[Record], tuning: Sequence[Record], count: int
    ) -> HeldOutCaptions:
        """Choose up to `count` concepts by the hash of their name; prefer the tuning styles.

        Raises:
            InputError: the tuning list leaves fewer than two concepts.
        """
        # A curated set may call concepts otherwise: what is the same image shows its concept, too.
        images = {record.sha256 for record in tuning}
        shown = {record.concept for record in tuning}
        shown |= {record.concept for record in everything if record.sha256 in images}
        styles = {record.style for record in tuning}
        chosen: dict[str, Record] = {}
        for record in sorted(everything, key=lambda r: (r.style not in styles, r.file)):
            if record.concept not in shown:
                chosen.setdefault(record.concept, record)
        names = sorted(chosen, key=lambda name: sha256_of_bytes(name.encode()))[:count]
        captions = {chosen[name].caption: chosen[name] for name in names}
        if len(captions) < 2:
            raise InputError(
                "early_stopping needs at least two concepts outside the tuning list to measure "
                "faithfulness on; name fewer in tuning_list, or set early_stopping.candidates = 0"
            )
        return cls(list(captions.values()))

    @property
    def captions(self) -> list[str]:
        """The captions, all different."""
        return [record.caption for record in self.records]


class EarlyStopping:
    """Keeps and measures candidates while a trainer runs; give `at` to it as `on_save`."""

    def __init__(
        self,
        model: Family,
        config: EarlyStoppingConfig,
        loop: LoopConfig,
        *,
        part: str,
        run: Path,
        seed: int,
        held_out: HeldOutCaptions,
        tuning: Sequence[Record],
        tuning_pictures: Shapes,
        held_out_pictures: Shapes,
        faithfulness: Faithfulness,
        noise_offset: float,
    ) -> None:
        """Samples are of the shapes that the pictures of their captions have.

        Raises:
            InputError: candidates that were measured at other shapes.
        """
        self._model, self._config, self._seed = model, config, seed
        self.folder, self._part = candidates_folder(run, model, part), part
        self._steps = [0, *candidate_steps(loop, config.candidates)]
        self._held_out, self._tuning = held_out, list(tuning)[: config.images]
        self._held_out_sizes = held_out_pictures.sizes
        self._tuning_sizes = tuning_pictures.sizes[: config.images]
        refuse_other_shapes(self.folder, self._sizes, model.image_size)
        self._faithfulness = faithfulness
        self._copying = Copying(model, tuning_pictures, held_out_pictures)
        self._losses = {
            "training_loss": _FixedLoss(model, part, tuning, tuning_pictures, noise_offset, seed),
            "held_out_loss": _FixedLoss(
                model, part, held_out.records, held_out_pictures, noise_offset, seed
            ),
        }
        self._trainer: Trainer | None = None

    def watch(self, trainer: Trainer) -> None:
        """Take the weights from this trainer.

        Raises:
            InputError: it spreads them over processes, so that none can sample alone.
        """
        refuse_sharded(trainer, "early_stopping", "set early_stopping.candidates = 0")
        self._trainer = trainer

    def at(self, step: int) -> None:
        """Keep and measure the candidate of this step, if it is one and was not measured yet."""
        assert self._trainer is not None
        if self._trainer.accelerator.is_main_process and step in self._steps:
            measured = {entry["step"] for entry in read_signals(self.folder)}
            if step not in measured:
                with self._trainer.averaged_weights():
                    if step:
                        keep_candidate(self._model, self._part, self.folder, step)
                    entry = self._measure(step)
                self._report(entry)
        self._trainer.accelerator.wait_for_everyone()

    @property
    def prompts(self) -> list[str]:
        """What is sampled at every candidate."""
        return [*self._held_out.captions, *(record.caption for record in self._tuning)]

    def _measure(self, step: int) -> dict[str, Any]:
        held_out = self._samples(self._held_out.captions, self._held_out_sizes, first_seed=1000)
        copies = self._samples([r.caption for r in self._tuning], self._tuning_sizes, 5000)
        fit = MeanWithError.of(self._faithfulness.measure(held_out, self._held_out.captions))
        distance, copied = self._copying.measure(copies)
        write_bytes_atomically(self.folder / f"samples-{step:06d}.png", grid_png(held_out[:16]))
        if self._trainer is not None:
            self._trainer.monitor.pictures(step, "held_out", grid(held_out[:16]))
        return {
            "step": step,
            "faithfulness": fit.mean,
            "faithfulness_error": fit.error,
            "copied_share": float(copied.mean()),
            "nearest_distance": float(distance.median()),
            **{name: loss() for name, loss in self._losses.items()},
        }

    def _samples(
        self, captions: Sequence[str], sizes: Sequence[tuple[int, int]], first_seed: int
    ) -> list[Any]:
        made: dict[int, Any] = {}
        for size in dict.fromkeys(sizes):
            settings = self._settings(size)
            places = [place for place, each in enumerate(sizes) if each == size]
            for start in range(0, len(places), 16):
                part = places[start : start + 16]
                images = self._model.sample(
                    prompts=[captions[place] for place in part],
                    seeds=[first_seed + self._seed + place for place in part],
                    settings=settings,
                )
                made |= dict(zip(part, images, strict=True))
        return [made[place] for place in range(len(captions))]

    def _settings(self, size: tuple[int, int]) -> SamplingSettings:
        settings = SamplingSettings(
            sampler="default",
            steps=self._config.sampler_steps,
            guidance_scale=self._config.guidance_scale,
        )
        if size == self._model.image_size:
            return settings
        return replace(settings, height=size[0], width=size[1])

    @property
    def _sizes(self) -> list[tuple[int, int]]:
        """Height and width of each image that is sampled at a candidate."""
        return [*self._held_out_sizes, *self._tuning_sizes]

    def _report(self, entry: dict[str, Any]) -> None:
        entries = [e for e in read_signals(self.folder) if e["step"] < entry["step"]] + [entry]
        rule = RULE.format(tolerance=self._config.tolerance, rise=self._config.copying_rise)
        captions = len(self._held_out.records)
        content: dict[str, Any] = {
            "rule": rule,
            "held_out_captions": captions,
            "shapes": counted(self._sizes),
            "cautions": cautions(captions, self._config.images),
            "entries": entries,
        }
        if len(entries) > 1:
            content["picked_step"] = pick_step(entries, self._config)
            content["none_fits"] = not fitting_steps(entries, self._config)
        write_json_atomically(self.folder / SIGNALS, content)
        write_bytes_atomically(self.folder / "signals.png", plot(content))


class _FixedLoss:
    """The training loss on the same images, captions and noise every time it is asked."""

    def __init__(
        self,
        model: Family,
        part: str,
        records: Sequence[Record],
        pictures: Shapes,
        noise_offset: float,
        seed: int,
    ) -> None:
        draw = StepDraw.of(seed, "signals", 0, batch_size=128)
        plain = CaptionMix(plain=1.0, keywords=0.0, styled=0.0)
        images = torch.randint(len(records), (draw.batch_size,), generator=draw)
        text = build_captions(records, plain, model.text_encoder).draw(
            images, dropout=0.0, generator=draw
        )
        u = (torch.arange(draw.batch_size) + 0.5) / draw.batch_size
        v = torch.rand(draw.batch_size, generator=draw)
        self._batches = []
        for bucket in pictures.buckets:
            rows, row_of = torch.nonzero(images[:, None] == bucket.places).unbind(dim=1)
            z = _prepared(model, part, bucket.pixels)[row_of]
            shape = model.noise_shape(part, tuple(z.shape[1:]))
            noise = draw.noise(shape, offset=noise_offset, device=model.device)[rows]
            seen = None if bucket.framing is None else bucket.framing[row_of]
            self._batches.append(training_batch(z, text[rows], noise, u[rows], v[rows], seen))
        self._model, self._part = model, part

    @torch.no_grad()
    def __call__(self) -> float:
        each = [self._model.loss(batch, self._part) for batch in self._batches if len(batch["u"])]
        return float(torch.cat(each).mean())


@torch.no_grad()
def _prepared(model: Family, part: str, pixels: Tensor) -> Tensor:
    each = (model.prepare(to_unit_range(p.to(model.device)), part) for p in in_parts(pixels))
    return torch.cat(list(each))


def retrieval_head(
    model: Family,
    everything: Sequence[Record],
    pictures: Shapes,
    held_out: HeldOutCaptions,
    seed: int,
) -> RetrievalHead:
    """Return a head trained on all images but those of the held-out concepts."""
    hidden = {record.concept for record in held_out.records}
    rows = [i for i, record in enumerate(everything) if record.concept not in hidden]
    captions = [everything[i].caption for i in rows]
    return RetrievalHead(model, pictures.at(rows), captions, seed=seed)


def plot(content: dict[str, Any]) -> bytes:
    """Return one page (PNG): loss, faithfulness and copying over steps, the picked step marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    entries = content["entries"]
    steps = [e["step"] for e in entries]
    figure = Figure(figsize=(7, 8), layout="constrained")
    FigureCanvasAgg(figure)
    loss, faith, copy = figure.subplots(3, 1, sharex=True)
    for name in ("training_loss", "held_out_loss"):
        loss.plot(steps, [e[name] for e in entries], marker=".", label=name.replace("_", " "))
    loss.set_ylabel("loss, fixed noise")
    loss.legend()
    faith.errorbar(
        steps, [e["faithfulness"] for e in entries],
        yerr=[e["faithfulness_error"] for e in entries], marker=".", capsize=2,
    )  # fmt: skip
    faith.set_ylabel("retrieval, held-out captions\n(mean reciprocal rank)")
    copy.plot(steps, [e["copied_share"] for e in entries], marker=".", label="copied share")
    copy.plot(
        steps, [e["nearest_distance"] for e in entries], marker=".",
        label="distance to nearest tuning image,\nreal held-out images = 1",
    )  # fmt: skip
    copy.axhline(0.05, linestyle=":", color="grey", label="copied share of real held-out images")
    copy.set_ylabel("copying")
    copy.set_xlabel("step")
    copy.legend()
    for axes in (loss, faith, copy):
        if "picked_step" in content:
            axes.axvline(content["picked_step"], linestyle="--", color="black", linewidth=1)
    title = "Signals of over-fitting; dashed: picked by the rule"
    if content.get("none_fits"):
        title = "Signals of over-fitting; no candidate fits the rule, dashed: the first"
    figure.suptitle(title, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def table(content: dict[str, Any]) -> str:
    """Return the signals of every candidate as lines of text, with what was picked and why."""
    head = "  step   faithfulness    copied  nearest  training  held-out  (losses)"
    lines = [head]
    for e in content["entries"]:
        picked = "*" if e["step"] == content.get("picked_step") else " "
        lines.append(
            f"{picked}{e['step']:>5}  {e['faithfulness']:.3f} ± {e['faithfulness_error']:.3f}  "
            f"{e['copied_share']:>8.2f}  {e['nearest_distance']:>7.2f}  "
            f"{e['training_loss']:>8.4f}  {e['held_out_loss']:>8.4f}"
        )
    if content.get("none_fits"):
        lines.append(
            "* no candidate fits the rule, so the first is taken: look at the samples, and pick "
            f"another where it is better; the rule is: {content['rule']}"
        )
    elif "picked_step" in content:
        lines.append(f"* {content['rule']}")
    if len(shapes := content.get("shapes", {})) > 1:
        counts = ", ".join(f"{count} of {shape}" for shape, count in shapes.items())
        lines.append(f"samples at each candidate, height x width: {counts}")
    return "\n".join([*lines, *content["cautions"]])
