"""CLIP, SigLIP, BLIP and DINOv2 from a directory, as transformers saves them; safetensors alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.errors import CheckpointError, InputError
from models_backend.files import read_json
from models_backend.nn.bars import hide_bars_of_transformers

KINDS = {"clip": "CLIPModel", "siglip": "SiglipModel", "blip": "BlipModel", "dinov2": "Dinov2Model"}
_CLIP_MEAN, _CLIP_STD = (0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)


class Backbone(nn.Module):
    """A network that knows images, and with CLIP, SigLIP and BLIP texts as well.

    Of an image and a prompt it makes (B, `width`): both vectors of norm 1 and their product by
    channel, so that a head can weigh where they agree; with DINOv2 the image's vector alone.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, kind: str, told: dict[str, Any], tokenizer: Any) -> None:
        super().__init__()
        self.network: Any = network
        self.kind = kind
        self.told = told
        """Image size, and mean and spread of colours, as the directory says them."""
        self.tokenizer = tokenizer
        self.reads_prompts = kind != "dinov2"
        config = network.config
        own = config.projection_dim if kind in ("clip", "blip") else None
        if kind == "siglip":
            own = config.vision_config.hidden_size
        self.width = 3 * own if own else config.hidden_size
        self.register_buffer("mean", torch.tensor(told["mean"]).view(1, 3, 1, 1), False)
        self.register_buffer("std", torch.tensor(told["std"]).view(1, 3, 1, 1), False)

    @classmethod
    def from_directory(cls, folder: Path) -> Backbone:
        """Read a directory.

        Raises:
            CheckpointError: not one, of another architecture, or with pickled weights alone.
        """
        import transformers

        config = _config_of(folder)
        kind = config["model_type"]
        if not any(folder.glob("*.safetensors")):
            raise CheckpointError(
                f"{folder} holds no .safetensors; pickled weights are not read: convert them with "
                "model.save_pretrained(folder, safe_serialization=True)"
            )
        hide_bars_of_transformers()
        try:
            network = getattr(transformers, KINDS[kind]).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
            tokenizer = None
            if kind != "dinov2":
                tokenizer = transformers.AutoTokenizer.from_pretrained(
                    folder, local_files_only=True
                )
        except (OSError, ValueError, ImportError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"{folder} cannot be loaded: {reason}") from None
        return cls(network, kind, _told(folder, config), tokenizer)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], told: dict[str, Any], tokenizer_folder: Path
    ) -> Backbone:
        """Return the network of a stored configuration; its weights are still to be put in."""
        import transformers

        kind = config["model_type"]
        settings = transformers.AutoConfig.for_model(**config)
        network = getattr(transformers, KINDS[kind])(settings)
        tokenizer = None
        if kind != "dinov2":
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                tokenizer_folder, local_files_only=True
            )
        return cls(network, kind, told, tokenizer)

    def freeze(self, share: float) -> None:
        """Keep all but the last blocks of each side: of n blocks the first ceil(share * n) stay."""
        self.requires_grad_(False)
        for layers in _stacks(self.network):
            for layer in layers[math.ceil(share * len(layers)) :]:
                layer.requires_grad_(True)

    def forward(self, x: Tensor, prompts: Sequence[str] | None = None) -> Tensor:
        """Return features (B, width) of images (B, 3, H, W) in [-1, 1] and B prompts."""
        size = self.told["size"]
        if x.shape[2:] != (size, size):
            x = F.interpolate(x, size=(size, size), mode="bicubic", antialias=True)
        pixels = ((x + 1) / 2 - self.mean) / self.std
        if not self.reads_prompts:
            vector: Tensor = self.network(pixel_values=pixels).last_hidden_state[:, 0]
            return F.normalize(vector, dim=1) * vector.shape[1] ** 0.5
        image = F.normalize(_pooled(self.network.get_image_features(pixel_values=pixels)), dim=1)
        text = self._texts(prompts or [""] * len(x), x.device)
        # Of unit variance, as a fresh layer of a head likes it.
        scale = image.shape[1] ** 0.5
        return torch.cat([image * scale, text * scale, image * text * scale**2], dim=1)

    def _texts(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        distinct = list(dict.fromkeys(prompts))
        inputs = self.tokenizer(
            distinct, padding="max_length", truncation=True,
            max_length=self.told["tokens"], return_tensors="pt",
        ).to(device)  # fmt: skip
        given = {"input_ids": inputs["input_ids"]}
        if self.kind != "siglip":
            given["attention_mask"] = inputs["attention_mask"]
        each = F.normalize(_pooled(self.network.get_text_features(**given)), dim=1)
        place = {text: row for row, text in enumerate(distinct)}
        return each[[place[text] for text in prompts]]


def _pooled(said: Any) -> Tensor:
    """Transformers returns a vector, or since 5.0 an output that holds it."""
    vector: Tensor = said if isinstance(said, Tensor) else said.pooler_output
    return vector


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        config = read_json(folder / "config.json")
    except InputError as error:
        raise CheckpointError(f"features {folder}: {error}") from None
    if config.get("model_type") not in KINDS:
        raise CheckpointError(
            f"features {folder} is of type {config.get('model_type')!r}; accepted are "
            f"{', '.join(KINDS)}"
        )
    return config


def _told(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    path = folder / "preprocessor_config.json"
    given = read_json(path) if path.is_file() else {}
    vision, text = config.get("vision_config") or config, config.get("text_config") or {}
    return {
        "size": int(vision.get("image_size", 224)),
        "tokens": int(text.get("max_position_embeddings", 64)),
        "mean": list(given.get("image_mean", _CLIP_MEAN)),
        "std": list(given.get("image_std", _CLIP_STD)),
    }


def _stacks(network: Any) -> list[nn.ModuleList]:
    """Return the stacks of blocks: of the image's side, and of the text's where there is one."""
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2] in ("layers", "layer")
    ]
