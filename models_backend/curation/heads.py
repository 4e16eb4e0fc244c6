"""Small heads that are learnt from the data at hand: does an image fit its caption, is it liked?

Both are ridge regressions on fixed features (colours of a coarse grid, energies of Gabor filters;
`families.features`), solved at once and kept as a folder with a hash. They see coarse shape and
colour: no CLIP score and no aesthetic score, and never called so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional as F

from models_backend.curation.reading import read_picture
from models_backend.curation.sources import SourceImage, find_items, read_bytes, root_of
from models_backend.data.pictures import fit
from models_backend.errors import InputError
from models_backend.families.features import plain_features
from models_backend.files import (
    read_json,
    sha256_of_bytes,
    sha256_of_file,
    write_bytes_atomically,
    write_json_atomically,
)
from models_backend.nn.text import TextEncoder

FORMAT = "t2i-head/1"
_MARK, _WEIGHTS = "head.json", "head.safetensors"
_SIDE = 64
_RIDGE = 0.1  # times the number of images, on features of unit variance
_LEAST = 20


@dataclass(frozen=True)
class LearnedHead:
    """A linear map from features (F,) to what was learnt: a sentence vector, or one number."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    """(F, outputs)."""
    bias: Tensor

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Return (N, outputs) of images of any size."""
        return self.of(features(images))

    def of(self, x: Tensor) -> Tensor:
        """Return (N, outputs) of features (N, F)."""
        return (x - self.mean) / self.scale @ self.weight + self.bias

    @classmethod
    def fit(cls, x: Tensor, y: Tensor) -> LearnedHead:
        """Solve for features (N, F) and targets (N, outputs)."""
        mean, scale, bias = x.mean(dim=0), x.std(dim=0).clamp_min(1e-3), y.mean(dim=0)
        z = ((x - mean) / scale).double()
        gram = z.T @ z + _RIDGE * len(z) * torch.eye(z.shape[1], dtype=torch.float64)
        weight = torch.linalg.solve(gram, z.T @ (y - bias).double()).float()
        return cls(mean, scale, weight, bias)


def features(images: Sequence[Image.Image]) -> Tensor:
    """Return (N, F) of RGB images, each cut to its middle square."""
    pixels = torch.stack([torch.from_numpy(fit(image, (_SIDE, _SIDE))) for image in images])
    return plain_features(pixels, torch.device("cpu"))


def sentences(captions: Sequence[str]) -> Tensor:
    """Return (N, W) of length 1."""
    return F.normalize(TextEncoder().encode(captions).pooled.float(), dim=1)


def learn_text_image(data: Path, out: Path) -> dict[str, Any]:
    """Learn from the captions of a source; return what is known of the head.

    Raises:
        InputError: fewer than 20 images with a caption that can be read.
    """
    found = [(item, image) for item, image in _readable(data) if item.caption]
    _enough(len(found), "captions")
    x, y = features([image for _, image in found]), sentences([item.caption for item, _ in found])
    train, test = _split(found)
    guessed = F.normalize(LearnedHead.fit(x[train], y[train]).of(x[test]), dim=1) @ y[test].T
    better = (guessed > guessed.diagonal()[:, None]).float().mean()
    return _save(LearnedHead.fit(x, y), out, "text_image", data, len(found),
                 {"held_out_share_of_captions_above_the_right_one": float(better)})  # fmt: skip


def learn_appeal(data: Path, field: str, out: Path) -> dict[str, Any]:
    """Learn from a numeric field of a source, such as people's mean grades.

    Raises:
        InputError: fewer than 20 images with that number, or all have the same.
    """
    found = []
    for item, image in _readable(data):
        value = item.fields.get(field)
        if isinstance(value, int | float) and value == value:
            found.append((item, image, float(value)))
    _enough(len(found), f"numbers in the field {field}")
    y = torch.tensor([[value] for *_, value in found])
    if float(y.std()) == 0:
        raise InputError(f"{data}: {field} is {found[0][2]:g} for every image; nothing to learn")
    x = features([image for _, image, _ in found])
    train, test = _split(found)
    guessed = LearnedHead.fit(x[train], y[train]).of(x[test])[:, 0]
    correlation = float(torch.corrcoef(torch.stack([guessed, y[test, 0]]))[0, 1])
    return _save(LearnedHead.fit(x, y), out, "appeal", data, len(found),
                 {"held_out_correlation": correlation})  # fmt: skip


def _split(found: Sequence[Any]) -> tuple[list[int], list[int]]:
    test = list(range(0, len(found), 5))
    return [n for n in range(len(found)) if n % 5], test


def _enough(count: int, what: str) -> None:
    if count < _LEAST:
        raise InputError(f"{count} images have {what}; a head needs at least {_LEAST}")


def _readable(data: Path) -> list[tuple[SourceImage, Image.Image]]:
    found = []
    for item in find_items(data):
        try:
            found.append((item, read_picture(read_bytes(root_of(data), item)).image))
        except InputError:
            continue
    return found


def _save(
    head: LearnedHead, out: Path, kind: str, data: Path, count: int, held_out: dict[str, float]
) -> dict[str, Any]:
    weights = save({name: value.contiguous() for name, value in vars(head).items()})
    write_bytes_atomically(out / _WEIGHTS, weights)
    told = {
        "format": FORMAT, "kind": kind, "images": count, "data": str(data), **held_out,
        "weights_sha256": sha256_of_bytes(weights),
        "text_encoder": json.dumps(TextEncoder().reference) if kind == "text_image" else "",
    }  # fmt: skip
    write_json_atomically(out / _MARK, told)
    return told


def load_head(folder: Path, kind: str) -> tuple[LearnedHead, str]:
    """Return a head and the hash of its weights.

    Raises:
        InputError: no head of this kind, changed weights, or another text encoder.
    """
    told = read_json(folder / _MARK)
    if told.get("format") != FORMAT or told.get("kind") != kind:
        raise InputError(f"{folder} is no {kind} head of the format {FORMAT}")
    if kind == "text_image" and told["text_encoder"] != json.dumps(TextEncoder().reference):
        raise InputError(f"{folder} learnt by another text encoder; learn it again")
    path = folder / _WEIGHTS
    if not path.is_file() or sha256_of_file(path) != told["weights_sha256"]:
        raise InputError(f"{path} is missing or was changed; learn the head again")
    try:
        return LearnedHead(**load_file(path)), str(told["weights_sha256"])
    except (SafetensorError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error})") from None
