"""Images that are too small, enlarged by a pixel-diffusion upsampler, beside their originals.

Emu enlarges tuning images below its size by such a model (section 4.1). What it adds was never in
the picture, so each enlarged file has its lineage beside it, and the original stays.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import statistics
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from models_backend import checkpoints
from models_backend.curation.reading import read_picture
from models_backend.data.curated import CURATION
from models_backend.data.manifest import (
    FORMAT,
    MANIFEST_NAME,
    MARK_NAME,
    Record,
    dump_records,
    manifest_sha256,
    read_records,
)
from models_backend.errors import InputError
from models_backend.families.pictures import to_pictures
from models_backend.families.pixel_diffusion.model import PixelDiffusion
from models_backend.families.settings import SamplingSettings
from models_backend.files import sha256_of_bytes, write_bytes_atomically, write_json_atomically
from models_backend.nn.pixels import to_unit_range

FOLDER = "upscaled"
MOST_PASSES = 4
_MOST_SIDE = 2048


@dataclass(frozen=True)
class Upscaler:
    """Which weights enlarge, and how."""

    model: PixelDiffusion
    sha256: str
    min_side: int
    settings: SamplingSettings
    seed: int = 0

    @classmethod
    def load(cls, weights: Path, *, min_side: int, steps: int, seed: int) -> Upscaler:
        """Load a checkpoint of pixel diffusion.

        Raises:
            InputError: another family, a base alone, or a size out of range.
        """
        if not 1 <= min_side <= _MOST_SIDE:
            raise InputError(f"--min-side {min_side}: accepted are 1 to {_MOST_SIDE}")
        model = checkpoints.load_pipeline(weights)
        if not isinstance(model, PixelDiffusion) or model.upscaling[0] == 1:
            raise InputError(
                f"{weights} is no pixel diffusion with an upsampler; such is "
                "models_backend/recorded/pixel_pretrained"
            )
        settings = SamplingSettings(steps=steps, guidance_scale=1.0)
        return cls(model, checkpoints.sha256_of(weights), min_side, settings, seed)

    def enlarge(self, image: Image.Image, caption: str) -> tuple[Image.Image, int]:
        """Return an image whose shorter side is `min_side`, and how often it was enlarged.

        It is enlarged until it is as large or larger, then fitted.

        Raises:
            InputError: more than four times would be needed.
        """
        passes, target = 0, _fitted(image.size, self.min_side)
        while min(image.size) < self.min_side:
            if passes == MOST_PASSES:
                raise InputError(f"{image.size} is too small to be enlarged to {self.min_side}")
            image = self._once(image, caption)
            passes += 1
        return image.resize(target, Image.Resampling.LANCZOS), passes

    def _once(self, image: Image.Image, caption: str) -> Image.Image:
        factor, whole = self.model.upscaling
        pixels = np.asarray(image)
        height, width = pixels.shape[:2]
        beside = ((0, -height % whole), (0, -width % whole), (0, 0))
        padded = np.pad(pixels, beside, mode="edge").transpose(2, 0, 1)
        small = to_unit_range(torch.from_numpy(np.ascontiguousarray(padded))[None])
        large = self.model.upscale(
            small, captions=[caption], seeds=[self.seed], settings=self.settings
        )
        return to_pictures(large)[0].crop((0, 0, width * factor, height * factor))


def _fitted(size: tuple[int, int], min_side: int) -> tuple[int, int]:
    scale = min_side / min(size)
    return round(size[0] * scale), round(size[1] * scale)


def shrunk_back(large: Image.Image, original: Image.Image) -> float:
    """Return the PSNR in dB of an enlarged image, shrunk to its original's size, beside that.

    An interpolation has 35 and more. Much less says that the upsampler changed the picture, and not
    only made it larger.
    """
    small = np.asarray(large.resize(original.size, Image.Resampling.BOX), dtype=np.float64)
    error = float(np.mean((small - np.asarray(original, dtype=np.float64)) ** 2))
    return 99.0 if error == 0 else min(99.0, 10 * math.log10(255**2 / error))


@dataclass(frozen=True)
class Enlarged:
    """What became of a data set."""

    images: int
    enlarged: int
    shrunk_back_db: float | None
    """Median of :func:`shrunk_back` over what was enlarged; None where nothing was."""


def upscale(data: Path, upscaler: Upscaler, out: Path) -> Enlarged:
    """Write a data set in which no image's shorter side is below the upscaler's; return counts.

    Its manifest names enlarged images where there are any; every original lies where it lay, and
    `upscaled/HASH-OF-THE-ORIGINAL.json` says what an enlarged one was made of, and how far it is
    from that. Killed, the same call goes on.

    Raises:
        InputError: no finished data set, or a folder that holds another one.
    """
    records, source = read_records(data), manifest_sha256(data)
    if (out / MARK_NAME).exists():
        raise InputError(f"{out} holds a finished data set; give another folder, or remove it")
    bar = tqdm(records, desc="upscale", unit="image", file=sys.stderr, mininterval=1.0)
    done = [_one(record, data, upscaler, out) for record in bar]
    manifest = dump_records(done)
    write_bytes_atomically(out / MANIFEST_NAME, manifest)
    if (data / CURATION).is_file():
        shutil.copyfile(data / CURATION, out / CURATION)
    enlarged = [made for made, given in zip(done, records, strict=True) if made != given]
    kept = [_told(out / record.file)["shrunk_back_db"] for record in enlarged]
    median = round(statistics.median(kept), 1) if kept else None
    write_json_atomically(out / MARK_NAME, {
        "format": FORMAT, "images": len(done), "manifest_sha256": sha256_of_bytes(manifest),
        "upscaled": len(enlarged), "upscaled_shrunk_back_db": median,
        "upscaled_from_manifest_sha256": source, "upscaled_by_sha256": upscaler.sha256,
    })  # fmt: skip
    return Enlarged(len(done), len(enlarged), median)


def _told(enlarged: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(enlarged.with_suffix(".json").read_text())
    return told


def _one(record: Record, data: Path, upscaler: Upscaler, out: Path) -> Record:
    original = (data / record.file).read_bytes()
    write_bytes_atomically(out / record.file, original)
    image = read_picture(original).image
    if min(image.size) >= upscaler.min_side:
        return record
    file = f"{FOLDER}/{record.sha256}.png"
    told = _lineage(record, image, upscaler)
    beside = (out / file).with_suffix(".json")
    if beside.is_file():
        known = _told(out / file)
        same = all(known.get(key) == value for key, value in told.items())
        if same and sha256_of_bytes((out / file).read_bytes()) == known["sha256"]:
            return replace(record, file=file, sha256=known["sha256"])
    large, passes = upscaler.enlarge(image, record.caption)
    buffer = io.BytesIO()
    large.save(buffer, format="PNG")
    write_bytes_atomically(out / file, buffer.getvalue())
    sha256 = sha256_of_bytes(buffer.getvalue())
    write_json_atomically(beside, told | {
        "sha256": sha256, "passes": passes, "shrunk_back_db": round(shrunk_back(large, image), 1),
    })  # fmt: skip
    return replace(record, file=file, sha256=sha256)


def _lineage(record: Record, image: Image.Image, upscaler: Upscaler) -> dict[str, Any]:
    return {
        "original_file": record.file, "original_sha256": record.sha256,
        "original_size": list(image.size), "min_side": upscaler.min_side,
        "weights_sha256": upscaler.sha256, "seed": upscaler.seed,
        "sampling": asdict(upscaler.settings),
    }  # fmt: skip
