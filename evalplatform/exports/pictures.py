"""The images of an export: encoded for its rows, or copied beside them once each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.transparency import Ground, on_ground

_QUALITY = 95
FOLDER = "images"


@dataclass
class StoredPictures:
    """Images out of the object store; `lost` counts those that are not there."""

    folder: Path
    format: str
    marks_missing: bool
    lost: set[str] = field(default_factory=set)
    copied: set[str] = field(default_factory=set)

    def bytes_of(self, files: Sequence[str | None]) -> list[bytes | None]:
        """Return the encoded images; None for those of imported votes, which are elsewhere."""
        return [self._encoded(each) if each else None for each in files]

    def paths_of(
        self, files: Sequence[str | None], digests: Sequence[str | None]
    ) -> list[str | None]:
        """Return where the files lie below the export's folder."""
        return [
            self._copied(file, digest) if file and digest else None
            for file, digest in zip(files, digests, strict=True)
        ]

    def _copied(self, file: str, digest: str) -> str | None:
        name = f"{FOLDER}/{digest[:2]}/{digest}.{self.format}"
        if name not in self.copied:
            path = self.folder / name
            if not path.exists():
                content = self._encoded(file)
                if content is None:
                    return None
                write_whole(path, content)
            self.copied.add(name)
        return name

    def _encoded(self, file: str) -> bytes | None:
        try:
            with default_storage.open(file) as stored:
                content = bytes(stored.read())
        except FileNotFoundError as error:
            self.lost.add(file)
            if self.marks_missing:
                return None
            raise BadInputError(
                f"image {file} is not in the object store; restore it, have such images marked as "
                "missing, or export without images.",
                by_command="--missing-images mark or --images none does it.",
            ) from error
        if self.format == "png":
            return content
        packed = io.BytesIO()
        with Image.open(io.BytesIO(content)) as image:
            on_ground(image, Ground.WHITE).save(packed, "JPEG", quality=_QUALITY, subsampling=0)
        return packed.getvalue()
