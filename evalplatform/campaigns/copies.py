"""What annotators are sent: copies of images, all of one length, each with bytes of its own.

A smaller file would tell what is in it: a smoother checkpoint, a damaged gold image. A file that
came before would tell a repeat. So when a campaign opens, every image it shows is stored once for
each way it is shown, with as many random bytes in a chunk of its own as make all files of the
campaign equally long. Smaller copies beside them are of one length each, too. How files are packed
and made longer: packing.py.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from evalplatform.campaigns.images import Size, open_stored
from evalplatform.campaigns.packing import FULL, Packing, name_at
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.stored_images import keeps_alpha
from evalplatform.core.telling import tell_nobody

Progress = Callable[[int, int], None]  # made, of how many
_ABANDONED = 7 * 24 * 3600  # seconds
T = TypeVar("T")
R = TypeVar("R")
_THREADS = 8  # reading and writing, which a distant store takes its time for
Lengths = dict[int, int]  # of files in bytes, by width


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
    goes on with the files it left, and no other campaign uses them. What was packed by then is kept
    too: `on_packed` is told how many images of how many are packed, `on_progress` how many copies
    are stored.
    """

    def __init__(
        self, key: str, on_progress: Progress = tell_nobody, on_packed: Progress = tell_nobody
    ) -> None:
        self._key = key
        self.lengths: Lengths = {}  # of each file stored, at least
        self.on_progress, self.on_packed = on_progress, on_packed
        self._stored = bytearray()  # names, a line each: less than half of what a list takes

    @contextmanager
    def packed(self, packing: Packing) -> Iterator["Packed"]:
        """Take copies by the batch: first the length of all, then their storing.

        What is packed lies in a folder of this campaign's until all is stored, so that after a kill
        or a fault nothing is packed twice.
        """
        root = Path(settings.VAR_DIR) / "packing"
        _remove_abandoned(root)
        folder = root / hashlib.sha256(f"{self._key}\n{packing!r}".encode()).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        yield Packed(self, packing, folder)
        shutil.rmtree(folder, ignore_errors=True)

    def store(self, copies: Collection[Copy], packing: Packing) -> dict[Copy, str]:
        """Store every copy at the length of the longest, and return their names.

        Beside each, under `name_at`, lie its smaller copies, those of one width all of one length.
        Takes about the time of reading every source and writing every copy once; WebP also that of
        packing every source at every width.
        """
        with self.packed(packing) as packed:
            packed.measure(copies)
            return packed.write(copies)

    def match(self, lengths: Lengths) -> None:
        """Store nothing shorter than what the campaign shows already."""
        self.lengths = dict(lengths)

    def lengthen(self, names: Iterable[str], packing: Packing) -> dict[str, str]:
        """Store files that are shown already once more, at the present lengths; return new names.

        Their smaller copies come with them.
        """

        def store(name: str) -> tuple[str, str]:
            def read(width: int) -> bytes:
                with default_storage.open(name_at(name, width)) as file:
                    return packing.unpadded(bytes(file.read()))

            return name, self.save(self.seed(name), packing, read)

        return dict(_all(store, names))

    def discard(self) -> None:
        """Remove what was stored, since the campaign did not open; what cannot be stays."""
        with suppress(OSError, ObjectStorageError):
            for name in self._stored.decode().splitlines():
                default_storage.delete(name)
            self._stored.clear()

    def seed(self, what: str) -> bytes:
        """Return what names a file: this campaign, what it shows, and the present lengths."""
        lengths = sorted(self.lengths.items())
        return hashlib.sha256(f"{self._key}\n{what}\n{lengths}".encode()).digest()

    def save(self, seed: bytes, packing: Packing, read: Callable[[int], bytes]) -> str:
        """Store a file and its smaller copies, unless they are there; return the file's name."""
        whole = f"shown/{seed.hex()[:2]}/{seed.hex()}{packing.suffix}"
        for width in packing.every_width:
            name = name_at(whole, width)
            if not default_storage.exists(name):
                own = hashlib.sha256(seed + width.to_bytes(4, "big")).digest()
                self._stored += f"{name}\n".encode()
                content = packing.padded(read(width), self.lengths[width], own)
                default_storage.save(name, ContentFile(content))
        return whole


class Packed:
    """Images that are packed once and stored as copies, some at a time; nothing is kept of them.

    All are measured before the first is written: no file is longer than another.
    """

    def __init__(self, store: CopyStore, packing: Packing, folder: Path) -> None:
        self._store, self._packing, self._folder = store, packing, folder
        self._total = self._made = 0

    def measure(self, copies: Collection[Copy], looked: int = 0, of: int = 0) -> int:
        """Pack the sources of some copies; from now on all files are as long as theirs.

        `looked` images of `of` were measured before, which is told. Returns how many are now, a
        source counted once.
        """
        lengths = self._store.lengths
        opened = [self._opened(source) for source in dict.fromkeys(each.source for each in copies)]
        number = looked
        for number, found in enumerate(_all(_Opened.prepare, opened), start=looked + 1):
            for width, length in found.items():
                lengths[width] = max(length + self._packing.least_growth, lengths.get(width, 0))
            if of:
                self._store.on_packed(min(number, of), of)
        self._total += len(copies)
        return number

    def write(self, copies: Collection[Copy]) -> dict[Copy, str]:
        """Store copies that were measured, and return their names."""
        by_source: dict[Source, list[Copy]] = {}
        for copy in copies:
            by_source.setdefault(copy.source, []).append(copy)
        names: dict[Copy, str] = {}
        before = self._made

        def write(source: Source) -> dict[Copy, str]:
            read, store = self._opened(source).read, self._store
            return {
                copy: store.save(store.seed(repr(copy)), self._packing, read)
                for copy in by_source[source]
            }

        for made in _all(write, by_source):
            names |= made
            self._made = before + len(names)
            self._store.on_progress(self._made, self._total)
        return names

    def _opened(self, source: Source) -> "_Opened":
        return _Opened(source, self._packing, self._folder)


class _Opened:
    """An image as packed files by width, packed once however often it is copied."""

    def __init__(self, source: Source, packing: Packing, folder: Path) -> None:
        self.source, self.packing = source, packing
        self._packed = folder / hashlib.sha256(f"{source!r}".encode()).hexdigest()

    def prepare(self) -> Lengths:
        """Return the lengths in bytes, by width."""
        name = self.source.name
        if lengths := self._packed_before():
            return lengths
        try:
            if self._is_shown_as_it_is():
                return {FULL: default_storage.size(name)}
            image = open_stored(name, self.source.size, self.packing.ground)
        except FileNotFoundError as error:
            raise BadInputError(
                f"the image {name} is missing in object storage; bring it back from a copy, or "
                "have it made again for a campaign of another name."
            ) from error
        for width, content in self.packing.pack(image):
            write_whole(self._path(width), content)
            lengths[width] = len(content)
        return lengths

    def _packed_before(self) -> Lengths:
        """Return the lengths of what is packed already; nothing where a file of it is missing."""
        with suppress(FileNotFoundError):
            return {width: self._path(width).stat().st_size for width in self.packing.every_width}
        return {}

    def _is_shown_as_it_is(self) -> bool:
        """Whether the stored PNG is what is shown: at its own size, and opaque."""
        return (
            self.source.size is None
            and self.packing.quality is None
            and not keeps_alpha(self.source.name)
        )

    def read(self, width: int) -> bytes:
        """Return the packed file of a width; nothing was packed where the stored one is shown."""
        with suppress(FileNotFoundError):
            return self._path(width).read_bytes()
        with default_storage.open(self.source.name) as file:
            return bytes(file.read())

    def _path(self, width: int) -> Path:
        return self._packed.with_suffix(f".{width}")


def _remove_abandoned(root: Path) -> None:
    """Remove what was packed for openings that nobody went on with for a week."""
    for folder in root.glob("*"):
        with suppress(FileNotFoundError):  # another process has just removed its own
            if time.time() - folder.stat().st_mtime > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


def _all(do: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Do it to all, several at once; when one fails, or nobody waits any more, begin no other."""
    pool = ThreadPoolExecutor(_THREADS, "copies")
    try:
        yield from pool.map(do, items)
    finally:
        pool.shutdown(cancel_futures=True)
