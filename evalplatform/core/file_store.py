"""Objects as files, each written whole or not at all."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage

from evalplatform.core.files import write_pieces

_PIECE = 1 << 16


class FileStore(FileSystemStorage):
    """Django's file system storage for objects whose name says their content.

    A worker killed while it writes leaves no half image under a good name, and a second worker
    that saves the same object gets the same name.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: File) -> str:
        write_pieces(Path(self.path(name)), content.chunks())
        return name

    def pieces(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return an object, or so many of its bytes from `start`, piece by piece.

        Raises `FileNotFoundError` at once.
        """
        if not self.exists(name):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self._chunks(name, start, length)

    def _chunks(self, name: str, start: int, length: int | None) -> Iterator[bytes]:
        with self.open(name) as file:
            file.seek(start)
            while length is None or length > 0:
                piece = file.read(_PIECE if length is None else min(_PIECE, length))
                if not piece:
                    return
                length = None if length is None else length - len(piece)
                yield piece
