"""Whether diffusers would load a pipeline: every class built, its weights known by their shapes.

Networks are built without memory, on torch's meta device; tokenizers, schedulers and the pipeline
itself as they are at a load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import transformers
from accelerate import init_empty_weights
from diffusers import DiffusionPipeline
from diffusers.models.model_loading_utils import _fetch_remapped_cls_from_config
from diffusers.models.modeling_utils import LegacyModelMixin, ModelMixin

from models_backend.errors import CheckpointError
from models_backend.families.diffusers_pipelines.files import left_out
from models_backend.files import read_json
from models_backend.nn.bars import hide_bars_of_diffusers
from models_backend.nn.shapes import refuse_misfit, refuse_unfit, tensors_of

_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
_TOKENIZER_WORDS = 3
"""Beginning, end and unknown: what a tokenizer knows whose vocabulary is missing."""
# What checkpoints hold beside what their class loads, as files that served other classes too do.
_SPARE = ("position_ids", ".inv_freq", "rotary_emb.freqs")
_SPARE_OF_TEXT_ENCODERS = ("decoder.", "lm_head.", "vision_model.", "visual_projection.")
_SPARE_NAMES = {"logit_scale", "text_projection.weight"}


def check_directory(folder: Path) -> Any:
    """Return the pipeline of a directory without its weights.

    Raises:
        CheckpointError: it would not load; the text names the component.
    """
    hide_bars_of_diffusers()
    index = read_json(folder / "model_index.json")
    parts = left_out(index)
    for name, source in index.items():
        if name not in parts and isinstance(source, list) and len(source) == 2:
            parts[name] = check_component(folder / name, name, *source)
    build = said("the pipeline", DiffusionPipeline.from_pretrained)
    return build(folder, local_files_only=True, **parts)


def check_component(folder: Path, name: str, library: str, kind: str) -> Any:
    """Return a component as its class builds it, networks on the meta device.

    Raises:
        CheckpointError: it cannot be built, or other weights belong to it.
    """
    cls = getattr(_LIBRARIES.get(library), kind, None)
    if cls is None:
        raise CheckpointError(
            f"{name} is a {kind}, which the installed {library} does not have; save it with a "
            "version that it has in common, or update the platform"
        )
    if not issubclass(cls, ModelMixin | transformers.PreTrainedModel):
        part = said(name, cls.from_pretrained)(folder, local_files_only=True)
        if isinstance(part, transformers.PreTrainedTokenizerBase):
            _refuse_empty(name, part)
        return part
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{name} has no weights; copy its .safetensors, or all its shards and their table"
        )
    if issubclass(cls, ModelMixin):
        return said(name, _diffusers_network)(folder, name, cls)
    return said(name, _transformers_network)(folder, name, cls)


def _refuse_empty(name: str, tokenizer: Any) -> None:
    if len(tokenizer) <= _TOKENIZER_WORDS:
        raise CheckpointError(
            f"{name} has no vocabulary; copy its files (vocab.json and merges.txt, tokenizer.json "
            "or spiece.model)"
        )


def _diffusers_network(folder: Path, name: str, cls: Any) -> Any:
    config = cls.load_config(folder, local_files_only=True)
    if config.get("quantization_config"):
        raise CheckpointError(
            f"{name} is quantised, which is not loaded here; save it in half precision"
        )
    with init_empty_weights():
        network = _class_now(cls, config).from_config(config)
    found = tensors_of(folder)
    network._fix_state_dict_keys_on_load(found)
    refuse_misfit(name, network.state_dict(), _without_spare(found, ()))
    return network


def _class_now(cls: Any, config: dict[str, Any]) -> Any:
    """Return the class that took over what `cls` did for such a configuration."""
    if not issubclass(cls, LegacyModelMixin):
        return cls
    return _fetch_remapped_cls_from_config(config, cls)


def _transformers_network(folder: Path, name: str, cls: Any) -> Any:
    config = cls.config_class.from_pretrained(folder, local_files_only=True)
    if getattr(config, "quantization_config", None):
        raise CheckpointError(
            f"{name} is quantised, which is not loaded here; save it in half precision"
        )
    network, told = cls.from_pretrained(
        None, config=config, state_dict=dict(tensors_of(folder)), device_map={"": "meta"},
        output_loading_info=True, ignore_mismatched_sizes=True,
    )  # fmt: skip
    shapes = {key: (tuple(has), tuple(wants)) for key, has, wants in told["mismatched_keys"]}
    unexpected = _without_spare(dict.fromkeys(told["unexpected_keys"]), _SPARE_OF_TEXT_ENCODERS)
    refuse_unfit(name, told["missing_keys"], unexpected, shapes)
    return network


def _without_spare(found: dict[str, Any], also: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: tensor
        for name, tensor in found.items()
        if not name.endswith(_SPARE)
        and not name.startswith(also)
        and not (also and name in _SPARE_NAMES)
    }


def said(what: str, build: Any) -> Any:
    """Return `build` with its failures turned into a `CheckpointError` that names `what`."""

    def built(*args: Any, **options: Any) -> Any:
        try:
            return build(*args, **options)
        except CheckpointError:
            raise
        except Exception as error:  # whatever a library makes of a strange configuration
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise CheckpointError(f"{what} cannot be built: {reason}") from error

    return built
