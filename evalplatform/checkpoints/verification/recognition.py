"""Naming what people bring that is no checkpoint of its own: a refusal gives the way out."""

import re
from collections.abc import Collection
from pathlib import Path

from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import METADATA, PIPELINE_INDEX, SINGLE_FILE_CONFIG

_LORA = re.compile(r"(^|[._])lora_|\.lora\.|\.hada_w|\.lokr_w")
_DENOISERS = {"unet": "U-Net", "transformer": "transformer"}
_DENOISER_TENSORS = {"down_blocks.": "U-Net", "transformer_blocks.": "transformer"}
_STEPS = re.compile(r"checkpoint-\d+")
_OF_A_RUN = {"logs", "runs", "wandb"}


def refuse_another_kind(directory: Path) -> None:
    """Refuse a directory that is known to be something else than a whole checkpoint.

    Raises `BadInputError` that says what it is: a LoRA, a denoiser alone, a training run's output.
    """
    inside = sorted(directory.iterdir())
    names = {path.name for path in inside}
    if METADATA in names or SINGLE_FILE_CONFIG in names:
        return
    if PIPELINE_INDEX in names:
        _refuse_output_of_a_run(directory, inside)
        return
    for path in inside:
        if path.suffix.lower() == ".safetensors" and path.is_file():
            refuse_partial(path.name, read_header(path, path.name).names)
    for name, what in _DENOISERS.items():
        if any((directory / name).glob("*.safetensors")):
            raise _alone(f"{directory}", what)


def refuse_partial(name: str, tensors: Collection[str]) -> None:
    """Refuse weights that change or complete a base model. Raises `BadInputError`."""
    if any(_LORA.search(tensor) for tensor in tensors):
        raise BadInputError(
            f"{name} is a LoRA, which changes a base model and draws nothing alone: give its base "
            "too.",
            by_command="--base names it.",
        )
    for begins, what in _DENOISER_TENSORS.items():
        if any(tensor.startswith(begins) for tensor in tensors):
            raise _alone(name, what)


def _alone(name: str, what: str) -> BadInputError:
    return BadInputError(
        f"{name} holds a {what} alone, without text encoder and autoencoder: give the checkpoint "
        "that it belongs to as its base, or the whole pipeline's directory.",
        by_command="--base names the base.",
    )


def _refuse_output_of_a_run(directory: Path, inside: list[Path]) -> None:
    steps = [path.name for path in inside if path.is_dir() and _STEPS.fullmatch(path.name)]
    if steps:
        beside = steps + [path.name for path in inside if path.name in _OF_A_RUN]
        raise BadInputError(
            f"{directory} is the output folder of a training run: beside the pipeline it holds "
            f"{', '.join(beside[:5])}{' and more' if len(beside) > 5 else ''}. Move these "
            "elsewhere and register what is left; for the weights of a step, give its base "
            "too.",
            by_command="--base names it.",
        )
