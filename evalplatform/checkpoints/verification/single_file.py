"""One safetensors file in a model's original layout, beside a pipeline's configurations.

`model.safetensors` holds several components, told apart by how their tensors' names begin;
`config/` is a diffusers pipeline without the weights that the file has.
"""

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any

from evalplatform.checkpoints.verification.configs import named_components
from evalplatform.checkpoints.verification.recognition import refuse_partial
from evalplatform.checkpoints.verification.weight_files import is_weight
from evalplatform.checkpoints.verification.wording import listed, shown
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import (
    SINGLE_FILE_CONFIG,
    SINGLE_FILE_INDEX,
    SINGLE_FILE_WEIGHTS,
)

WEIGHTS = SINGLE_FILE_WEIGHTS
CONFIG = SINGLE_FILE_CONFIG
INDEX = SINGLE_FILE_INDEX

_Prefixes = dict[str, tuple[str, ...]]
_LATENT: _Prefixes = {"vae": ("first_stage_model.", "vae.")}
_STABLE: _Prefixes = _LATENT | {
    "unet": ("model.diffusion_model.",),
    "text_encoder": ("cond_stage_model.",),
}
# How the names of a component's tensors begin, for every pipeline that diffusers reads this way.
PREFIXES: dict[str, _Prefixes] = {
    "StableDiffusionPipeline": _STABLE,
    "LatentConsistencyModelPipeline": _STABLE,
    "StableDiffusionXLPipeline": _LATENT
    | {
        "unet": ("model.diffusion_model.",),
        "text_encoder": ("conditioner.embedders.0.",),
        "text_encoder_2": ("conditioner.embedders.1.",),
    },
    "StableDiffusion3Pipeline": _LATENT
    | {
        "transformer": ("model.diffusion_model.",),
        "text_encoder": ("text_encoders.clip_l.",),
        "text_encoder_2": ("text_encoders.clip_g.",),
        "text_encoder_3": ("text_encoders.t5xxl.",),
    },
    "FluxPipeline": _LATENT
    | {
        "transformer": ("double_blocks.", "model.diffusion_model.double_blocks."),
        "text_encoder": ("text_encoders.clip_l.",),
        "text_encoder_2": ("text_encoders.t5xxl.",),
    },
}
_WITHOUT_WEIGHTS = ("Tokenizer", "TokenizerFast", "Scheduler", "ImageProcessor", "FeatureExtractor")
_UNUSED = {"safety_checker"}  # never loaded from such a checkpoint


def lacking(tensors: Collection[str], index: dict[str, Any]) -> set[str]:
    """Return the components with weights that the file does not hold.

    `tensors` are the names in the file, `index` is a checked model_index.json.
    Raises `BadInputError` for a pipeline that cannot be read from one file, or no such file.
    """
    pipeline = str(index["_class_name"])
    if pipeline not in PREFIXES:
        raise BadInputError(
            f"a {pipeline} cannot be read from a single file; that is possible for "
            f"{', '.join(sorted(PREFIXES))}. Save it as a directory with save_pretrained."
        )
    prefixes = PREFIXES[pipeline]
    found = {
        component
        for component, begins in prefixes.items()
        if any(tensor.startswith(begins) for tensor in tensors)
    }
    denoiser = "unet" if "unet" in prefixes else "transformer"
    if denoiser not in found:
        refuse_partial("the file", tensors)
    if denoiser not in found or "state_dict" in tensors:
        raise BadInputError(
            f"the file holds no {denoiser} in the original layout of a {pipeline} (tensors named "
            f"{' or '.join(each + '…' for each in prefixes[denoiser])}); give the model's own "
            "single file, and the configurations that belong to it."
        )
    encoders = found & {"text_encoder", "text_encoder_2"}
    if pipeline == "StableDiffusionXLPipeline" and encoders == {"text_encoder"}:
        raise BadInputError(
            "the file has no text_encoder_2, but a text_encoder, which diffusers reads of a "
            f"{pipeline} only beside the other; give a file with both, or with neither."
        )
    return _with_weights(index) - found


def _with_weights(index: dict[str, Any]) -> set[str]:
    return {
        component
        for component in named_components(index) - _UNUSED
        if not index[component][1].endswith(_WITHOUT_WEIGHTS)
    }


def check_components(
    files: Collection[str], tensors: Collection[str], index: dict[str, Any]
) -> None:
    """Refuse a checkpoint with a component's weights missing, or there twice.

    `files` are the paths of the whole checkpoint. Raises `BadInputError`.
    """
    missing = lacking(tensors, index)
    stray = sorted(name for name in files if is_weight(name) and "/" not in name)
    if stray != [WEIGHTS]:
        raise BadInputError(
            f"beside {CONFIG}/ there may be one file of weights, {WEIGHTS}; found {listed(stray)}."
        )
    brought = {
        PurePosixPath(name).parts[1]
        for name in files
        if name != WEIGHTS and name.endswith(".safetensors") and name.count("/") >= 2
    }
    if missing - brought:
        which = sorted(missing - brought)
        raise BadInputError(
            f"{WEIGHTS} has no {', '.join(which)}, and {CONFIG}/ brings no weights of it; put "
            f"safetensors into {CONFIG}/{which[0]}/."
        )
    others = sorted(
        name
        for name in files
        if name != WEIGHTS
        and is_weight(name)
        and not name.startswith(tuple(f"{CONFIG}/{component}/" for component in missing))
    )
    if others:
        raise BadInputError(
            f"{shown(others[0])} is not used: {CONFIG}/ may hold weights only of what {WEIGHTS} "
            f"lacks ({', '.join(sorted(missing)) or 'nothing'}). Leave it out."
        )
