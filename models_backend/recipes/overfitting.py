"""Automatic signals of over-fitting in quality-tuning, all computed offline.

They are proxies, and no substitute for people: the faithfulness head is small and learns from the
same images as the model, so it can be right or wrong in the same places; it sees coarse shape and
colour. What it is good for is the direction: whether samples of captions outside the tuning set are
told apart less well than before, and whether samples come closer to the tuning images than real
images outside the set do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.data.dataset import Fitted, Shapes
from models_backend.data.pictures import on_white
from models_backend.families.base import Family

_HEAD_STEPS = 300
_HEAD_BATCH = 256
_TEMPERATURE = 0.05


@dataclass(frozen=True)
class MeanWithError:
    """A mean with its standard error over samples."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: Tensor) -> MeanWithError:
        """Return mean and standard error of (N,)."""
        spread = float(values.std(unbiased=True)) if len(values) > 1 else 0.0
        return cls(float(values.mean()), spread / len(values) ** 0.5)


class Faithfulness(Protocol):
    """How well images fit the captions they were made from, one number an image, higher better."""

    def measure(self, images: Sequence[Image], captions: Sequence[str]) -> Tensor:
        """Return (N,) of images and their N captions, distractors of one another."""


def to_pixels(images: Sequence[Image]) -> Tensor:
    """Return PIL images of one size as bytes (N, 3, H, W), on white where they are transparent."""
    array = np.stack([np.asarray(on_white(image)) for image in images])
    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous()


def shapes_of(images: Sequence[Image]) -> Shapes:
    """Return PIL images of any sizes by their shape."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, image in enumerate(images):
        places.setdefault(image.size, []).append(place)
    return Shapes(
        tuple(
            Fitted(torch.tensor(rows), to_pixels([images[row] for row in rows]), None)
            for rows in places.values()
        )
    )


def features_of(model: Family, pictures: Shapes) -> Tensor:
    """Return (N, F) of N pictures: those of a family do not hang on a picture's shape."""
    each = torch.cat([model.features(bucket.pixels) for bucket in pictures.buckets])
    places = torch.cat([bucket.places for bucket in pictures.buckets])
    return each[places.argsort()]


class RetrievalHead:
    """Faithfulness as retrieval: the reciprocal rank of an image's caption among all captions.

    A two-layer network maps image features to the text encoder's sentence space; it is trained with
    the symmetric contrastive loss of CLIP (Radford et al. 2021) on images whose concepts are not
    measured.
    """

    def __init__(
        self, model: Family, pictures: Shapes, captions: Sequence[str], *, seed: int
    ) -> None:
        self._model = model
        x, y = features_of(model, pictures), self._text(captions)
        self._mean, self._std = x.mean(dim=0), x.std(dim=0).clamp_min(1e-3)
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._head = nn.Sequential(
                nn.Linear(x.shape[1], 256), nn.GELU(), nn.Dropout(0.2), nn.Linear(256, y.shape[1])
            )
            self._fit(self._scaled(x), y, generator)
        self._head.eval()

    def _fit(self, x: Tensor, y: Tensor, generator: torch.Generator) -> None:
        optimizer = torch.optim.AdamW(self._head.parameters(), lr=2e-3, weight_decay=0.05)
        for _ in range(_HEAD_STEPS):
            rows = torch.randint(len(x), (min(_HEAD_BATCH, len(x)),), generator=generator)
            scores = F.normalize(self._head(x[rows]), dim=1) @ y[rows].T / _TEMPERATURE
            # Images of one concept have the same caption: each is as right as another.
            same = (y[rows] @ y[rows].T > 1 - 1e-4).float()
            target = same / same.sum(dim=1, keepdim=True)
            loss = F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def _scaled(self, x: Tensor) -> Tensor:
        return (x - self._mean) / self._std

    def _text(self, captions: Sequence[str]) -> Tensor:
        return F.normalize(self._model.text_encoder.encode(captions).pooled.float().cpu(), dim=1)

    @torch.no_grad()
    def measure(self, images: Sequence[Image], captions: Sequence[str]) -> Tensor:
        """Return reciprocal ranks (N,) in (0, 1]; guessing gives about ln(N) / N."""
        x = self._scaled(features_of(self._model, shapes_of(images)))
        scores = F.normalize(self._head(x), dim=1) @ self._text(captions).T
        right = scores.diagonal()[:, None]
        rank = (scores > right).sum(dim=1) + 1
        return 1.0 / rank.float()


class Copying:
    """Whether samples lie nearer to the tuning images than real images outside the set do.

    `threshold` is the distance below which the nearest twentieth of the real ones lies.
    """

    _SHARE = 0.05

    def __init__(self, model: Family, tuning: Shapes, held_out: Shapes) -> None:
        self._model = model
        both = (torch.cat([each.pixels, each.pixels.flip(3)]) for each in tuning.buckets)
        self._tuning = torch.cat([model.features(each) for each in both])
        self.reference = self._nearest(held_out)
        self.threshold = float(self.reference.quantile(self._SHARE))

    def _nearest(self, pictures: Shapes) -> Tensor:
        return torch.cdist(features_of(self._model, pictures), self._tuning).amin(dim=1)

    def measure(self, images: Sequence[Image]) -> tuple[Tensor, Tensor]:
        """Return nearest distances over their median for real images (N,), and 1 where copied."""
        distance = self._nearest(shapes_of(images))
        return distance / self.reference.median(), (distance < self.threshold).float()
