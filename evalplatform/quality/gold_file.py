"""Reading gold from a file of pairs: tab-separated, with image paths relative to the file."""

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from evalplatform.campaigns.images import Size, fit_on_grey
from evalplatform.campaigns.models import Criterion, ImageSet
from evalplatform.core.errors import BadInputError
from evalplatform.core.transparency import Ground
from evalplatform.images.decoding import decode, read_file
from evalplatform.images.faults import RowError

COLUMNS = ("criterion", "purpose", "prompt", "better", "worse", "why")
_MOST_BYTES = 16 * 2**20
_PURPOSES = [each for each in ImageSet.Purpose.values if each != ImageSet.Purpose.MAIN]


@dataclass(frozen=True)
class GoldRow:
    """One checked line of the file; the images are files that can be opened."""

    line: int
    criterion: str
    purpose: str
    prompt: str
    better: Path
    worse: Path
    why: str
    origin: dict[str, Any]

    @property
    def content(self) -> tuple[Any, ...]:
        """What makes it another pair; its purpose does not."""
        return (self.criterion, *sorted(self.origin.items()))


def read_gold_file(
    path: Path, criteria: Collection[Criterion], within: Path | None = None
) -> list[GoldRow]:
    """Return the lines of a gold file, every one checked against the campaign's criteria.

    Images lie in the folder `within`, where one is given. Raises `BadInputError` naming line and
    column.
    """
    lines = _text(path).rstrip("\n").split("\n")
    columns = [column.strip().lower() for column in lines[0].split("\t")]
    if sorted(columns) != sorted(COLUMNS):
        found = ", ".join(columns).replace("\0", "\N{REPLACEMENT CHARACTER}")
        raise BadInputError(
            f"{path.name}: line 1: the columns are {found[:300]}; accepted are "
            f"{', '.join(COLUMNS)}, tab-separated, each once."
        )
    by_slug = {criterion.slug: criterion for criterion in criteria}
    rows = [
        _Line(path, number, columns, line, within).row(by_slug)
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    _refuse_repeated(path.name, rows)
    if not rows:
        raise BadInputError(f"{path.name} holds no gold; put a pair on each line.")
    return rows


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot be read ({error.strerror}); give a TSV file."
        ) from error
    if len(content) > _MOST_BYTES:
        raise BadInputError(
            f"{path.name} is over {_MOST_BYTES // 2**20} MiB; split it into several tables."
        )
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path.name} is not UTF-8 text; save it as UTF-8.") from error


def _refuse_repeated(name: str, rows: list[GoldRow]) -> None:
    first: dict[tuple[Any, ...], int] = {}
    for row in rows:
        line = first.setdefault(row.content, row.line)
        if line != row.line:
            raise BadInputError(
                f"{name}: line {row.line} repeats the pair of line {line}; a pair serves one "
                "purpose, so remove one."
            )


class _Line:
    """A line of the file, with what its errors need to know."""

    def __init__(
        self, path: Path, number: int, columns: list[str], line: str, within: Path | None
    ) -> None:
        self._path, self._number, self._within = path, number, within
        fields = line.split("\t")
        if len(fields) != len(columns):
            raise BadInputError(
                f"{path.name}: line {number} has {len(fields)} fields, the header has "
                f"{len(columns)}; part them by one tab each."
            )
        self._values = dict(zip(columns, (field.strip() for field in fields), strict=True))

    def row(self, criteria: dict[str, Criterion]) -> GoldRow:
        for column in ("prompt", "why"):
            if "\0" in self._values[column]:
                raise self._error(column, "holds a NUL character; write it anew")
        kind = self._one_of("criterion", criteria)
        if criteria[kind].shape.most != 2:
            raise self._error(
                "criterion", f"{kind} is asked as {criteria[kind].form}; a file gives pairs alone"
            )
        purpose = self._one_of("purpose", _PURPOSES)
        if criteria[kind].shows_prompt and not self._values["prompt"]:
            raise self._error("prompt", f"is empty, but {kind} shows it; fill it in")
        if purpose == ImageSet.Purpose.EXAMPLE and not self._values["why"]:
            raise self._error("why", "is empty, but an example shows it; say why it is better")
        (better, better_sha256), (worse, worse_sha256) = self._image("better"), self._image("worse")
        if better_sha256 == worse_sha256:
            raise self._error("worse", "is the same image as better; give two")
        return GoldRow(
            line=self._number,
            criterion=kind,
            purpose=purpose,
            prompt=self._values["prompt"],
            better=better,
            worse=worse,
            why=self._values["why"],
            origin={
                "kind": "file",
                "prompt": self._values["prompt"],
                "better_sha256": better_sha256,
                "worse_sha256": worse_sha256,
            },
        )

    def _one_of(self, column: str, accepted: Collection[str]) -> str:
        value = self._values[column]
        if value not in accepted:
            raise self._error(column, f"{value!r} is none of {', '.join(accepted)}")
        return value

    def _image(self, column: str) -> tuple[Path, str]:
        """Return the image's path and the hash of its pixels, opaque on grey."""
        if not self._values[column]:
            raise self._error(column, "is empty; give an image file, relative to this one")
        path = self._path.parent / self._values[column]
        if self._within and not _lies_within(path, self._within):
            raise self._error(column, "is no file beside this one; send it with this one")
        try:
            picture = _picture(path)
        except RowError as error:
            raise self._error(column, str(error)) from error
        upright = fit_on_grey(picture, picture.size)
        content = repr(upright.size).encode() + upright.tobytes()
        return path, hashlib.sha256(content).hexdigest()

    def _error(self, column: str, problem: str) -> BadInputError:
        return BadInputError(f"{self._path.name}: line {self._number}, column {column}: {problem}.")


def _lies_within(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that no path can have
        return False


def open_gold_image(path: Path, size: Size, ground: Ground) -> Image.Image:
    """Return a file's image as annotators will see it. Raises `BadInputError` as reading does."""
    try:
        return fit_on_grey(_picture(path), size, ground)
    except RowError as error:
        raise BadInputError(f"{error}.") from error


def _picture(path: Path) -> Image.Image:
    """Return a file's picture, which nobody vouches for. Raises `RowError` naming the file."""
    if not os.path.exists(path):  # Path.exists raises for a name that no path can have
        named = str(path).replace("\0", "\N{REPLACEMENT CHARACTER}")
        raise RowError("unreadable", f"there is no file {named[:300]}")
    try:
        return decode(read_file(path))
    except RowError as error:
        why = f"{path.name} cannot be read as an image ({error})"
        raise RowError(error.kind, why) from error
