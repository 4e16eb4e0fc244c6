"""Which classes of diffusers and transformers a checkpoint may name, for a loader to import.

What the lists lack is refused with its name, so that adding it is a decision: of a line here, or of
an operator by `PIPELINES_ALLOWED`, for a pipeline that the installed diffusers has.
"""

import difflib
import re
from typing import Any

from django.conf import settings

from evalplatform.checkpoints.verification.wording import listed, shown
from evalplatform.core.errors import BadInputError
from models_backend.checkpoint_format import (
    diffusers_classes,
    diffusers_version,
    has_pipeline_folder,
)

PIPELINES = {
    "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline",
    "FluxPipeline", "PixArtAlphaPipeline", "PixArtSigmaPipeline", "SanaPipeline",
    "LatentConsistencyModelPipeline", "WuerstchenCombinedPipeline", "KandinskyV22CombinedPipeline",
    "HunyuanDiTPipeline", "LuminaPipeline", "AuraFlowPipeline", "CogView4Pipeline",
    "QwenImagePipeline", "LDMTextToImagePipeline", "AmusedPipeline", "DiTPipeline",
}  # fmt: skip
_DIFFUSERS = {
    "UNet2DConditionModel", "UNet2DModel", "AutoencoderKL", "AutoencoderTiny", "AutoencoderDC",
    "AsymmetricAutoencoderKL", "ConsistencyDecoderVAE", "AutoencoderKLQwenImage",
    "SD3Transformer2DModel", "FluxTransformer2DModel", "PixArtTransformer2DModel",
    "SanaTransformer2DModel", "HunyuanDiT2DModel", "LuminaNextDiT2DModel",
    "AuraFlowTransformer2DModel", "CogView4Transformer2DModel", "QwenImageTransformer2DModel",
    "Transformer2DModel", "DiTTransformer2DModel", "UVit2DModel", "VQModel", "PriorTransformer",
}  # fmt: skip
_TRANSFORMERS = {
    "CLIPTextModel", "CLIPTextModelWithProjection", "CLIPTokenizer", "CLIPTokenizerFast",
    "CLIPImageProcessor", "CLIPFeatureExtractor", "CLIPVisionModelWithProjection",
    "T5EncoderModel", "T5Tokenizer", "T5TokenizerFast", "UMT5EncoderModel", "BertModel",
    "BertTokenizer", "BertTokenizerFast", "LlamaTokenizerFast", "LlamaForCausalLM",
    "GemmaTokenizer", "GemmaTokenizerFast", "Gemma2Model", "GlmModel", "PreTrainedTokenizerFast",
    "Qwen2Tokenizer", "Qwen2TokenizerFast", "Qwen2_5_VLForConditionalGeneration",
    "SiglipImageProcessor", "SiglipVisionModel",
}  # fmt: skip
_SAFETY = {"StableDiffusionSafetyChecker"}  # diffusers' own, named by its module's short name
# What a component of a newer pipeline may be in transformers: a network, or what reads for one.
_KINDS = re.compile(
    r"[A-Z][A-Za-z0-9_]{1,80}(?:Model|Encoder|WithProjection|ForConditionalGeneration|ForCausalLM"
    r"|Tokenizer|TokenizerFast|Processor|ProcessorFast|FeatureExtractor)"
)


def check_pipeline(name: Any) -> str:
    """Return the name of a pipeline that is known here, or allowed by the operator and installed.

    Raises `BadInputError` for another.
    """
    if isinstance(name, str) and name in PIPELINES:
        return name
    has = diffusers_classes()
    allowed = isinstance(name, str) and name in settings.PIPELINES_ALLOWED
    if allowed and name in has:
        return str(name)
    installed = f"diffusers {diffusers_version()}"
    if allowed:
        pipelines = [each for each in sorted(has) if each.endswith("Pipeline")]
        near = listed(difflib.get_close_matches(name, pipelines)) or "nothing of a like name"
        raise BadInputError(
            f"model_index.json: {shown(name)!r} is allowed by PIPELINES_ALLOWED, but {installed}, "
            f"which is installed, has no such class; it has {near}."
        )
    known = f"known are {', '.join(sorted(PIPELINES.union(settings.PIPELINES_ALLOWED)))}."
    if isinstance(name, str) and name in has and name.endswith("Pipeline"):
        known += (
            f" {installed} has it: where it makes an image from a prompt, an operator can accept "
            f"it with PIPELINES_ALLOWED={name}."
        )
    raise BadInputError(
        f"model_index.json: {shown(name)!r} is not a text-to-image pipeline known here; {known}"
    )


def is_component_known(pipeline: str, library: str | None, name: str | None) -> bool:
    """Whether a component of a pipeline that was checked may be of this library and class."""
    if library is None or name is None:
        return True  # a component this pipeline goes without
    if library == "stable_diffusion" and name in _SAFETY:
        return True
    if library in ("diffusers", "transformers") and is_class_known(name):
        return True
    if pipeline in PIPELINES:
        return False
    if library == "diffusers":
        return name in diffusers_classes()
    is_own = library == "transformers" or has_pipeline_folder(library)
    return is_own and _KINDS.fullmatch(name) is not None


def is_class_known(name: Any) -> bool:
    """Whether a configuration may name this class as its own."""
    return isinstance(name, str) and (
        name in _DIFFUSERS
        or name in _TRANSFORMERS
        or name in PIPELINES
        or (name.endswith("Scheduler") and name.isidentifier() and name.isascii())
        or (bool(settings.PIPELINES_ALLOWED) and name in diffusers_classes())
    )


def foreign(where: str, name: Any) -> BadInputError:
    """Return the refusal of a class that is not known."""
    return BadInputError(
        f"{where} names the class {shown(name)!r}; only classes of diffusers and transformers that "
        "are on the list in checkpoints/verification/classes.py are loaded, never code from a "
        "checkpoint."
    )
