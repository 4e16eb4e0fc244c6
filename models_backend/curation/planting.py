"""A haystack whose needles are known: a data set with spoilt images, text and copies planted in it.

What the automatic rules remove can then be counted. Each planted image is made from one of the
set's own; `metadata.jsonl` tells which kind it is, in the field `planted`, which no scorer reads.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from models_backend.data.manifest import Record, read_records
from models_backend.data.pictures import decode
from models_backend.errors import InputError
from models_backend.files import write_bytes_atomically

_WORDS = ("SALE TODAY ONLY", "CLICK HERE NOW", "FREE PHOTO STOCK", "BUY ONE GET TWO", "NEW OFFER")
Maker = Callable[[Image.Image, np.random.Generator], Image.Image]


def blurred(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur by a 16th to an 8th of the longer side."""
    radius = max(image.size) * rng.uniform(1 / 16, 1 / 8)
    return image.filter(ImageFilter.GaussianBlur(radius))


def noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Replace three to six tenths of the pixels by random colours."""
    pixels = np.asarray(image)
    hit = rng.random(pixels.shape[:2]) < rng.uniform(0.3, 0.6)
    colours = rng.integers(0, 256, pixels.shape, dtype=np.uint8)
    return Image.fromarray(np.where(hit[..., None], colours, pixels))


def darkened(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Leave a tenth to a fifth of the light."""
    return ImageEnhance.Brightness(image).enhance(rng.uniform(0.1, 0.2))


def lettered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Enlarge it to 256 pixels at least and write words across it, as a watermark has them."""
    scale = max(1.0, 256 / max(image.size))
    large = image.resize((round(image.width * scale), round(image.height * scale)))
    canvas = ImageDraw.Draw(large)
    font = ImageFont.load_default(size=large.width / 9)
    words = _WORDS[int(rng.integers(len(_WORDS)))].split()
    for line in range(2):
        top = large.height * (0.15 + 0.5 * line + rng.uniform(0, 0.15))
        text = " ".join(words[line * 2 : line * 2 + 2]) or words[0]
        canvas.text((large.width * 0.06, top), text, "black", font, stroke_width=3,
                    stroke_fill="white")  # fmt: skip
    return large


def copied(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Enlarge it by a fifth to a half, brighten it a little and save it as JPEG."""
    scale = rng.uniform(1.2, 1.5)
    larger = image.resize((round(image.width * scale), round(image.height * scale)))
    return _compressed(ImageEnhance.Brightness(larger).enhance(rng.uniform(0.97, 1.03)))


def cropped(image: Image.Image, rng: np.random.Generator, *, most: float = 1 / 25) -> Image.Image:
    """Cut up to `most` off each side, bring the rest to the size it had, save it as JPEG."""
    left, top, right, bottom = rng.uniform(0, most, 4)
    box = (image.width * left, image.height * top,
           image.width * (1 - right), image.height * (1 - bottom))  # fmt: skip
    return _compressed(image.resize(image.size, Image.Resampling.BICUBIC, box=box))


def widely_cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut up to a twelfth off each side."""
    return cropped(image, rng, most=1 / 12)


def _compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=85)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


MAKERS: dict[str, Maker] = {
    "blurred": blurred, "noisy": noisy, "darkened": darkened, "text": lettered, "copy": copied,
    "crop": cropped, "wide_crop": widely_cropped,
}  # fmt: skip


def plant(data: Path, out: Path, counts: dict[str, int], *, seed: int = 0) -> dict[str, int]:
    """Write the images of a data set with so many planted ones of each kind; return the counts.

    Raises:
        InputError: no finished data set, an unknown kind, more than there are images, or a folder
            that is not empty.
    """
    records = read_records(data)
    for kind, count in counts.items():
        if kind not in MAKERS:
            raise InputError(f"no kind {kind!r} to plant; there are {', '.join(MAKERS)}")
        if not 0 <= count <= len(records):
            raise InputError(f"{kind} {count}: give 0 to {len(records)}, one an image at most")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is not empty")
    rng = np.random.default_rng(seed)
    lines = [_line(record, "", _write(out, record.file, (data / record.file).read_bytes()))
             for record in records]  # fmt: skip
    for kind, count in counts.items():
        for number in rng.choice(len(records), count, replace=False).tolist():
            record = records[number]
            image = decode((data / record.file).read_bytes(), record.file)
            buffer = io.BytesIO()
            MAKERS[kind](image, rng).save(buffer, format="PNG")
            file = f"planted/{kind}-{number:06d}.png"
            lines.append(_line(record, kind, _write(out, file, buffer.getvalue())))
    write_bytes_atomically(out / "metadata.jsonl", ("\n".join(lines) + "\n").encode())
    return {"clean": len(records), **counts}


def _write(out: Path, file: str, data: bytes) -> str:
    write_bytes_atomically(out / file, data)
    return file


def _line(record: Record, kind: str, file: str) -> str:
    told = {
        "file_name": file, "caption": record.caption, "concept": record.concept,
        "category": record.category, "licence": record.licence, "planted": kind,
    }  # fmt: skip
    return json.dumps(told, sort_keys=True, ensure_ascii=False)
