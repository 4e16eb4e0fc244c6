"""A pipeline's text encoders while it is tuned: loaded to read captions, then let go."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import diffusers
import torch
import transformers
from torch import Tensor, nn

from models_backend.checkpoint_format import PIPELINE_INDEX, content_sha256, file_sha256
from models_backend.families.diffusers_pipelines.files import component_variant
from models_backend.families.diffusers_pipelines.reading import readings
from models_backend.families.diffusers_pipelines.stored import weight_files
from models_backend.families.diffusers_pipelines.tuning.kinds import PipelineKind
from models_backend.files import read_json
from models_backend.nn.precision import has_bfloat16
from models_backend.nn.reading import Reading
from models_backend.nn.text_rows import TextEmbedding, TextRows

_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Let them print no caption that is cut: how many are is said once (`recipes.beforehand`)."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def encoder_names(folder: Path) -> list[str]:
    """Return the components of a pipeline's directory that read captions."""
    return [
        name
        for name, source in read_json(folder / PIPELINE_INDEX).items()
        if name.startswith("text_encoder") and source != [None, None]
    ]


class PipelineTexts(TextRows):
    """The encoders of the pipeline in `folder`, which was loaded without them."""

    def __init__(self, kind: PipelineKind, folder: Path) -> None:
        super().__init__()
        self._kind, self._folder = kind, folder
        self._names = encoder_names(folder)
        self._device = torch.device("cpu")
        self._shape: tuple[int, int, int] | None = None
        """L, W and P."""

    def to(self, device: torch.device | str) -> Self:
        """Encode there, on a GPU in half precision; embeddings come back to the CPU."""
        if self._device != torch.device(device):
            self.rest()
        self._device = torch.device(device)
        return self

    @property
    def loaded(self) -> list[nn.Module]:
        """The networks that are in memory."""
        found = (getattr(self._kind.pipeline, name) for name in self._names)
        return [each for each in found if each is not None]

    def rest(self) -> None:
        for name in self._names:
            setattr(self._kind.pipeline, name, None)

    @property
    def row_length(self) -> int:
        length, width, pooled = self._known_shape()
        return length * width + pooled + length

    @property
    def row_dtype(self) -> torch.dtype:
        """Of what is kept in memory: half precision where a GPU computes it."""
        return torch.float32 if self._device.type == "cpu" else torch.float16

    def readings(self, texts: Sequence[str]) -> list[Reading | None]:
        """Return how much of each text is read by the encoder that reads most of it."""
        self._load()
        with _silent_libraries():
            return readings(self._kind.pipeline, texts)

    def to_dict(self) -> dict[str, Any]:
        """Return what embeddings hang on: the pipeline's class and its encoders' weights."""
        hashes = {
            f"{name}/{path.name}": file_sha256(path)
            for name in self._names
            for path in weight_files(self._folder / name)
        }
        return {"pipeline": type(self._kind.pipeline).__name__, "sha256": content_sha256(hashes)}

    def _encoded(self, texts: list[str]) -> Tensor:
        self._load()
        with _silent_libraries():
            text = self._kind.texts(texts, self._device).to("cpu", self.row_dtype)
        length, width = text.tokens.shape[1:]
        self._shape = length, width, text.pooled.shape[1]
        pieces = (text.tokens, text.pooled, text.mask)
        return torch.cat([piece.flatten(1).to(self.row_dtype) for piece in pieces], dim=1)

    def unpacked(self, rows: Tensor) -> TextEmbedding:
        length, width, pooled = self._known_shape()
        tokens, sentence, mask = rows.split([length * width, pooled, length], dim=1)
        return TextEmbedding(tokens.view(len(rows), length, width), mask.long(), sentence)

    def _known_shape(self) -> tuple[int, int, int]:
        if self._shape is None:
            self.rows([""])
        assert self._shape is not None
        return self._shape

    def _load(self) -> None:
        index = read_json(self._folder / PIPELINE_INDEX)
        for name in self._names:
            if getattr(self._kind.pipeline, name) is None:
                library, kind = index[name]
                encoder = getattr(_LIBRARIES[library], kind).from_pretrained(
                    self._folder / name, local_files_only=True, use_safetensors=True,
                    dtype=self._dtype(), variant=component_variant(self._folder / name),
                )  # fmt: skip
                setattr(self._kind.pipeline, name, encoder.eval().to(self._device))

    def _dtype(self) -> torch.dtype:
        # T5 overflows in float16.
        return torch.bfloat16 if has_bfloat16(self._device) else torch.float32
