"""Image files as other people make them, and tables that name them."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests import factories

ORIENTATION = 0x0112


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(seed: int = 1, size: int = 16) -> bytes:
    return encoded(factories.make_image(seed, size))


def turned_jpeg() -> bytes:
    """A JPEG that lies on its side: its left half is red, and is the upper half when upright."""
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:, :16] = (255, 0, 0)
    pixels[:, 16:] = (0, 0, 255)
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn clockwise by a quarter to see it upright
    exif[0x010F] = "secret-camera"
    return encoded(Image.fromarray(pixels), "JPEG", quality=95, exif=exif)


def animated_gif(frames: int = 3) -> bytes:
    images = [factories.make_image(seed) for seed in range(frames)]
    return encoded(images[0], "GIF", save_all=True, append_images=images[1:])


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def jsonl(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet(path: Path, rows: list[dict], schema=None) -> Path:
    import pyarrow
    from pyarrow import parquet as files

    files.write_table(pyarrow.Table.from_pylist(rows, schema=schema), path, row_group_size=3)
    return path
