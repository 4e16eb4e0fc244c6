"""Loading a diffusers directory: which files, in which precision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from safetensors import SafetensorError, safe_open

from models_backend.checkpoint_format import PIPELINE_INDEX
from models_backend.errors import CheckpointError, InputError
from models_backend.files import read_json
from models_backend.nn.bars import hide_bars_of_diffusers

_DENOISERS = ("unet", "transformer")
# Eight bits are a way to store weights, not to compute with them.
_HALVES = {
    "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.bfloat16, "F8_E5M2": torch.bfloat16,
}  # fmt: skip
_VARIANT = re.compile(r"(?:diffusion_pytorch_)?model\.(\w+)(?:-\d+-of-\d+)?\.safetensors")
_LOAD_ERRORS = (
    OSError, ValueError, ImportError, TypeError, AttributeError, KeyError, RuntimeError,
    SafetensorError, InputError,
)  # fmt: skip


# Judges images and blackens some: not the model, and not comparable between models.
_JUDGES = ("safety_checker", "feature_extractor")


def left_out(index: dict[str, Any]) -> dict[str, Any]:
    """Return the options by which a pipeline of this model_index.json goes without components.

    Without those its author left out, of which diffusers would ask where they are, and without a
    safety checker: campaigns have a filter of their own, which says what it took out.
    """
    absent = {name for name, source in index.items() if source == [None, None]}
    options: dict[str, Any] = dict.fromkeys(absent | set(_JUDGES) & set(index))
    if "requires_safety_checker" in index:
        options["requires_safety_checker"] = False
    return options


def _refuse_missing(folder: Path, index: dict[str, Any]) -> None:
    """Raise `CheckpointError` where a component that the index names is not there.

    The libraries look for it elsewhere, and fail in words of their own.
    """
    named = [
        name
        for name, source in index.items()
        if isinstance(source, list) and len(source) == 2 and name not in left_out(index)
    ]
    lacking = [name for name in named if not (folder / name).is_dir()]
    if lacking:
        raise CheckpointError(
            f"{folder} lacks {', '.join(lacking)}, which its {PIPELINE_INDEX} names; copy it again"
        )


def load_directory(
    folder: Path,
    device: str,
    *,
    without: Collection[str] = (),
    dtype: torch.dtype | None = None,
) -> Any:
    """Return the pipeline of a directory, on `device`, with nothing fetched and no code run.

    Components in `without` are not loaded now: None stands in their place. Without `dtype` the
    precision is `loading_precision`.

    Raises:
        CheckpointError: a component is missing, or diffusers cannot load it.
    """
    hide_bars_of_diffusers()
    try:
        index = read_json(folder / PIPELINE_INDEX)
        _refuse_missing(folder, index)
        precision = dtype or loading_precision(_denoiser_files(folder), device)
        pipeline = DiffusionPipeline.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False,
            variant=variant_of(folder), dtype=precision,
            **left_out(index), **dict.fromkeys(without),
        ).to(device)  # fmt: skip
    except _LOAD_ERRORS as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckpointError(f"{folder} is not a pipeline diffusers can load: {reason}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def loading_precision(files: list[Path], device: str) -> torch.dtype:
    """Return the precision to load a pipeline in: on a GPU, the one most weights of `files` have.

    One for all parts, since pipelines hand tensors from part to part. On a CPU always float32: half
    precision is slower there, and float32 holds every half-precision weight exactly.

    Raises:
        SafetensorError: a file is no safetensors file.
    """
    if device.startswith("cpu"):
        return torch.float32
    stored: Counter[str] = Counter()
    for path in files:
        with safe_open(path, "pt") as file:
            stored.update(file.get_slice(key).get_dtype() for key in file.keys())  # noqa: SIM118
    (most, _count), *_rest = stored.most_common(1) or [("F32", 0)]
    return _HALVES.get(most, torch.float32)


def _denoiser_files(folder: Path) -> list[Path]:
    paths = [path for name in _DENOISERS for path in (folder / name).glob("*.safetensors")]
    variant = variant_of(folder)
    # Beside the full weights a directory may hold half-precision ones, which are not loaded.
    chosen = [path for path in paths if _variant_of(path) == variant]
    return sorted(chosen or paths)


def variant_of(folder: Path) -> str | None:
    """Return `fp16` or the like where a component has its weights in that variant alone.

    diffusers then takes the plain weights of components that lack the variant.
    """
    for component in sorted(path for path in folder.iterdir() if path.is_dir()):
        variant = component_variant(component)
        if variant is not None:
            return variant
    return None


def component_variant(folder: Path) -> str | None:
    """Return the variant of a component that has no plain weights; None of one that has."""
    found = {_variant_of(path) for path in folder.glob("*.safetensors")}
    named = sorted(variant for variant in found if variant is not None)
    return named[0] if named and None not in found else None


def loaded_weights(folder: Path) -> list[Path]:
    """Return the safetensors of a component that are loaded: of one variant, or plain."""
    variant = component_variant(folder)
    return sorted(path for path in folder.glob("*.safetensors") if _variant_of(path) == variant)


def _variant_of(path: Path) -> str | None:
    match = _VARIANT.fullmatch(path.name)
    return match[1] if match else None
