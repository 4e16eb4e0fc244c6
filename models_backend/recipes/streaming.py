"""Pre-training from samples on disk, in stages of growing resolution with aspect-ratio buckets.

For sets larger than memory: the pictures of the next steps are read and decoded while this one is
computed; latents and text embeddings can be kept on disk by content hash.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from models_backend.configuration.captions import CaptionMix
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.pretraining import PretrainConfig, StageConfig
from models_backend.configuration.tuning import FinetuneConfig
from models_backend.data.cache import TensorCache, content_key
from models_backend.data.captions import weighted_captions
from models_backend.data.order import BatchOrder
from models_backend.data.pictures import Bytes, Framing, bucket_sizes, decode, fit, framing_of
from models_backend.data.source import CaptionedImage, ImageSource
from models_backend.families.base import Family
from models_backend.families.batch import training_batch
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.text_rows import TextEmbedding
from models_backend.recipes.grids import SampleGrid
from models_backend.recipes.parts import in_parts, refuse_noise_offset
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer, default_accelerator

_AHEAD = 4  # parts of batches read before they are needed
_CHUNK = 8  # pictures one thread decodes at a time
_TEXTS = 64


def sample_pictures(source: ImageSource, count: int, size: int, seed: int) -> Tensor:
    """Return up to `count` pictures, drawn evenly without replacement, as bytes (N, 3, size, size).

    The autoencoder is trained on them, and latents are normalised by them: a set larger than memory
    is represented well enough by some tens of thousands.
    """
    places = [(s, row) for s, each in enumerate(source.sizes()) for row in range(len(each))]
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.permutation(len(places))[:count])

    def one(number: int) -> Bytes:
        sample = source.read(*places[number])
        return fit(decode(sample.image, sample.name), (size, size))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return torch.from_numpy(np.stack(list(pool.map(one, chosen))))


@dataclass(frozen=True)
class _Read:
    """One sample of a batch, ready to be encoded; no picture where its latent is cached."""

    sample: CaptionedImage
    number: int
    size: tuple[int, int]
    key: bytes
    framing: Framing
    picture: Bytes | None


class _Reader:
    """Reads the samples of the coming parts of batches in the background."""

    def __init__(
        self,
        source: ImageSource,
        order: BatchOrder,
        buckets: list[tuple[int, int]],
        trainer: Trainer,
    ) -> None:
        self._source, self._order, self.buckets = source, order, buckets
        self._trainer = trainer
        self._sizes = source.sizes()
        firsts = np.cumsum([0, *(len(each) for each in self._sizes)])
        self._first_number = [int(first) for first in firsts]
        self._pool = ThreadPoolExecutor(max(2, min(32, os.cpu_count() or 2)))
        self._coming: dict[tuple[int, int], list[Future[list[_Read]]]] = {}
        self.cache: PreparedCache | None = None

    def read(self, step: int, rows: slice) -> tuple[list[_Read], float]:
        """Return the samples of some rows of a step, and how long they were waited for."""
        parts = self._trainer.parts
        at = next(i for i, part in enumerate(parts) if part == rows)
        for ahead in range(_AHEAD + 1):
            later, part = step + (at + ahead) // len(parts), parts[(at + ahead) % len(parts)]
            if later < self._trainer.config.steps and (later, part.start) not in self._coming:
                # The order is asked here, in one thread: it keeps the plan of one window.
                bucket, places = self._order.batch(later)
                size, wanted = self.buckets[bucket], places[part]
                self._coming[later, part.start] = self._begin(later, part, size, wanted)
        started = time.monotonic()
        chunks = self._coming.pop((step, rows.start))
        loaded = [each for chunk in chunks for each in chunk.result()]
        return loaded, time.monotonic() - started

    def _begin(
        self, step: int, rows: slice, size: tuple[int, int], places: Sequence[tuple[int, int]]
    ) -> list[Future[list[_Read]]]:
        """Have a part's pictures read by all threads: one large part keeps them all at work."""
        mirrored = mirror(self._trainer, step)[rows].tolist()
        wanted = list(zip(places, mirrored, strict=True))
        return [
            self._pool.submit(self._load, size, wanted[at : at + _CHUNK])
            for at in range(0, len(wanted), _CHUNK)
        ]

    def _load(
        self, size: tuple[int, int], wanted: list[tuple[tuple[int, int], bool]]
    ) -> list[_Read]:
        return [self._one(shard, row, size, flip) for (shard, row), flip in wanted]

    def _one(self, shard: int, row: int, size: tuple[int, int], flip: bool) -> _Read:
        sample = self._source.read(shard, row)
        key = self.cache.key(sample, size, flip) if self.cache else b""
        picture = None
        if self.cache is None or not self.cache.holds(key, size):
            picture = fit(decode(sample.image, sample.name), size)
            picture = np.ascontiguousarray(picture[:, :, ::-1]) if flip else picture
        height, width = self._sizes[shard][row].tolist()
        framing = framing_of((height, width), size)
        return _Read(sample, self._first_number[shard] + row, size, key, framing, picture)

    def close(self) -> None:
        """Stop reading ahead."""
        self._pool.shutdown(cancel_futures=True)


def mirror(trainer: Trainer, step: int) -> Tensor:
    """Return which rows of a step's batch are mirrored, (B,) of bool."""
    draw = StepDraw.of(trainer.seed, f"{trainer.stage}-mirror", step)
    return torch.rand(trainer.config.batch_size, generator=draw) < 0.5


class PreparedCache:
    """What a part learns from, on disk in half precision: by picture, size, side and weights."""

    def __init__(self, family: Family, part: str, folder: Path, writer: int) -> None:
        self._family, self._part, self._folder, self._writer = family, part, folder, writer
        self._caches: dict[tuple[int, int], TensorCache] = {}

    def of(self, size: tuple[int, int]) -> TensorCache:
        """Return the cache for pictures of one size."""
        if size not in self._caches:
            kept = self._family.prepared_for_cache(self._part, size)
            assert kept is not None
            digest, shape = kept
            folder = self._folder / "latents" / digest[:16]
            self._caches[size] = TensorCache(folder, shape, torch.float16, self._writer)
        return self._caches[size]

    def key(self, sample: CaptionedImage, size: tuple[int, int], flip: bool) -> bytes:
        """Return the key of what is prepared of a sample."""
        return content_key(sample.image, f"{size} {flip}")

    def holds(self, key: bytes, size: tuple[int, int]) -> bool:
        """Return whether it is there."""
        return key in self.of(size)


class TextCache:
    """A model's text embeddings, on disk where a folder is given: half precision, a row a text."""

    def __init__(self, family: Family, folder: Path | None, writer: int) -> None:
        self._encoder = family.text_encoder
        self._name = json.dumps(family.text_encoder.to_dict(), sort_keys=True)
        self._cache: TensorCache | None = None
        if folder is not None:
            shape = (self._encoder.row_length,)
            self._cache = TensorCache(folder / "text", shape, torch.float16, writer)

    def encode(self, texts: list[str]) -> TextEmbedding:
        """Return the embeddings of `texts`; what the disk holds is not encoded again."""
        if self._cache is None:
            return self._encoder.encode(texts)
        rows = self._cache.get(
            [self._key(text) for text in texts],
            lambda missing: self._encoder.rows([texts[place] for place in missing]),
        )
        return self._encoder.unpacked(rows.to(self._encoder.row_dtype))

    def lacks(self, text: str) -> bool:
        """Return whether a text is yet to be encoded."""
        return self._cache is not None and self._key(text) not in self._cache

    def _key(self, text: str) -> bytes:
        return content_key(text, self._name)


def train_in_stages(
    family: Family,
    source: ImageSource,
    config: PretrainConfig | FinetuneConfig,
    *,
    run: Path,
    cache: Path | None,
    grid: SampleGrid | None = None,
) -> None:
    """Train each part stage after stage; each begins with the weights the last one left.

    Text encoders work on the trainer's device. With a cache they read every caption first, where
    the stages are long enough to draw them all, and are let go.

    Raises:
        InputError: a noise offset for a family that has no noise.
    """
    accelerator = default_accelerator()
    family.to(accelerator.device)
    kept = config.kept if isinstance(config, PretrainConfig) else ()
    parts = [part for part in family.parts if part not in kept]
    every = [(part, stage) for part in parts for stage in config.all_stages(part)]
    for _, stage in every:
        refuse_noise_offset(family, stage.noise_offset)
    drawn = sum(stage.steps * stage.batch_size for _, stage in every)
    if cache is not None and drawn >= sum(map(len, source.sizes())):
        share = slice(accelerator.process_index, None, accelerator.num_processes)
        texts = TextCache(family, cache, accelerator.process_index)
        encode_captions(texts, source, config.captions, share)
        accelerator.wait_for_everyone()
        family.text_encoder.rest()
    for part in parts:
        for number, stage in enumerate(config.all_stages(part), start=1):
            job = _StageJob(family, part, f"{part}-{number}", stage, config, run, cache)
            _train_stage(job, source, grid)
    family.to("cpu")


def encode_captions(texts: TextCache, source: ImageSource, mix: CaptionMix, share: slice) -> None:
    """Encode each caption that training may draw from a share of the samples, and the empty one."""
    places = [(s, row) for s, each in enumerate(source.sizes()) for row in range(len(each))][share]
    waiting = {"": None} if texts.lacks("") else {}
    bar = tqdm(places, desc="captions    ", unit="image", file=sys.stderr, mininterval=1.0)
    for shard, row in bar:
        sample = source.read(shard, row)
        each = weighted_captions(sample.caption, sample.keywords, sample.style, mix)
        waiting |= {text: None for text, _ in each if texts.lacks(text)}
        if len(waiting) >= _TEXTS:
            texts.encode(list(waiting))
            waiting = {}
    if waiting:
        texts.encode(list(waiting))


@dataclass(frozen=True)
class _StageJob:
    """One stage of one part."""

    family: Family
    part: str
    name: str
    stage: StageConfig
    config: PretrainConfig | FinetuneConfig
    run: Path
    cache: Path | None

    def loop(self) -> LoopConfig:
        """Return the part's loop at this stage's length and batch."""
        whole = self.config.part_training(self.part)
        return replace(
            whole,
            steps=self.stage.steps,
            batch_size=self.stage.batch_size,
            micro_batch_size=min(whole.micro_batch_size, self.stage.batch_size),
        )


def _train_stage(job: _StageJob, source: ImageSource, grid: SampleGrid | None) -> None:
    stage, config = job.stage, job.config
    buckets = bucket_sizes(
        stage.resolution, aspect_ratios=stage.aspect_ratios, multiple=job.family.size_multiple
    )
    order = BatchOrder(
        source.sizes(), buckets, batch_size=stage.batch_size, key=f"{config.seed} {job.name}"
    )
    trainer = Trainer(
        module=job.family.part(job.part), config=job.loop(), seed=config.seed, stage=job.name,
        run=job.run, on_save=grid.at if grid else None,
    )  # fmt: skip
    if grid:
        grid.watch(trainer)
    main = trainer.accelerator.is_main_process
    if main and order.left_out() > 0.05:
        print(
            f"{job.name}: {order.left_out():.0%} of the images do not fill a batch of their bucket "
            "in an epoch; a smaller batch_size or aspect_ratios = false would use more",
            file=sys.stderr,
        )
    reader = _Reader(source, order, buckets, trainer)
    try:
        trainer.fit(_StreamedStep(job, reader, trainer))
    finally:
        reader.close()


class _StreamedStep:
    """The step function of one stage."""

    def __init__(self, job: _StageJob, reader: _Reader, trainer: Trainer) -> None:
        self._family, self._part, self._reader = job.family, job.part, reader
        self._config, self._noise_offset = job.config, job.stage.noise_offset
        writer = trainer.accelerator.process_index
        self._text = TextCache(job.family, job.cache, writer)
        kept = job.family.prepared_for_cache(job.part, reader.buckets[0])
        if job.cache is not None and kept is not None:
            reader.cache = PreparedCache(job.family, job.part, job.cache, writer)
            for size in reader.buckets:
                reader.cache.of(size)  # opened here: the reader's threads only look

    def __call__(self, draw: StepDraw) -> StepLoss:
        draws = torch.rand((3, draw.batch_size), generator=draw)
        v = torch.rand(draw.batch_size, generator=draw)[draw.rows]
        u, u_caption, u_dropped = draws[:, draw.rows]
        reads, waited = self._reader.read(draw.step, draw.rows)
        z = self._prepared(reads)
        mix = self._config.captions
        captions = [
            "" if dropped < self._config.caption_dropout else choose(r.sample, mix, chosen)
            for r, chosen, dropped in zip(
                reads, u_caption.tolist(), u_dropped.tolist(), strict=True
            )
        ]
        text = self._text.encode(captions)
        shape = self._family.noise_shape(self._part, tuple(z.shape[1:]))
        noise = draw.noise(shape, offset=self._noise_offset, device=z.device)
        framing = torch.tensor([read.framing for read in reads])
        batch = training_batch(z, text, noise, u, v, framing)
        losses = self._family.loss(batch, self._part)
        numbers = torch.tensor([read.number for read in reads])
        return StepLoss(losses, numbers, {"data_wait_s": waited})

    def _prepared(self, reads: list[_Read]) -> Tensor:
        def compute(places: list[int]) -> Tensor:
            return self._computed([reads[i].picture for i in places])

        if self._reader.cache is None:
            return compute(list(range(len(reads))))
        cache = self._reader.cache.of(reads[0].size)
        return cache.get([r.key for r in reads], compute).float().to(self._family.device)

    @torch.no_grad()
    def _computed(self, pictures: Sequence[Bytes | None]) -> Tensor:
        held = [picture for picture in pictures if picture is not None]
        parts = []
        for part in in_parts(torch.from_numpy(np.stack(held))):
            # Prepared whole before it is stored: half precision holds unit variance well, and
            # would lose what a channel says by small changes of a large mean.
            pixels = to_unit_range(part.to(self._family.device))
            parts.append(self._family.prepare(pixels, self._part))
        return torch.cat(parts)


def choose(sample: CaptionedImage, mix: CaptionMix, u: float) -> str:
    """Return one of a sample's captions, by `u` in [0, 1)."""
    captions = weighted_captions(sample.caption, sample.keywords, sample.style, mix)
    for text, weight in captions:
        if u < weight:
            return text
        u -= weight
    return captions[-1][0]
