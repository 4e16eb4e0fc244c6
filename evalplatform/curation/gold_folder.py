"""Images that a researcher knows to be excellent or bad: hidden checks, and examples.

A folder with any of `excellent/` and `bad/` (mixed in unseen) and `accepted/` and `rejected/`
(shown beside the guideline). Beside an example `NAME.txt` may say why, in one line.

For the approval of captions it has `right/` and `wrong/`, mixed in unseen too: images with, beside
each, `NAME.txt` with a caption that is known to be right or wrong.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from evalplatform.campaigns.forms.caption import CAPTION
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
APPROVE, REFUSE = 1, 0  # grades of the form approve
CAPTION_FOLDERS = {
    "right": (ImageSet.Purpose.CHECK, APPROVE),
    "wrong": (ImageSet.Purpose.CHECK, REFUSE),
}
_MOST_PIXELS = 40_000_000
_LONGEST_WHY = 500


@dataclass(frozen=True)
class GoldPicture:
    """One image whose grade is known, or that of its `caption`. `sha256`: of its file."""

    path: Path
    kind: str
    purpose: str
    grade: int
    sha256: str
    why: str = ""
    caption: str = ""

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
    found = [each for kind in FOLDERS for each in _judged(path / kind, kind)]
    if not any(each.purpose == ImageSet.Purpose.CHECK for each in found):
        raise BadInputError(
            f"{path} holds no gold; put images known to be excellent into excellent/ and such "
            "known to be bad into bad/."
        )
    _refuse_twice(found)
    return found


def read_gold_captions(path: Path) -> list[GoldPicture]:
    """Return the captions that a folder of gold holds, each with its image, all checked.

    Raises `BadInputError` for a folder without any, an image without a caption or with what could
    not have been written as one, and an image that stands there twice or is an example too, since
    whoever saw it before would know it again.
    """
    if not path.is_dir():
        raise BadInputError(
            f"{path} is no folder; give one with {' and '.join(CAPTION_FOLDERS)} in it."
        )
    found = [each for kind in CAPTION_FOLDERS for each in _captioned(path / kind, kind)]
    if not found:
        there = ", ".join(f"{kind}/" for kind in FOLDERS if (path / kind).is_dir())
        raise BadInputError(
            f"{path} holds no captions{f', only {there}' if there else ''}; gold of an approval "
            "is an image in right/ or wrong/ with its caption beside it in NAME.txt: add some, or "
            "leave the gold out."
        )
    examples = [
        kind for kind, (purpose, _) in FOLDERS.items() if purpose == ImageSet.Purpose.EXAMPLE
    ]
    _refuse_twice([*(each for kind in examples for each in _judged(path / kind, kind)), *found])
    return found


def _refuse_twice(found: Iterable[GoldPicture]) -> None:
    first: dict[str, GoldPicture] = {}
    for each in found:
        before = first.setdefault(each.sha256, each)
        if before is not each:
            raise BadInputError(
                f"{each.path} is the same image as {before.path}; one serves one purpose, so "
                "remove one."
            )


def refuse_in_pool(gold: Collection[GoldPicture], hashes: Collection[str]) -> None:
    """Raise `BadInputError` for gold that is an image of the pool too: its answer would count."""
    both = [each for each in gold if each.sha256 in hashes]
    if both:
        raise BadInputError(
            f"{both[0].path} is an image of the pool too ({len(both)} of the gold are); what is "
            "judged cannot be what is known. Take them from elsewhere."
        )


def _judged(folder: Path, kind: str) -> Iterator[GoldPicture]:
    purpose, grade = FOLDERS[kind]
    for file in _images(folder):
        why = _why(file.with_suffix(".txt"))
        yield GoldPicture(file, kind, purpose, grade, _sha256(file), why=why)


def _captioned(folder: Path, kind: str) -> Iterator[GoldPicture]:
    purpose, grade = CAPTION_FOLDERS[kind]
    for file in _images(folder):
        caption = _caption(file, kind)
        yield GoldPicture(file, kind, purpose, grade, _sha256(file), caption=caption)


def _images(folder: Path) -> Iterator[Path]:
    """Yield the images of a folder by name, each checked."""
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix != ".txt" and not file.name.startswith("."):
            _check(file)
            yield file


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _caption(file: Path, kind: str) -> str:
    """Return the caption beside an image: such as people write, or it would give itself away."""
    beside = file.with_suffix(".txt")
    if not beside.is_file():
        raise BadInputError(
            f"{file} has no caption; write one that is known to be {kind} into {beside.name}."
        )
    try:
        caption = beside.read_text(encoding="utf-8-sig").strip()
        CAPTION.check(caption, 1)
    except UnicodeDecodeError as error:
        raise BadInputError(f"{beside} is not UTF-8 text; save it as UTF-8.") from error
    except BadInputError as error:
        raise BadInputError(f"{beside}: {error}") from error
    return caption


def _check(file: Path) -> None:
    try:
        with Image.open(file) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise BadInputError(f"{file} has over {_MOST_PIXELS:,} pixels; scale it down.")
            image.load()
    except (
        UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError
    ) as error:  # fmt: skip
        raise BadInputError(
            f"{file} cannot be read as an image; give a PNG, JPEG or WebP file."
        ) from error


def _why(file: Path) -> str:
    if not file.is_file():
        return ""
    why = file.read_text(encoding="utf-8-sig", errors="replace").strip()
    if len(why) > _LONGEST_WHY or not why.isprintable():
        raise BadInputError(f"{file}: give one line of up to {_LONGEST_WHY} letters.")
    return why
