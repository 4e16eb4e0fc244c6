"""Reading a checkpoint's JSON: bounded, and naming no code but what is on a list.

A configuration can name classes for a loader to import. Only these are let through; what a list
lacks is refused with its name, so that adding it is a decision.
"""

import json
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError

# Where a pipeline says which classes it is made of: a pipeline's own, a single file's.
INDEXES = {"model_index.json", "config/model_index.json"}
_MAX_JSON_BYTES = 64 * 2**20  # the largest tokenizer is 34 MB

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
# Components a pipeline is loaded without: they judge images, and are not the model.
NEVER_LOADED = {"safety_checker", "feature_extractor"}
# Keys by which transformers and diffusers can be told to import code that came with the weights.
_CODE_KEYS = {"auto_map", "custom_pipelines", "custom_pipeline", "trust_remote_code"}


def read_json(path: Path, name: str) -> dict[str, Any]:
    """Return one JSON object. Raises `BadInputError` naming `name`."""
    size = path.stat().st_size
    if size > _MAX_JSON_BYTES:
        raise BadInputError(f"{name} has {size:,} bytes; at most {_MAX_JSON_BYTES:,} are read.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadInputError(
            f"{name} is not JSON ({str(error)[:80]}); copy the checkpoint again."
        ) from error
    if not isinstance(content, dict):
        raise BadInputError(f"{name} must hold one JSON object.")
    return content


def check_config(content: dict[str, Any], name: str) -> None:
    """Refuse a configuration that asks for code which is not installed here."""
    asked = sorted(_CODE_KEYS & content.keys())
    if asked and any(content[key] for key in asked):
        raise BadInputError(
            f"{name} asks for code that came with the weights ({', '.join(asked)}); such code is "
            "never run. Remove the key if the installed libraries can do without."
        )
    named = content.get("_class_name")
    if named is not None and name not in INDEXES and not _is_known(str(named)):
        raise _foreign(name, str(named))


def check_model_index(content: dict[str, Any]) -> None:
    """Refuse a pipeline, or a component of one, that is not on the list."""
    pipeline = content.get("_class_name")
    if pipeline not in PIPELINES:
        raise BadInputError(
            f"model_index.json: {str(pipeline)[:80]!r} is not a text-to-image pipeline known here; "
            f"known are {', '.join(sorted(PIPELINES))}."
        )
    for component, source in content.items():
        if component.startswith("_") or not isinstance(source, list):
            continue
        library, name = (*source, None, None)[:2]
        if library is None and name is None:
            continue  # a component this pipeline goes without
        if library == "stable_diffusion" and name in _SAFETY:
            continue
        if library not in ("diffusers", "transformers") or not _is_known(str(name)):
            raise _foreign(f"model_index.json, component {component!r}", f"{library}.{name}")


def _is_known(name: str) -> bool:
    return (
        name in _DIFFUSERS
        or name in _TRANSFORMERS
        or name in PIPELINES
        or (name.endswith("Scheduler") and name.isidentifier())
    )


def _foreign(where: str, name: str) -> BadInputError:
    return BadInputError(
        f"{where} names the class {name[:80]!r}; only classes of diffusers and transformers that "
        "are on the list in checkpoints/verification/configs.py are loaded, never code from a "
        "checkpoint."
    )
