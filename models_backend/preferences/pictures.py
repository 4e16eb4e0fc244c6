"""The images of a preference set: PNG files named by the SHA-256 of what they hold."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from models_backend.data.pictures import decode
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes, temporary_sibling

FOLDER = "images"


class ImageStore:
    """Takes images in, and gives them back if they are still what their name says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def add(self, data: bytes, name: str) -> str:
        """Keep an encoded image; return the SHA-256 that names it.

        A PNG without transparency stays as it is; anything else is written as RGB, on white.

        Raises:
            InputError: not an image, cut short, or of more than 8 bits a channel.
        """
        picture = decode(data, name)
        if not _is_plain_png(data):
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            data = buffer.getvalue()
        digest = sha256_of_bytes(data)
        path = self.path_of(digest)
        if not path.exists():
            _write(path, data)
        return digest

    def add_file(self, path: Path) -> str:
        """Keep an image file.

        Raises:
            InputError: it is missing, or no image.
        """
        try:
            return self.add(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}); give the folder of the images",
                by_command="`--images` names it.",
            ) from None

    def path_of(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.png"

    def bytes_of(self, sha256: str) -> bytes:
        """Return an image's file.

        Raises:
            InputError: it is missing or was changed.
        """
        path = self.path_of(sha256)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} is missing ({error.strerror}); copy the set again") from None
        if sha256_of_bytes(data) != sha256:
            raise InputError(f"{path} was changed: its hash is another; copy the set again")
        return data


def _write(path: Path, data: bytes) -> None:
    """Write a file whole. What a power cut loses of it is found by its hash: no waiting here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = temporary_sibling(path)
    partial.write_bytes(data)
    partial.replace(path)


def _is_plain_png(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as picture:
        plain = picture.format == "PNG" and picture.mode == "RGB"
        return plain and "transparency" not in picture.info
