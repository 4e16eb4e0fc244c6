"""A folder of images whose names say the prompt: by its key or its text, and the seed.

`12.png` · `12/0.png` · `12_7.png` (prompt 12, seed 7), and the same with a prompt's text in the
number's place. Folders between the first and the file mean nothing.
"""

from collections.abc import Iterator
from pathlib import Path

from evalplatform.core.errors import BadInputError
from evalplatform.images.faults import RowError
from evalplatform.images.matching import PromptMatcher
from evalplatform.images.reading.rows import GivenImage, RowReader, given_image

# What is an image by its name; some are refused when they are read, which says so.
_SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff",
    ".heic", ".heif", ".jxl", ".jp2", ".svg", ".psd",
}  # fmt: skip


class NamedFiles(RowReader):
    """The images of a folder and those below it, in the order of their paths."""

    def __init__(self, path: Path, matcher: PromptMatcher | None) -> None:
        self._folder = path
        self._matcher = matcher
        self._files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")
        )
        if not self._files:
            raise BadInputError(
                f"{path} holds no images; give a folder with image files, or one with a manifest "
                "(manifest.jsonl, .csv or .parquet)."
            )

    def _located(self) -> Iterator[tuple[str, Path]]:
        return ((str(file.relative_to(self._folder)), file) for file in self._files)

    def _row(self, where: str, file: Path) -> GivenImage:
        if self._matcher is None:
            return given_image(where, {}, {}, file)
        folders = file.relative_to(self._folder).parent.parts
        if folders:
            key, seed = self._key(folders[0]), file.stem
            if not seed.isdigit():
                raise RowError("row", "in a folder of one prompt, name images by seed: 0.png")
        else:
            key, seed = self._split(file.stem)
        return given_image(where, {"key": key, "seed": seed}, {}, file)

    def _split(self, stem: str) -> tuple[str, str]:
        """Return key and seed of a name: all of it is the key where a prompt is called so."""
        assert self._matcher is not None
        whole = self._matcher.from_name(stem)
        head, _, tail = stem.rpartition("_")
        if whole is None and head and tail.isdigit():
            return self._key(head), tail
        return self._key(stem), ""

    def _key(self, name: str) -> str:
        assert self._matcher is not None
        prompt = self._matcher.from_name(name)
        if prompt is None:
            raise RowError("unmatched", f"{name[:60]!r} is neither key nor text of a prompt")
        return str(prompt.position)
