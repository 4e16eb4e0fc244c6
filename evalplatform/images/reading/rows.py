"""One row of what is given, whatever it was read from."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.images.faults import RowError

FIELDS = ("image", "prompt", "key", "seed", "caption")
# Other names that exporters give to our columns.
_ALIASES = {"image": ("file_name", "file", "path")}
_LONGEST_METADATA = 16_384
_LARGEST_SEED = 2**63 - 1
_WHOLE = re.compile(r"(\d{1,19})(?:\.0+)?", re.ASCII)  # 4.0: a column of which a cell was empty


@dataclass(frozen=True)
class GivenImage:
    """A row that can be read. `file` is None where its bytes come with the row."""

    where: str
    file: Path | None
    prompt: str | None = None
    key: str | None = None
    seed: int | None = None
    caption: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


class RowReader(ABC):
    """Rows in their order; every row has a place from 0, the faulty ones too."""

    def rows(self) -> Iterator[GivenImage | tuple[str, RowError]]:
        """Yield each row, or where it stands and what is wrong with it. No image is read."""
        for where, values in self._located():
            try:
                yield self._row(where, values)
            except RowError as error:
                yield where, error

    def embedded(self) -> Iterator[bytes | Path | None]:
        """Yield what each row holds for an image: read only where rows have no `file`."""
        return iter(())

    @abstractmethod
    def _located(self) -> Iterator[tuple[str, Any]]:
        """Yield where each row stands, and what `_row` makes a row of."""

    @abstractmethod
    def _row(self, where: str, values: Any) -> GivenImage:
        """Return one row. Raises `RowError`."""


def our_columns(
    given: Sequence[str], chosen: Mapping[str, str], name: str, *, needs_prompt: bool
) -> dict[str, str]:
    """Return which column holds each of our fields that there is; `chosen` ones as they say.

    A field that is chosen to be "" is not read. Raises `BadInputError` where a chosen column is
    not there, no column holds images, or none says the prompt although one must.
    """
    missing = [column for column in chosen.values() if column and column not in given]
    if missing:
        raise BadInputError(
            f"{name} has no column {', '.join(missing)}; its columns are {', '.join(given)}."
        )
    found = fields_of(given, chosen)
    lacking = "" if "image" in found else "image"
    if needs_prompt and not lacking and not {"prompt", "key"} & {*found}:
        lacking = "prompt"
    if lacking:
        also = " or key" if lacking == "prompt" else ""
        raise BadInputError(
            f"{name} has no column {lacking}{also}; its columns are {', '.join(given) or 'none'}. "
            "Say which of them is meant.",
            by_command=f"Name it with --column {lacking}=NAME.",
        )
    return found


def fields_of(given: Iterable[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return our fields that there are, each with its column: as chosen, or by its name."""
    by_name = {column.lower(): column for column in given}
    found = {ours: column for ours, column in chosen.items() if column}
    for ours in FIELDS:
        names = (ours, *_ALIASES.get(ours, ()))
        column = next((by_name[each] for each in names if each in by_name), None)
        if ours not in chosen and column:
            found[ours] = column
    return found


def given_image(
    where: str, values: Mapping[str, Any], rest: dict[str, Any], file: Path | None
) -> GivenImage:
    """Return a row of checked values. Raises `RowError`."""
    return GivenImage(
        where=where,
        file=file,
        prompt=_text("prompt", values.get("prompt")),
        key=_key(values.get("key")),
        seed=_seed(values.get("seed")),
        caption=_text("caption", values.get("caption")) or "",
        metadata=_metadata(rest),
    )


def image_in_file(
    where: str, values: Mapping[str, Any], rest: dict[str, Any], image: Any, folder: Path
) -> GivenImage:
    """Return a row of checked values whose image is a file. Raises `RowError`."""
    file = file_of(image, folder)
    return given_image(f"{where} ({file.name})", values, rest, file)


def file_of(value: Any, folder: Path) -> Path:
    """Return the path that a row gives, relative to its table's folder. Raises `RowError`."""
    path = _text("image", value)
    if not path:
        raise RowError("row", "has no image")
    if "://" in path:
        raise RowError("row", f"its image {path[:80]!r} is a web address; download it first")
    return folder / path


def _text(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RowError("row", f"its {name} is {type(value).__name__}, not text")
    _check(value, name)
    return value


def _check(value: str, name: str) -> None:
    """Refuse what PostgreSQL cannot keep: NUL, and halves of characters."""
    if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise RowError("row", f"there is a character that is no text in its {name}")


def _key(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text("key", value)


def _seed(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and (whole := _WHOLE.fullmatch(value)):
        value = int(whole[1])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_SEED:
        raise RowError("row", f"its seed {str(value)[:40]!r} is no number from 0 to 2^63 - 1")
    return value


def _metadata(rest: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON keeps of the other columns."""
    kept = {name: value for name, value in rest.items() if value is not None and value != ""}
    if not kept:
        return {}
    try:
        text = json.dumps(kept, default=str, allow_nan=False, ensure_ascii=False)
    except ValueError:
        raise RowError("row", "its other columns hold NaN or infinity") from None
    if len(text) > _LONGEST_METADATA:
        raise RowError("row", f"its other columns come to over {_LONGEST_METADATA:,} characters")
    _check(text.replace("\\u0000", "\0"), "other columns")
    found: dict[str, Any] = json.loads(text)
    return found
