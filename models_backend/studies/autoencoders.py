"""Compare AE-4, AE-8, AE-16 and Fourier-AE-16 under one budget, as Emu's Table 1 does.

Usage::

    python -m models_backend.studies.autoencoders [--data DIR] [--out DIR] [--steps N]

Every one is trained on the same batches from the same seed and measured on images of held-out
concepts. Interrupted, the same command goes on. `--out` gets results.json, table.md,
reconstructions.png and each model's weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.losses import AutoencoderLossConfig
from models_backend.data.dataset import load_images
from models_backend.data.manifest import Record, manifest_sha256, read_records
from models_backend.data.tuning import held_out_concepts
from models_backend.errors import run_cli
from models_backend.files import (
    read_json,
    write_bytes_atomically,
    write_json_atomically,
)
from models_backend.measures.bootstrap import Interval, mean_interval
from models_backend.measures.frechet import frechet_distance
from models_backend.measures.pixels import psnr, ssim
from models_backend.nn.adversary import GaborFeatures
from models_backend.nn.architecture import AutoencoderConfig
from models_backend.nn.autoencoder import Autoencoder
from models_backend.nn.pixels import to_unit_range
from models_backend.recipes.autoencoder import train_autoencoder
from models_backend.sampling.contact_sheet import contact_sheet
from models_backend.training import run_folder

FEATURES = "Gabor energies (36: 3 scales, 3 colours, 4 orientations; fixed, not FID's)"
HELD_OUT_SHARE = 0.15
_SHEET_ROWS = 8
_BATCH = 32


@dataclass(frozen=True)
class Ablation:
    """One budget for all four."""

    steps: int = 3000
    batch_size: int = 16
    learning_rate: float = 2e-3
    seed: int = 0
    factor: int = 8
    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """Of Fourier-AE-16; the paper does not state its own."""
    perceptual_weight: float = 0.0
    adversarial_weight: float = 0.0
    """Joins in after half of the steps."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        self.variants(), self.loop(), self.losses()

    def variants(self) -> dict[str, AutoencoderConfig]:
        """Return the architectures by name, in the paper's order from worst to best."""
        plain = AutoencoderConfig(factor=self.factor)
        named = {f"AE-{z}": dataclasses.replace(plain, latent_channels=z) for z in (4, 8, 16)}
        lifted = dataclasses.replace(
            plain, latent_channels=16, fourier_frequencies=self.frequencies
        )
        return named | {"Fourier-AE-16": lifted}

    def loop(self) -> LoopConfig:
        return LoopConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            warmup_steps=min(60, self.steps // 10),
            ema_decay=0.995 if self.steps >= 1000 else 0.9,
        )

    def losses(self) -> AutoencoderLossConfig:
        return AutoencoderLossConfig(
            perceptual_weight=self.perceptual_weight,
            adversarial_weight=self.adversarial_weight,
            adversarial_start=self.steps // 2,
        )


@dataclass(frozen=True)
class Data:
    """Pictures to train on, and those of other concepts to measure on."""

    train: Tensor
    held_out: Tensor
    records: list[Record]
    """Of the held-out pictures."""


def split(folder: Path, seed: int) -> Data:
    """Return the data set divided by concept, so that no drawing of a held-out thing was seen.

    Raises:
        InputError: unusable data, or too few concepts to hold any out.
    """
    records = read_records(folder)
    held = held_out_concepts(records, HELD_OUT_SHARE, seed)
    with Image.open(folder / records[0].file) as first:
        size = first.width
    pictures = load_images(folder, records, size)
    mask = torch.tensor([record.concept in held for record in records])
    return Data(pictures[~mask], pictures[mask], [r for r in records if r.concept in held])


# -- one variant ----------------------------------------------------------------------------------


def train_variant(config: AutoencoderConfig, ablation: Ablation, data: Data, run: Path) -> None:
    """Train to `run`/weights.safetensors, or find it there."""
    weights = run / "weights.safetensors"
    if weights.exists():
        return
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(ablation.seed)
    autoencoder = Autoencoder(config)
    train_autoencoder(
        autoencoder,
        data.train,
        loop=ablation.loop(),
        losses=ablation.losses(),
        seed=ablation.seed,
        run=run,
    )
    partial = run / ".weights.partial"
    save_file({name: t.contiguous() for name, t in autoencoder.state_dict().items()}, partial)
    partial.replace(weights)
    run_folder.remove_resume_points(run)


@torch.no_grad()
def reconstruct(config: AutoencoderConfig, run: Path, pictures: Tensor) -> Tensor:
    """Return reconstructions, (N, 3, H, W) in [-1, 1], through the latents' means."""
    autoencoder = Autoencoder(config).eval()
    autoencoder.load_state_dict(load_file(run / "weights.safetensors"))
    parts = [
        autoencoder.decode(autoencoder.encode(to_unit_range(part))[0]).clamp(-1, 1)
        for part in pictures.split(_BATCH)
    ]
    return torch.cat(parts)


@torch.no_grad()
def features(images: Tensor) -> Any:
    """Return vectors (4 N, 36) of the images' quarters: what the Fréchet distance compares."""
    half = images.shape[2] // 2
    quarters = [images[:, :, y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
    return GaborFeatures().energies(torch.cat(quarters)).numpy()


# -- the comparison -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One variant on the held-out images."""

    psnr: list[float]
    ssim: list[float]
    frechet: float


def measure(x: Tensor, y: Tensor) -> Measured:
    return Measured(
        psnr(x, y).tolist(), ssim(x, y).tolist(), frechet_distance(features(x), features(y))
    )


def compare(measured: dict[str, Measured], records: Sequence[Record], seed: int) -> list[dict]:
    """Return each step of the paper's order: is the later one better, by which measure?"""
    rng = np.random.default_rng(seed)
    concepts = [record.concept for record in records]
    names, rows = list(measured), []
    for worse, better in itertools.pairwise(names):
        a, b = measured[worse], measured[better]
        row: dict[str, Any] = {"better": better, "worse": worse}
        for name in ("psnr", "ssim"):
            gain = np.subtract(getattr(b, name), getattr(a, name))
            interval = mean_interval(gain, concepts, rng)
            row[name] = asdict(interval) | {"verdict": interval.verdict()}
        row["frechet"] = {"difference": b.frechet - a.frechet}
        row["frechet"]["verdict"] = "yes" if b.frechet < a.frechet else "no"
        rows.append(row)
    return rows


def render(measured: dict[str, Measured], comparisons: list[dict], ablation: Ablation) -> str:
    """Return the tables and the conclusion, as Markdown."""
    lines = ["| model | PSNR, dB | SSIM | Fréchet distance* |", "|---|---|---|---|"]
    for name, each in measured.items():
        means = f"{np.mean(each.psnr):.2f} | {np.mean(each.ssim):.4f} | {each.frechet:.3f}"
        lines.append(f"| {name} | {means} |")
    lines += ["", f"\\* on {FEATURES}", ""]
    lines += ["| the paper's order | PSNR gain, dB | SSIM gain | Fréchet |", "|---|---|---|---|"]
    for row in comparisons:
        cells = [f"{_interval(row[name])}: {row[name]['verdict']}" for name in ("psnr", "ssim")]
        lines.append(
            f"| {row['better']} better than {row['worse']}? | {' | '.join(cells)} | "
            f"{row['frechet']['verdict']} |"
        )
    number = len(next(iter(measured.values())).psnr)
    lines += [
        "",
        conclusion(comparisons),
        "",
        f"{ablation.steps} steps of {ablation.batch_size} images each, seed {ablation.seed}; "
        f"{number} held-out images. Intervals are 95 %, over held-out concepts; they do not cover "
        "other training seeds.",
    ]
    return "\n".join(lines) + "\n"


def _interval(values: dict[str, Any]) -> Interval:
    return Interval(values["mean"], values["low"], values["high"])


def conclusion(comparisons: list[dict]) -> str:
    """Return one sentence: whether the paper's order appears."""
    missing = [
        f"{row['better']} over {row['worse']} by {name.upper()} ({row[name]['verdict']})"
        for row in comparisons
        for name in ("psnr", "ssim")
        if row[name]["verdict"] != "yes"
    ]
    missing += [
        f"{row['better']} over {row['worse']} by Fréchet distance"
        for row in comparisons
        if row["frechet"]["verdict"] == "no"
    ]
    if not missing:
        return "The paper's order appears: more channels are better, Fourier features better still."
    return f"The paper's order does not appear in full. Missing: {'; '.join(missing)}."


def run(ablation: Ablation, data_folder: Path, out: Path, *, fresh: bool) -> str:
    """Train what is missing, measure, write the report and return its text.

    Raises:
        InputError: unusable data, or a folder that holds something else.
    """
    data = split(data_folder, ablation.seed)
    identity = {
        "ablation": asdict(ablation),
        "data_manifest_sha256": manifest_sha256(data_folder),
    }
    run_folder.check(out, identity, fresh=fresh, resume=False, needed=[data_folder])
    with run_folder.locked(out):
        run_folder.claim(out, identity, fresh=fresh)
        variants = ablation.variants()
        for number, name in enumerate(variants, start=1):
            print(f"{name} ({number} of {len(variants)})", file=sys.stderr)
            train_variant(variants[name], ablation, data, out / name)
        return _report(ablation, variants, data, out)


def _report(
    ablation: Ablation, variants: dict[str, AutoencoderConfig], data: Data, out: Path
) -> str:
    x = to_unit_range(data.held_out)
    images = {
        name: reconstruct(config, out / name, data.held_out) for name, config in variants.items()
    }
    measured = {name: measure(x, y) for name, y in images.items()}
    comparisons = compare(measured, data.records, ablation.seed)
    text = render(measured, comparisons, ablation)
    results = {
        "ablation": asdict(ablation),
        "features": FEATURES,
        "models": {
            name: {
                "psnr": float(np.mean(each.psnr)),
                "ssim": float(np.mean(each.ssim)),
                "frechet": each.frechet,
                "parameters": sum(p.numel() for p in Autoencoder(variants[name]).parameters()),
            }
            for name, each in measured.items()
        },
        "comparisons": comparisons,
        "conclusion": conclusion(comparisons),
        "environment": read_json(out / run_folder.ENVIRONMENT_FILE),
    }
    write_json_atomically(out / "results.json", results)
    write_bytes_atomically(out / "table.md", text.encode())
    write_bytes_atomically(out / "reconstructions.png", _sheet(data, x, images))
    return text


def _sheet(data: Data, x: Tensor, images: dict[str, Tensor]) -> bytes:
    columns = {"original": x, **images}
    step = max(1, len(x) // _SHEET_ROWS)
    chosen = list(range(0, len(x), step))[:_SHEET_ROWS]
    pictures = {
        (row, column): _picture(tensor[index])
        for row, index in enumerate(chosen)
        for column, tensor in enumerate(columns.values())
    }
    titles = [f"{data.records[i].caption} ({data.records[i].style})" for i in chosen]
    buffer = io.BytesIO()
    contact_sheet(titles, list(columns), pictures).save(buffer, "PNG")
    return buffer.getvalue()


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    default = Ablation()
    parser = argparse.ArgumentParser(
        prog="models_backend.studies.autoencoders",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("var/data/emoji"))
    parser.add_argument("--out", type=Path, default=Path("var/ablate-autoencoder"))
    parser.add_argument("--steps", type=int, default=default.steps, help="of each model")
    parser.add_argument("--batch-size", type=int, default=default.batch_size)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--factor", type=int, default=default.factor, help="2, 4 or 8")
    parser.add_argument("--perceptual", type=float, default=default.perceptual_weight)
    parser.add_argument("--adversarial", type=float, default=default.adversarial_weight)
    parser.add_argument("--fresh", action="store_true", help="discard what --out holds")
    options = parser.parse_args(argv)

    def work() -> None:
        ablation = Ablation(
            steps=options.steps,
            batch_size=options.batch_size,
            seed=options.seed,
            factor=options.factor,
            perceptual_weight=options.perceptual,
            adversarial_weight=options.adversarial,
        )
        print(run(ablation, options.data, options.out, fresh=options.fresh))
        print(json.dumps({"results": str(options.out / "results.json")}))

    return run_cli(work)


if __name__ == "__main__":
    sys.exit(main())
