"""The model card of a checkpoint: what it is, what it was trained on, how, and from what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

LORA = "pytorch_lora_weights.safetensors"
"""As diffusers calls an adapter's file."""


def model_card(metadata: dict[str, Any], folder: Path) -> str:
    """Return the README.md of a checkpoint directory, in Markdown.

    Args:
        metadata: of `metadata.json`.
        folder: the files already written; they tell which parts other programs can load.
    """
    family, role = metadata["family"].replace("_", " "), metadata["role"].replace("_", "-")
    height, width = metadata["image_size"]
    sections = [
        [
            f"# {metadata['name']}",
            f"A text-to-image model, {family} ({role}), for images of {width} x {height} pixels.",
        ],
        ["## Data and licences", *_data(metadata)],
        ["## Lineage", *_lineage(metadata)],
        ["## Settings", "\n".join(_settings(metadata["training"].get("config", {})))],
        ["## Loading", *_loading(metadata, folder)],
        [
            "## Limits",
            "It knows what its training images show and no more; it was not checked for bias or "
            "for unwanted content beyond the choice of those images.",
        ],
    ]
    return "\n\n".join(text for section in sections for text in section if text) + "\n"


def _data(metadata: dict[str, Any]) -> list[str]:
    training = metadata["training"]
    return [
        f"- {training['images']} images with captions; data manifest sha256 "
        f"`{training['data_manifest_sha256']}`\n"
        f"- licences of the training images: {', '.join(metadata['licences'])}; keep to them and "
        "name their makers where they ask for it"
    ]


def _lineage(metadata: dict[str, Any]) -> list[str]:
    training, parent = metadata["training"], metadata["parent_sha256"]
    lines = ["Trained from nothing."]
    if parent:
        lines = [f"Tuned from the checkpoint with content sha256 `{parent}`."]
    if "kept_parts" in training:
        lines.append(
            f"Kept as they are: {', '.join(training['kept_parts'])} of the checkpoint with content "
            f"sha256 `{training['kept_from_sha256']}`; what is set to train them was not used."
        )
    if "tuning_images_sha256" in training:
        lines.append(f"Tuning images: sha256 `{training['tuning_images_sha256']}`.")
    lines.append(
        f"Recipe {training['recipe']}, seed {training['seed']}, code {training['code_version']}; "
        f"this checkpoint's content sha256 is `{metadata['sha256']}`."
    )
    return [" ".join(lines)]


def _settings(config: dict[str, Any]) -> Iterator[str]:
    if config:
        yield "| setting | value |"
        yield "|---|---|"
        yield from (f"| {name} | {value} |" for name, value in _flat(config, ""))


def _flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, list(value) if isinstance(value, tuple) else value


def _loading(metadata: dict[str, Any], folder: Path) -> list[str]:
    parts = [
        "`models_backend.checkpoints.load_pipeline` loads it whole. Weights are in "
        + ("the parent's precision." if "pipeline" in metadata["config"] else "half precision.")
    ]
    if (folder / "model_index.json").exists():
        kind = metadata["config"].get("pipeline", "StableDiffusionPipeline")
        parts.append(
            f"`diffusers.DiffusionPipeline.from_pretrained` loads it too, as a {kind} that makes "
            "the same images."
        )
        if (folder / LORA).exists():
            parts.append(
                f"`{LORA}` is the adapter alone: `load_lora_weights` adds it to the parent, not to "
                "this pipeline, whose weights hold it already."
            )
    elif (folder / "unet" / "config.json").exists():
        readable = ["`unet` as UNet2DConditionModel", "`scheduler`"]
        if (folder / "vae").exists():
            readable.append("`vae` as AutoencoderKL")
        parts.append(
            f"diffusers reads {', '.join(readable)}; it has no pipeline for the whole of it."
        )
    encoders = metadata["config"].get("text", {}).get("encoders", [])
    if encoders:
        named = ", ".join(f"{each['name']} (sha256 `{each['sha256']}`)" for each in encoders)
        parts.append(f"Captions are read by {named}, which must be at hand.")
    return parts
