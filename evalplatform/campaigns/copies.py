"""What annotators are sent: copies of images, all of one length, each with bytes of its own.

A smaller file would tell what is in it: a smoother checkpoint, a damaged gold image. A file that
came before would tell a repeat. So when a campaign opens, every image it shows is stored once for
each way it is shown, with as many random bytes in a chunk of its own as make all files of the
campaign equally long. Readers of PNG pass over a chunk they do not know: the pixels stay untouched.
"""

import hashlib
import struct
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from evalplatform.campaigns.images import Size, open_stored
from evalplatform.core.errors import BadInputError
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.stored_images import encode_image

Progress = Callable[[int, int], None]  # made, of how many
T = TypeVar("T")
R = TypeVar("R")
_THREADS = 8  # reading and writing, which a distant store takes its time for
# Ancillary, private, safe to copy: by its letters' case a reader knows that it may pass over it.
_CHUNK = b"paDd"
_CHUNK_FRAME = 12  # bytes: length, name and checksum
_LEAST_PADDING = 16  # random bytes that make one copy differ from another
_END = b"\0\0\0\0IEND\xaeB`\x82"


class Source(NamedTuple):
    """An image in object storage, and the size at which it is shown; None: its own."""

    name: str
    size: Size | None = None


class Copy(NamedTuple):
    """One way in which an image is shown; no two have the same bytes.

    `number`: which copy of its set it is; `context`: which set, where sets do not share copies.
    """

    source: Source
    number: int
    context: int = 0


class CopyStore:
    """Stores a campaign's copies: all of them, or after `discard` none.

    `key` is known to the campaign alone. A copy's name depends on it, so an opening that was killed
    goes on with the files it left, and no other campaign uses them.
    """

    def __init__(self, key: str, on_progress: Progress = lambda made, total: None) -> None:
        self._key = key
        self.length = 0  # bytes of each file stored, at least
        self._on_progress = on_progress
        self._stored: list[str] = []

    def store(self, copies: Collection[Copy]) -> dict[Copy, str]:
        """Store every copy at the length of the longest, and return their names.

        Takes about the time of reading every source and writing every copy once.
        """
        by_source: dict[Source, list[Copy]] = {}
        for copy in copies:
            by_source.setdefault(copy.source, []).append(copy)
        with tempfile.TemporaryDirectory() as folder:
            opened = [_Opened(source, Path(folder)) for source in by_source]
            lengths = list(_all(_Opened.prepare, opened))
            needed = max(lengths, default=0) + _CHUNK_FRAME + _LEAST_PADDING
            self.length = max(needed, self.length)
            return self._write(opened, by_source, self.length)

    def match(self, length: int) -> None:
        """Store nothing shorter than what the campaign shows already, in bytes."""
        self.length = length

    def lengthen(self, names: Iterable[str]) -> dict[str, str]:
        """Store files that are shown already once more, at the present length; return new names."""

        def store(name: str) -> tuple[str, str]:
            seed = hashlib.sha256(f"{self._key}\n{name}\n{self.length}".encode()).digest()
            longer = f"shown/{seed.hex()[:2]}/{seed.hex()}.png"
            if not default_storage.exists(longer):
                with default_storage.open(name) as file:
                    content = padded(unpadded(bytes(file.read())), self.length, seed)
                self._stored.append(longer)
                default_storage.save(longer, ContentFile(content))
            return name, longer

        return dict(_all(store, names))

    def discard(self) -> None:
        """Remove what was stored, since the campaign did not open; what cannot be stays."""
        with suppress(OSError, ObjectStorageError):
            while self._stored:
                default_storage.delete(self._stored.pop())

    def _write(
        self, opened: Collection["_Opened"], by_source: dict[Source, list[Copy]], length: int
    ) -> dict[Copy, str]:
        total = sum(len(each) for each in by_source.values())
        names: dict[Copy, str] = {}

        def write(each: _Opened) -> dict[Copy, str]:
            return {copy: self._save(copy, each, length) for copy in by_source[each.source]}

        for made in _all(write, opened):
            names |= made
            self._on_progress(len(names), total)
        return names

    def _save(self, copy: Copy, opened: "_Opened", length: int) -> str:
        seed = hashlib.sha256(f"{self._key}\n{copy!r}\n{length}".encode()).digest()
        name = f"shown/{seed.hex()[:2]}/{seed.hex()}.png"
        if not default_storage.exists(name):
            self._stored.append(name)
            default_storage.save(name, ContentFile(padded(opened.read(), length, seed)))
        return name


def padded(png: bytes, length: int, seed: bytes) -> bytes:
    """Return the PNG with a chunk before its end that makes it `length` bytes long.

    The chunk's bytes are random, by `seed`, so that no compression on the way makes it shorter.
    """
    count = length - len(png) - _CHUNK_FRAME
    if not png.endswith(_END) or count < 0:
        raise ValueError(f"no PNG that ends as such, or one of more than {length} bytes")
    generator = np.random.default_rng(int.from_bytes(seed[:16], "big"))
    body = _CHUNK + generator.bytes(count)
    chunk = struct.pack(">I", count) + body + struct.pack(">I", zlib.crc32(body))
    return png[: -len(_END)] + chunk + _END


def unpadded(png: bytes) -> bytes:
    """Return the PNG without the chunk that `padded` put in; one without it as it is."""
    place = 8  # behind the signature
    while place + _CHUNK_FRAME <= len(png):
        length = int.from_bytes(png[place : place + 4], "big") + _CHUNK_FRAME
        if png[place + 4 : place + 8] == _CHUNK:
            return png[:place] + png[place + length :]
        place += length
    return png


class _Opened:
    """An image as bytes of PNG; one that has to be drawn anew for its size is drawn once."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self._folder = folder
        self._drawn: Path | None = None

    def prepare(self) -> int:
        """Return the length in bytes."""
        name, size = self.source
        try:
            if size is None:
                return default_storage.size(name)
            content = encode_image(open_stored(name, size))
        except FileNotFoundError as error:
            raise BadInputError(
                f"the image {name} is missing in object storage; bring it back from a copy, or "
                "have it made again under another --name."
            ) from error
        self._drawn = self._folder / hashlib.sha256(f"{self.source!r}".encode()).hexdigest()
        self._drawn.write_bytes(content)
        return len(content)

    def read(self) -> bytes:
        if self._drawn:
            return self._drawn.read_bytes()
        with default_storage.open(self.source.name) as file:
            return bytes(file.read())


def _all(do: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Do it to all, several at once; when one fails, or nobody waits any more, begin no other."""
    pool = ThreadPoolExecutor(_THREADS, "copies")
    try:
        yield from pool.map(do, items)
    finally:
        pool.shutdown(cancel_futures=True)
