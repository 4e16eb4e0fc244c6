"""What a study measures of its models' samples, and how it says it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models_backend.measures.bootstrap import mean_interval
from models_backend.measures.pixels import background_dirt, sharpness
from models_backend.nn.pixels import to_unit_range
from models_backend.sampling.contact_sheet import contact_sheet
from models_backend.studies.quality_tuning.holdout import HeldOutPictures
from models_backend.studies.quality_tuning.judge import PictureJudge, retrieve

MEASURES = {
    "style": "probability of the tuning images' style, by the judge",
    "sharpness": "mean absolute Laplacian",
    "dirt": "distance of the rim from white; less is cleaner",
    "top1": "the nearest held-out drawing is of the caption's thing",
    "top5": "it is among the five nearest",
}
PAIRS = (
    ("quality_tuned", "pretrained"),
    ("quality_tuned", "baseline"),
    ("pretrained", "baseline"),
)
_SHEET_ROWS = 10


def measure(
    images: Tensor, judge: PictureJudge, held: HeldOutPictures, references: Tensor
) -> dict[str, Any]:
    """Return each measure of each image, for images (C S, 3, H, W) bytes: S a caption, in order."""
    x = to_unit_range(images)
    wanted = torch.arange(len(held.references)).repeat_interleave(
        len(images) // len(held.references)
    )
    ranks = retrieve(judge.embed(x), judge.embed(to_unit_range(references)))
    hits = ranks == wanted[:, None]
    return {
        "style": judge.probability(x, held.tuning_style).numpy(),
        "sharpness": sharpness(x).numpy(),
        "dirt": background_dirt(x).numpy(),
        "top1": hits[:, 0].float().numpy(),
        "top5": hits[:, :5].any(dim=1).float().numpy(),
    }


def judge_the_judge(
    judge: PictureJudge, held: HeldOutPictures, references: Tensor, training: Tensor
) -> dict[str, float]:
    """Return what the judge can tell of real drawings: the most a sample could reach."""
    x = to_unit_range(references)
    tuned = np.array([record.style == held.tuning_style for record in held.references])
    right = (judge.probability(x, held.tuning_style).numpy() > 0.5) == tuned
    concepts = {record.concept: index for index, record in enumerate(held.references)}
    rows = [i for i, record in enumerate(held.training) if record.concept in concepts]
    wanted = torch.tensor([concepts[held.training[i].concept] for i in rows])
    ranks = retrieve(judge.embed(to_unit_range(training[rows])), judge.embed(x))
    return {
        "style_accuracy": float(right.mean()),
        "style_by_guessing": float(max(tuned.mean(), 1 - tuned.mean())),
        "top1_of_real_drawings": float((ranks[:, 0] == wanted).float().mean()),
        "chance": 1 / len(held.references),
    }


def compare(
    measured: dict[str, dict[str, Any]],
    captions: Sequence[str],
    seed: int,
    pairs: Sequence[tuple[str, str]] = PAIRS,
) -> dict[str, Any]:
    """Return means by model and differences by pair, each with its interval over captions."""
    rng = np.random.default_rng(seed)
    number = len(next(iter(measured.values()))["style"])
    groups = [caption for caption in captions for _ in range(number // len(captions))]
    models = {
        role: {name: asdict(mean_interval(values[name], groups, rng)) for name in MEASURES}
        for role, values in measured.items()
    }
    differences = []
    for better, other in pairs:
        if not {better, other} <= measured.keys():
            continue
        row: dict[str, Any] = {"first": better, "second": other}
        for name in MEASURES:
            gap = measured[better][name] - measured[other][name]
            interval = mean_interval(gap, groups, rng)
            row[name] = asdict(interval) | {"above_zero": interval.verdict()}
        differences.append(row)
    return {"models": models, "differences": differences}


def faithfulness_beside_chance(
    measured: dict[str, dict[str, Any]], captions: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return by model how far `top1` lies above guessing, in standard errors over captions.

    Guessing finds one of as many drawings as there are captions. Without any spread between
    captions there is no standard error, and the distance is None.
    """
    chance = 1 / len(captions)
    found = {}
    for role, values in measured.items():
        means = np.asarray(values["top1"], np.float64).reshape(len(captions), -1).mean(axis=1)
        error = float(means.std(ddof=1) / np.sqrt(len(means)))
        above = (float(means.mean()) - chance) / error if error else None
        found[role] = {"top1": float(means.mean()), "standard_error": error, "above": above}
    return found


def conclusion(results: dict[str, Any]) -> str:
    """Return what became of the paper's direction: more appeal, no less faithfulness."""
    row = results["differences"][0]
    style, faithful = row["style"]["above_zero"], row["top1"]["above_zero"]
    appeal = {
        "yes": "Quality-tuning moved the samples towards the tuning images' style",
        "no": "Quality-tuning moved the samples away from the tuning images' style",
        "cannot be told": "Whether quality-tuning moved the style cannot be told",
    }[style]
    text = {
        "yes": "text faithfulness rose",
        "no": "text faithfulness fell",
        "cannot be told": "a change of text faithfulness cannot be told from chance",
    }[faithful]
    agrees = style == "yes" and faithful != "no"
    return (
        f"{appeal}; {text}. The paper reports much more appeal and somewhat more faithfulness: "
        f"this {'does not contradict' if agrees else 'does not show'} it."
    )


def render(results: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = tables(results)
    lines += ["", *(f"- {name}: {meaning}" for name, meaning in MEASURES.items()), ""]
    judge = results["judge"]
    lines += [
        conclusion(results),
        "",
        "What the judge can tell: of the held-out drawings, which it was not trained on, it tells "
        f"the tuning images' style from the others in {judge['style_accuracy']:.0%} (the more "
        f"frequent answer alone: {judge['style_by_guessing']:.0%}). The real training drawings of "
        "the same things retrieve their held-out drawing in another style "
        f"{judge['top1_of_real_drawings']:.0%} of the time; chance is {judge['chance']:.1%}.",
        "",
        _beside_chance(results["faithfulness"], judge["chance"]),
        "",
        f"{results['captions']} held-out captions, {results['samples_per_caption']} samples each, "
        f"{results['budget']}. Intervals are 95 %, over captions; they do not cover other training "
        "seeds. The style is a proxy: people were not asked.",
    ]
    if results["references_were_trained_on"]:
        lines.append(
            "These checkpoints may have been trained on the drawings used as references here; only "
            "the captions' wording is held out."
        )
    return "\n".join(lines) + "\n"


def tables(results: dict[str, Any]) -> list[str]:
    """Return the lines of two Markdown tables: each model, and each difference of two."""
    lines = ["| model | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    for role, values in results["models"].items():
        lines.append(f"| {role} | " + " | ".join(_cell(values[name]) for name in MEASURES) + " |")
    lines += ["", "| difference | " + " | ".join(MEASURES) + " |"]
    lines.append("|---" * (len(MEASURES) + 1) + "|")
    for row in results["differences"]:
        cells = " | ".join(_cell(row[name]) for name in MEASURES)
        lines.append(f"| {row['first']} - {row['second']} | {cells} |")
    return lines


def _beside_chance(faithfulness: dict[str, dict[str, Any]], chance: float) -> str:
    each = []
    for role, found in faithfulness.items():
        distance = "no spread to tell by"
        if found["above"] is not None:
            distance = f"{found['above']:+.1f} standard errors"
        each.append(f"{role} {found['top1']:.3f} ({distance})")
    return (
        f"top1 beside a chance of {chance:.3f}, standard errors over captions: {', '.join(each)}."
    )


def _cell(values: dict[str, Any]) -> str:
    return f"{values['mean']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"


def sheet(held: HeldOutPictures, references: Tensor, samples: dict[str, Tensor]) -> bytes:
    """Return a PNG: held-out drawings beside each model's first sample of their captions."""
    step = max(1, len(held.references) // _SHEET_ROWS)
    rows = list(range(0, len(held.references), step))[:_SHEET_ROWS]
    pictures = {(i, 0): _picture(references[row]) for i, row in enumerate(rows)}
    for column, images in enumerate(samples.values(), start=1):
        each = len(images) // len(held.references)
        pictures |= {(i, column): _picture(images[row * each]) for i, row in enumerate(rows)}
    made = contact_sheet(
        [held.captions[row] for row in rows], ["held-out drawing", *samples], pictures
    )
    buffer = io.BytesIO()
    made.save(buffer, "PNG")
    return buffer.getvalue()


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())
