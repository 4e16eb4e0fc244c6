"""CLIP and aesthetic scores by weights that you bring; none of them lie in a package.

`clip/cosine` is the cosine of image and caption by a directory as transformers saves a CLIPModel,
`aesthetic/score` a chain of linear layers on that CLIP's image embedding of length 1, as the
"improved aesthetic predictor" (github.com/christophschuhmann/improved-aesthetic-predictor) has it.
Scores of other weights are never called so: their identity holds the hash of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput
from models_backend.errors import InputError
from models_backend.files import read_json, sha256_of_bytes, sha256_of_file
from models_backend.nn.bars import hide_bars_of_transformers

_READING = 1  # goes up when images are read in another way
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl")
_LAYER = re.compile(r"(?:layers\.(\d+)\.)?(weight|bias)")


class ClipTower:
    """Both towers of a CLIPModel, read from a directory; on the GPU where there is one."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            InputError: no such directory, another architecture, pickled or incomplete weights.
        """
        config = _config(folder)
        self.sha256 = _weights_sha256(folder)
        self._model, self._tokenizer = _loaded(folder)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model.to(self._device)
        self._side = int(config["vision_config"].get("image_size", 224))
        self.width = int(config.get("projection_dim", self._model.config.projection_dim))
        self._mean, self._std = _normalisation(folder)

    @torch.no_grad()
    def images(self, images: Sequence[Image.Image]) -> Tensor:
        """Return (N, width) of RGB images, each of length 1, in the machine's memory."""
        pixels = torch.stack([self.pixels(image) for image in images]).to(self._device)
        seen = self._model.vision_model(pixel_values=pixels).pooler_output
        return F.normalize(self._model.visual_projection(seen).float(), dim=1).cpu()

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return (N, width) of captions, each of length 1; what is too long is cut. As images."""
        most = self._model.config.text_config.max_position_embeddings
        told = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=most, return_tensors="pt"
        ).to(self._device)
        read = self._model.text_model(
            input_ids=told["input_ids"], attention_mask=told["attention_mask"]
        ).pooler_output
        return F.normalize(self._model.text_projection(read).float(), dim=1).cpu()

    def pixels(self, image: Image.Image) -> Tensor:
        """Return (3, side, side): the shorter side fitted, the middle cut out, normalised."""
        side, (width, height) = self._side, image.size
        if width <= height:
            fitted = (side, int(side * height / width))
        else:
            fitted = (int(side * width / height), side)
        small = image.resize(fitted, Image.Resampling.BICUBIC)
        left, top = (fitted[0] - side) // 2, (fitted[1] - side) // 2
        cut = np.asarray(small.crop((left, top, left + side, top + side)), dtype=np.float32) / 255
        normal = (cut - np.asarray(self._mean, np.float32)) / np.asarray(self._std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))


class Clip:
    """How well an image fits its caption, by CLIP weights from a directory."""

    measures = {"cosine": "float64"}
    reads_fields = True

    def __init__(self, folder: Path) -> None:
        self._tower = ClipTower(folder)
        self.identity = ScorerIdentity("clip", f"{folder.name}/{_READING}", self._tower.sha256)

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return the cosine, -1 to 1, for each image; None where it has no caption."""
        seen = self._tower.images([sample.image for sample in samples])
        fit = (seen * self._tower.texts([sample.caption for sample in samples])).sum(dim=1)
        return [{"cosine": float(value) if sample.caption else None}
                for sample, value in zip(samples, fit, strict=True)]  # fmt: skip


class Aesthetic:
    """How an aesthetic predictor rates an image, by weights from files."""

    measures = {"score": "float64"}
    reads_fields = False

    def __init__(self, folder: Path, head: Path) -> None:
        self._tower = ClipTower(folder)
        self._layers = _head(head, self._tower.width)
        both = f"{self._tower.sha256}\n{sha256_of_file(head)}"
        self.identity = ScorerIdentity(
            "aesthetic", f"{head.stem} on {folder.name}/{_READING}", sha256_of_bytes(both.encode())
        )

    @torch.no_grad()
    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return one number for each image, on the scale of what the head learnt."""
        x = self._tower.images([sample.image for sample in samples])
        for weight, bias in self._layers:
            x = F.linear(x, weight, bias)
        return [{"score": float(value)} for value in x[:, 0]]


def clip(option: str) -> Clip:
    """Load the scorer `clip` from a directory."""
    return Clip(_directory("clip", option, by_command="`--with clip=FOLDER` names it."))


def aesthetic(option: str) -> Aesthetic:
    """Load the scorer `aesthetic` from a directory and a file, `FOLDER,HEAD.safetensors`."""
    folder, _, head = option.partition(",")
    by_command = "`--with aesthetic=FOLDER,HEAD.safetensors` names them."
    path = Path(head)
    if not head or not path.is_file():
        raise InputError(
            "the scorer 'aesthetic' needs CLIP weights and a head, FOLDER,HEAD.safetensors, as its "
            f"option; given was {option or 'nothing'}",
            by_command=by_command,
        )
    return Aesthetic(_directory("aesthetic", folder, by_command), path)


def _directory(name: str, option: str, by_command: str) -> Path:
    if not option or not Path(option).is_dir():
        raise InputError(
            f"the scorer {name!r} needs a directory as transformers saves a CLIPModel as its "
            f"option; given was {option or 'nothing'}",
            by_command=by_command,
        )
    return Path(option)


def _config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind != "clip" or not {"text_config", "vision_config"} <= config.keys():
        raise InputError(
            f"{folder} holds a model of type {kind!r}; accepted is a whole CLIPModel ('clip')"
        )
    return config


def _weights_sha256(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    if files:
        hashes = [sha256_of_file(path) for path in files]
        return hashes[0] if len(hashes) == 1 else sha256_of_bytes("\n".join(hashes).encode())
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickled:
        raise InputError(
            f"{folder / pickled[0]} is a pickle, which can run code when it is read; where you "
            'trust it, convert it once: python -c "from transformers import CLIPModel; '
            f"CLIPModel.from_pretrained('{folder}').save_pretrained('{folder}')\""
        )
    raise InputError(f"{folder} holds no .safetensors")


def _loaded(folder: Path) -> tuple[Any, Any]:
    import transformers

    hide_bars_of_transformers()
    try:
        model, told = transformers.CLIPModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder} cannot be loaded as a CLIPModel ({reason})") from None
    # transformers fills what is missing with random numbers.
    wrong = [*told["missing_keys"], *told["mismatched_keys"]]
    if wrong:
        raise InputError(
            f"{folder}: {len(wrong)} weights of a CLIPModel are missing or of another shape, first "
            f"{wrong[0]}; they are of another architecture than config.json says"
        )
    return model.eval().requires_grad_(False), tokenizer


def _normalisation(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    path = folder / "preprocessor_config.json"
    told = read_json(path) if path.is_file() else {}
    return told.get("image_mean", _MEAN), told.get("image_std", _STD)


def _head(path: Path, width: int) -> list[tuple[Tensor, Tensor | None]]:
    """Return weight (out, in) and bias (out,) of each layer, from the width of CLIP to one."""
    if path.suffix in _PICKLES:
        target = path.with_suffix(".safetensors").name
        raise InputError(
            f"{path} is a pickle, which can run code when it is read; convert it once: python -c "
            '"import torch, safetensors.torch as s; s.save_file({k: v.contiguous() for k, v in '
            f"torch.load('{path}', weights_only=True).items()}}, '{target}')\""
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error})") from None
    parts: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        found = _LAYER.fullmatch(name)
        if found is None:
            raise InputError(
                f"{path} holds {name}; accepted is a chain of linear layers, layers.N.weight and "
                "layers.N.bias, or one weight and bias"
            )
        parts.setdefault(int(found[1] or 0), {})[found[2]] = tensor.float()
    layers, wide = [], width
    for number in sorted(parts):
        weight, bias = parts[number].get("weight"), parts[number].get("bias")
        shape = () if weight is None else tuple(weight.shape)
        if weight is None or len(shape) != 2 or shape[1] != wide:
            raise InputError(f"{path}: layer {number} is {shape}; it has to read {wide} numbers")
        layers.append((weight, bias))
        wide = shape[0]
    if not layers or wide != 1:
        raise InputError(f"{path} ends in {wide} numbers; an aesthetic head ends in one")
    return layers
