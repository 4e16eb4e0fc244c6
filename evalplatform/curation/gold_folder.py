"""Images that a researcher knows to be excellent or bad: hidden checks, and examples.

A folder with any of `excellent/` and `bad/` (mixed in unseen) and `accepted/` and `rejected/`
(shown beside the guideline). Beside an example `NAME.txt` may say why, in one line.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from evalplatform.campaigns.images import Size, fit_on_grey
from evalplatform.campaigns.models import ImageSet
from evalplatform.core.errors import BadInputError

KEEP, REJECT = 2, 0  # grades of the form keep_reject
FOLDERS = {
    "excellent": (ImageSet.Purpose.CHECK, KEEP),
    "bad": (ImageSet.Purpose.CHECK, REJECT),
    "accepted": (ImageSet.Purpose.EXAMPLE, KEEP),
    "rejected": (ImageSet.Purpose.EXAMPLE, REJECT),
}
_MOST_PIXELS = 40_000_000
_LONGEST_WHY = 500


@dataclass(frozen=True)
class GoldPicture:
    """One image whose grade is known. `sha256`: of its file."""

    path: Path
    kind: str
    purpose: str
    grade: int
    why: str
    sha256: str

    def open(self, size: Size | None) -> Image.Image:
        """Return it upright and opaque, at this size or its own."""
        with Image.open(self.path) as image:
            return fit_on_grey(image, size or ImageOps.exif_transpose(image).size)


def read_gold_folder(path: Path) -> list[GoldPicture]:
    """Return what a folder of gold holds, every image checked.

    Raises `BadInputError` for a folder without any, files that are no images, an image that
    stands there twice, and an example that is a hidden check too.
    """
    if not path.is_dir():
        raise BadInputError(f"{path} is no folder; give one with {', '.join(FOLDERS)} in it.")
    found = [each for kind in FOLDERS for each in _pictures(path / kind, kind)]
    if not any(each.purpose == ImageSet.Purpose.CHECK for each in found):
        raise BadInputError(
            f"{path} holds no gold; put images known to be excellent into excellent/ and such "
            "known to be bad into bad/."
        )
    first: dict[str, GoldPicture] = {}
    for each in found:
        before = first.setdefault(each.sha256, each)
        if before is not each:
            raise BadInputError(
                f"{each.path} is the same image as {before.path}; one serves one purpose, so "
                "remove one."
            )
    return found


def refuse_in_pool(gold: Collection[GoldPicture], hashes: Collection[str]) -> None:
    """Raise `BadInputError` for gold that is an image of the pool too: its answer would count."""
    both = [each for each in gold if each.sha256 in hashes]
    if both:
        raise BadInputError(
            f"{both[0].path} is an image of the pool too ({len(both)} of the gold are); what is "
            "judged cannot be what is known. Take them from elsewhere."
        )


def _pictures(folder: Path, kind: str) -> Iterator[GoldPicture]:
    purpose, grade = FOLDERS[kind]
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix == ".txt" or file.name.startswith("."):
            continue
        _check(file)
        yield GoldPicture(
            path=file,
            kind=kind,
            purpose=purpose,
            grade=grade,
            why=_why(file.with_suffix(".txt")),
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        )


def _check(file: Path) -> None:
    try:
        with Image.open(file) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise BadInputError(f"{file} has over {_MOST_PIXELS:,} pixels; scale it down.")
            image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BadInputError(
            f"{file} cannot be read as an image; give a PNG, JPEG or WebP file."
        ) from error


def _why(file: Path) -> str:
    if not file.is_file():
        return ""
    why = file.read_text(encoding="utf-8", errors="replace").strip()
    if len(why) > _LONGEST_WHY or not why.isprintable():
        raise BadInputError(f"{file}: give one line of up to {_LONGEST_WHY} letters.")
    return why
