"""A captioned image set in memory: pictures as one tensor, captions as a table of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models_backend.data.captions import CaptionMix, weighted_captions
from models_backend.data.manifest import Record
from models_backend.data.pictures import decode
from models_backend.errors import InputError
from models_backend.nn.text import TextEmbedding, TextEncoder


def load_images(folder: Path, records: Sequence[Record], size: int) -> Tensor:
    """Return the pictures as bytes (N, 3, size, size).

    Raises:
        InputError: a file is missing, unreadable, or of another size.
    """
    pictures = []
    for record in records:
        path = folder / record.file
        try:
            picture = np.asarray(decode(path.read_bytes(), str(path)))
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error}); build the data set again") from None
        if picture.shape[:2] != (size, size):
            raise InputError(
                f"{path} is {picture.shape[1]} x {picture.shape[0]} pixels, image_size is {size}; "
                f"build the data set with --size {size}"
            )
        pictures.append(picture)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def to_unit_range(pictures: Tensor) -> Tensor:
    """Bytes to floats in [-1, 1], laid out as CPU convolutions like them."""
    return (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


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


def build_captions(
    records: Sequence[Record], mix: CaptionMix, encoder: TextEncoder
) -> CaptionTable:
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
