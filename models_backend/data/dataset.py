"""A captioned image set in memory: pictures as one tensor, captions as a table of embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models_backend.configuration.captions import CaptionMix
from models_backend.data.captions import weighted_captions
from models_backend.data.manifest import Record
from models_backend.data.pictures import (
    decode,
    decode_transparent,
    fit,
    framing_of,
    nearest_buckets,
    size_of,
)
from models_backend.errors import InputError
from models_backend.nn.text_rows import TextEmbedding, TextRows


def load_images(folder: Path, records: Sequence[Record], size: int) -> Tensor:
    """Return the pictures as bytes (N, 3, size, size), on white where they are transparent.

    Raises:
        InputError: a file is missing, unreadable, or of another size.
    """
    return _loaded(folder, records, size, decode)


def load_transparent_images(folder: Path, records: Sequence[Record], size: int) -> Tensor:
    """Return the pictures as bytes (N, 4, size, size): red, green, blue, not premultiplied, alpha.

    Raises:
        InputError: a file is missing, unreadable, or of another size; or all of them are opaque.
    """
    pictures = _loaded(folder, records, size, decode_transparent)
    if bool((pictures[:, 3] == 255).all()):
        raise InputError(
            f"{folder} holds no picture that is transparent anywhere: an alpha channel cannot be "
            "learned from it; take RGBA drawings",
            by_command=f"`python -m models_backend.data.emoji --alpha --size {size} --out FOLDER` "
            "downloads some.",
        )
    return pictures


def _loaded(
    folder: Path,
    records: Sequence[Record],
    size: int,
    read: Callable[[bytes, str], Image.Image],
) -> Tensor:
    pictures = []
    for record in records:
        path = folder / record.file
        try:
            picture = np.asarray(read(path.read_bytes(), str(path)))
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error}); build the data set again") from None
        if picture.shape[:2] != (size, size):
            raise InputError(
                f"{path} is {picture.shape[1]} x {picture.shape[0]} pixels, image_size is {size}; "
                f"build the data set for {size} pixels",
                by_command=f"`--size {size}` of what builds it does so.",
            )
        pictures.append(picture)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class Fitted:
    """Pictures cut to one shape.

    Attributes:
        places: (n,) which of the pictures given they are.
        pixels: (n, 3, H, W) bytes.
        framing: (n, 4) what is seen of each; None: all.
    """

    places: Tensor
    pixels: Tensor
    framing: Tensor | None

    @property
    def size(self) -> tuple[int, int]:
        """Their height and width."""
        return self.pixels.shape[2], self.pixels.shape[3]

    def chosen(self, places: Sequence[int]) -> Self:
        """Return those of some of the pictures given, counted anew in this order."""
        row_of = {place: row for row, place in enumerate(self.places.tolist())}
        now = [at for at, place in enumerate(places) if place in row_of]
        rows = torch.tensor([row_of[places[at]] for at in now], dtype=torch.long)
        seen = None if self.framing is None else self.framing[rows]
        return replace(
            self, places=torch.tensor(now, dtype=torch.long), pixels=self.pixels[rows], framing=seen
        )


@dataclass(frozen=True)
class Shapes:
    """N pictures by their shape; the places of all buckets are 0 to N - 1, each once."""

    buckets: tuple[Fitted, ...]

    @classmethod
    def one(cls, pixels: Tensor, framing: Tensor | None = None) -> Self:
        """Return pictures (N, 3, H, W) of one shape."""
        return cls((Fitted(torch.arange(len(pixels)), pixels, framing),))

    def __len__(self) -> int:
        return sum(len(each.places) for each in self.buckets)

    def at(self, places: Sequence[int]) -> Self:
        """Return some of the pictures, counted anew in this order."""
        chosen = (each.chosen(places) for each in self.buckets)
        return replace(self, buckets=tuple(each for each in chosen if len(each.places)))

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each picture, by its place."""
        found = {place: each.size for each in self.buckets for place in each.places.tolist()}
        return [found[place] for place in range(len(found))]


def load_fitted(paths: Sequence[Path], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return pictures of any size as bytes (N, 3, *size), and what is seen of each, (N, 4).

    Each is turned as its EXIF data says, scaled until it covers `size` (height, width), and cut to
    its middle. One that is smaller is enlarged by the same rule.

    Raises:
        InputError: a file is missing or unreadable.
    """
    pictures, framings = [], []
    for path in paths:
        picture = decode(_bytes_of(path), str(path))
        pictures.append(torch.from_numpy(fit(picture, size)))
        framings.append(framing_of((picture.height, picture.width), size))
    return torch.stack(pictures), torch.tensor(framings)


def load_in_buckets(paths: Sequence[Path], buckets: list[tuple[int, int]]) -> Shapes:
    """Return pictures of any size by the (height, width) of `buckets` that is nearest in shape.

    Raises:
        InputError: a file is missing or unreadable.
    """
    sizes = np.array([size_of(_bytes_of(path), str(path)) for path in paths], dtype=np.int32)
    nearest = nearest_buckets(sizes, buckets)
    found = []
    for bucket in np.unique(nearest).tolist():
        places = np.flatnonzero(nearest == bucket).tolist()
        fitted = load_fitted([paths[place] for place in places], buckets[bucket])
        found.append(Fitted(torch.tensor(places), *fitted))
    return Shapes(tuple(found))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}); export the set again") from None


@dataclass(frozen=True)
class CaptionTable:
    """Every caption an image can have, embedded once.

    Attributes:
        embeddings: of all C distinct captions; entry 0 is the empty caption.
        choices: (N, K) indices of each image's captions, padded.
        weights: (N, K) their probabilities, 0 where padded.
    """

    embeddings: TextEmbedding
    choices: Tensor
    weights: Tensor

    def draw(self, images: Tensor, *, dropout: float, generator: torch.Generator) -> TextEmbedding:
        """Draw a caption for each image index (B,); with probability `dropout` the empty one."""
        column = torch.multinomial(self.weights[images], 1, generator=generator)
        caption = self.choices[images].gather(1, column).squeeze(1)
        dropped = torch.rand(len(images), generator=generator) < dropout
        return self.embeddings[caption.masked_fill(dropped, 0)]


def build_captions(records: Sequence[Record], mix: CaptionMix, encoder: TextRows) -> CaptionTable:
    """Return the caption table of `records`."""
    per_image = [weighted_captions(r.caption, r.keywords, r.style, mix) for r in records]
    distinct = list(dict.fromkeys(["", *(text for each in per_image for text, _ in each)]))
    index = {text: position for position, text in enumerate(distinct)}
    width = max(len(each) for each in per_image)
    choices = torch.zeros((len(records), width), dtype=torch.long)
    weights = torch.zeros((len(records), width))
    for row, captions in enumerate(per_image):
        for column, (text, weight) in enumerate(captions):
            choices[row, column], weights[row, column] = index[text], weight
    return CaptionTable(encoder.encode(distinct), choices, weights)
