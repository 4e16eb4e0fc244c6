"""How images are packed for annotators: PNG that keeps every pixel, or WebP of one quality.

A campaign packs all its images alike, so that no arm is favoured. WebP comes beside smaller copies,
for screens that show an image small. Every packed file can be made longer by random bytes that
readers pass over, which is how `copies.py` hides what a file's length would tell.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from evalplatform.core.stored_images import encode_image
from evalplatform.core.transparency import Ground, on_ground

FULL = 0  # stands for the width of the image itself
LADDER = (384, 512, 768, 1024)  # widths of smaller copies, in pixels
LEAST_PADDING = 16  # random bytes that make one copy differ from another
# Ancillary, private, safe to copy: by its letters' case a reader of PNG knows that it may pass over
# it; one of WebP passes over every chunk that it does not know.
_CHUNK = b"paDd"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_WEBP_HEAD = 12  # bytes: RIFF, length, WEBP


@dataclass(frozen=True)
class Packing:
    """How a campaign's images are packed. `quality`: of WebP, 1 to 100; None: PNG.

    `widths`: of the smaller copies beside each image, ascending; PNG has none. `ground`: what is
    seen through transparent images. No file that is sent is transparent: else its header would tell
    which arm made it.
    """

    quality: int | None = None
    widths: tuple[int, ...] = ()
    ground: Ground = Ground.GREY

    @property
    def suffix(self) -> str:
        return ".png" if self.quality is None else ".webp"

    @property
    def every_width(self) -> tuple[int, ...]:
        """Of all files of an image, itself first."""
        return (FULL, *self.widths)

    @property
    def least_growth(self) -> int:
        """By how many bytes `padded` makes a file longer, at least."""
        return LEAST_PADDING + (12 if self.quality is None else 8)

    def pack(self, image: Image.Image) -> Iterator[tuple[int, bytes]]:
        """Yield (width, file) for the image and each smaller copy.

        An image that is narrower than a width stays as large as it is.
        """
        image = on_ground(image, self.ground)
        if self.quality is None:
            yield FULL, encode_image(image)
            return
        for width in self.every_width:
            yield width, _webp(narrowed(image, width), self.quality)

    def padded(self, content: bytes, length: int, seed: bytes) -> bytes:
        """Return the file with a chunk of random bytes that makes it `length` bytes long.

        They are random, by `seed`, so that no compression on the way makes it shorter. Raises
        `ValueError` where it is too long already or no file of this kind.
        """
        add = _padded_png if self.quality is None else _padded_webp
        return add(content, length, np.random.default_rng(int.from_bytes(seed[:16], "big")))

    def unpadded(self, content: bytes) -> bytes:
        """Return the file without the chunk that `padded` put in; one without it as it is."""
        return (_unpadded_png if self.quality is None else _unpadded_webp)(content)


def name_at(name: str, width: int) -> str:
    """Return the storage name of a shown file's smaller copy; that of `FULL` is the file's own."""
    path = PurePosixPath(name)
    return str(path.with_stem(f"{path.stem}-{width}")) if width else name


def narrowed(image: Image.Image, width: int) -> Image.Image:
    """Return the image at a width, where it is wider."""
    if not width or image.width <= width:
        return image
    size = (width, max(1, round(image.height * width / image.width)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _padded_png(content: bytes, length: int, rng: np.random.Generator) -> bytes:
    count = length - len(content) - 12
    if not content.endswith(_END) or count < 0:
        raise ValueError(f"no PNG that ends as such, or one of more than {length} bytes")
    body = _CHUNK + rng.bytes(count)
    chunk = struct.pack(">I", count) + body + struct.pack(">I", zlib.crc32(body))
    return content[: -len(_END)] + chunk + _END


def _unpadded_png(content: bytes) -> bytes:
    place = 8  # behind the signature
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big") + 12
        if content[place + 4 : place + 8] == _CHUNK:
            return content[:place] + content[place + length :]
        place += length
    return content


def _webp(image: Image.Image, quality: int) -> bytes:
    """Return `image` as lossy WebP in the extended format, which may hold chunks of others.

    The container: https://developers.google.com/speed/webp/docs/riff_container.
    """
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality)
    content = buffer.getvalue()
    if content[_WEBP_HEAD : _WEBP_HEAD + 4] == b"VP8X":
        return content
    size = b"".join((side - 1).to_bytes(3, "little") for side in image.size)
    return _riff(b"VP8X" + struct.pack("<II", 10, 0) + size + content[_WEBP_HEAD:])


def _riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _padded_webp(content: bytes, length: int, rng: np.random.Generator) -> bytes:
    count = length - len(content) - 8
    if content[:4] + content[8:16] != b"RIFFWEBPVP8X" or count < 0 or count % 2:
        raise ValueError(f"no extended WebP, or {length} bytes is too short or odd")
    return _riff(content[_WEBP_HEAD:] + _CHUNK + struct.pack("<I", count) + rng.bytes(count))


def _unpadded_webp(content: bytes) -> bytes:
    place = _WEBP_HEAD
    while place + 8 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == _CHUNK:
            return _riff(content[_WEBP_HEAD:place] + content[place + 8 + length :])
        place += 8 + length + length % 2
    return content
