"""What the study measures of each model's samples, and how it says it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_backend.measures.bootstrap import mean_interval
from models_backend.measures.frechet import frechet_distance
from models_backend.nn.adversary import GaborFeatures
from models_backend.nn.pixels import to_unit_range
from models_backend.studies.quality_tuning.judge import PictureJudge, retrieve

MEASURES = {
    "style": "probability of the style, by the judge",
    "top1": "text faithfulness: the nearest held-out drawing is of the caption's thing",
    "diversity": "mean distance of Gabor features between samples of one caption (not LPIPS)",
}
DISTANCE = (
    "Fréchet distance of Gabor energies to real drawings of the style; less is nearer. It sees "
    "blur as much as style, and is not FDD, which needs DINO's weights"
)
BASELINES = ("style alone", "content, then style")
_PART = 64


def measure(
    images: Tensor, judge: PictureJudge, references: Tensor, style: str
) -> dict[str, NDArray[np.floating]]:
    """Return what is measured of images (C S, 3, H, W) bytes, S of each of C captions in order.

    `style` and `top1` are of each image (C S,), `diversity` of each caption (C,), and `energies`
    (C S, D) is what the style distance is made of. `references` are C drawings, one a caption.
    """
    x, captions = to_unit_range(images), len(references)
    each = len(images) // captions
    ranks = retrieve(judge.embed(x), judge.embed(to_unit_range(references)))
    wanted = torch.arange(captions).repeat_interleave(each)
    gabor = GaborFeatures()
    by_caption = x.unflatten(0, (captions, each))
    pairs = [
        gabor.distance(by_caption[:, i], by_caption[:, j]) for i, j in combinations(range(each), 2)
    ]
    return {
        "style": judge.probability(x, style).numpy(),
        "top1": (ranks[:, 0] == wanted).float().numpy(),
        "diversity": torch.stack(pairs).mean(dim=0).numpy(),
        "energies": energies(images),
    }


def energies(images: Tensor) -> NDArray[np.floating]:
    """Return Gabor energies (N, D) of bytes (N, 3, H, W)."""
    gabor = GaborFeatures()
    return torch.cat([gabor.energies(to_unit_range(p)) for p in images.split(_PART)]).numpy()


def summarise(
    measured: dict[str, dict[str, NDArray[np.floating]]],
    real: NDArray[np.floating],
    captions: Sequence[str],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Return each measure of each model with its interval over captions, and its style distance.

    `real`: energies (N, D) of real drawings in the style. The distance is of all samples at once;
    it has no interval, since one of fewer different samples is larger.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, Any]] = {}
    for name, values in measured.items():
        each = len(values["style"]) // len(captions)
        groups = [caption for caption in captions for _ in range(each)]
        found[name] = {
            "style": asdict(mean_interval(values["style"], groups, rng)),
            "top1": asdict(mean_interval(values["top1"], groups, rng)),
            "diversity": asdict(mean_interval(values["diversity"], captions, rng)),
            "style_distance": frechet_distance(values["energies"], real),
        }
    return found


def beats(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a model is at least as good in style and faithfulness (means), and not equal."""
    mine, theirs = ([each[key]["mean"] for key in ("style", "top1")] for each in (one, other))
    return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))


def front(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the models that no other beats in both style and faithfulness."""
    return [
        name
        for name, mine in models.items()
        if not any(beats(other, mine) for other in models.values())
    ]


def conclusion(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return whether the paper's picture appears: a tailored model that no baseline beats."""
    kept = [name for name in front(models) if name.startswith("tailored")]
    if not kept:
        return (
            "Every tailored model is beaten by another in both style and faithfulness: the paper's "
            "picture does not appear here."
        )
    beaten = [
        name
        for name in models
        if name in BASELINES and any(beats(models[each], models[name]) for each in kept)
    ]
    text = f"Not beaten in both style and faithfulness: {', '.join(kept)}. "
    if beaten:
        return text + f"Beaten in both by one of these: {', '.join(beaten)}."
    return text + "None of them beats a baseline in both: they lie between, on a trade-off."


def render(results: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    models = results["models"]
    head = [*MEASURES, "style distance"]
    lines = ["| model | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for name, values in models.items():
        cells = " | ".join(
            f"{values[key]['mean']:.3f} [{values[key]['low']:.3f}, {values[key]['high']:.3f}]"
            for key in MEASURES
        )
        lines.append(f"| {name} | {cells} | {values['style_distance']:.2f} |")
    meanings = MEASURES | {"style distance": DISTANCE}
    lines += ["", *(f"- {name}: {meaning}" for name, meaning in meanings.items()), ""]
    lines += [
        conclusion(models),
        "",
        f"{results['captions']} held-out captions, {results['samples_per_caption']} samples each; "
        f"{results['steps']} steps a model; {results['content_images']} content and "
        f"{results['style_images']} style images. Intervals are 95 %, over captions; they do not "
        "cover other training seeds, and what is said of who beats whom goes by the means. People "
        "were not asked. The paper's split could not be confirmed, so several stand here.",
    ]
    return "\n".join(lines) + "\n"


def plot(models: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return a PNG: faithfulness over style, each with its interval; size is diversity."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    largest = max(each["diversity"]["mean"] for each in models.values())
    for name, each in models.items():
        x, y = each["style"], each["top1"]
        colour = "#b45309" if name.startswith("tailored") else "#475569"
        axes.errorbar(
            [x["mean"]], [y["mean"]],
            xerr=[[x["mean"] - x["low"]], [x["high"] - x["mean"]]],
            yerr=[[y["mean"] - y["low"]], [y["high"] - y["mean"]]],
            color=colour, alpha=0.35, linewidth=1,
        )  # fmt: skip
        size = 30 + 170 * each["diversity"]["mean"] / largest
        axes.scatter([x["mean"]], [y["mean"]], s=size, color=colour, zorder=3)
        axes.annotate(name, (x["mean"], y["mean"]), xytext=(9, 6), textcoords="offset points")
    axes.set_xlabel("style (probability of the style set's, by the judge)")
    axes.set_ylabel("text faithfulness (top 1)")
    axes.set_title("Style against faithfulness; larger points are more diverse", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
