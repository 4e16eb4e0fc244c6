"""A folder of the format `t2i-pool/1` (docs/curation.md): read and verified, nothing stored."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.core.files import text_lines
from evalplatform.core.storable_json import storable_json
from evalplatform.core.telling import tell_nobody

FORMAT = "t2i-pool/1"
MARK, LIST, FUNNEL = "pool.json", "pool.jsonl", "funnel.json"
UNKNOWN = "unknown"
_HEX = frozenset("0123456789abcdef")
_CHUNK = 2**20
_LONGEST_LINE = 2**20  # letters
_BY_COMMAND = "`python -m models_backend.curation select` makes one."
_LARGEST_OBJECT = 16 * 2**20  # bytes
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PoolLine:
    """One image of a pool folder, as its line says."""

    sha256: str
    file: Path
    caption: str
    concept: str
    licence: str
    popularity: float | None
    scores: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PoolFolder:
    """A pool folder that was read; its images' bytes are not verified yet."""

    path: Path
    source: str
    rules_sha256: str
    scores_sha256: str
    scorers: dict[str, Any]
    funnel: dict[str, Any]
    entries: Sequence[PoolLine]

    def verify(self, progress: Progress = tell_nobody) -> None:
        """Read every image. Raises `BadInputError` for one that is missing or has other bytes."""
        for number, entry in enumerate(self.entries, start=1):
            try:
                found = _digest(entry.file)
            except OSError as error:
                raise BadInputError(
                    f"{entry.file}: cannot be read ({error.strerror}); copy the pool again."
                ) from error
            if found != entry.sha256:
                raise BadInputError(
                    f"{entry.file} has sha256 {found}, {LIST} says {entry.sha256}; copy the pool "
                    "again, or select it anew."
                )
            progress(number, len(self.entries))


def read_pool(path: Path) -> PoolFolder:
    """Return what a pool folder says. Raises `BadInputError` naming file, line and field."""
    mark = _json_object(path / MARK)
    if mark.get("format") != FORMAT:
        raise BadInputError(
            f"{path / MARK} is of the format {mark.get('format')!r}; {FORMAT} is read. "
            "Select the pool anew (docs/curation.md).",
            by_command=_BY_COMMAND,
        )
    listed = path / LIST
    if not listed.is_file():
        raise BadInputError(f"{listed} is missing; copy the pool again.")
    wanted = mark.get("list_sha256")
    if wanted and _digest(listed) != wanted:
        raise BadInputError(f"{listed} differs from the hash in {MARK}; copy the pool again.")
    entries = list(_entries(path))
    if not entries or len(entries) != mark.get("images"):
        raise BadInputError(
            f"{listed} lists {len(entries):,} images, {MARK} says {mark.get('images')!r}; a pool "
            "has at least one. Select it again."
        )
    return PoolFolder(
        path=path,
        source=str(mark.get("source") or "")[:500],
        rules_sha256=_hash_or_nothing(path, mark, "rules_sha256"),
        scores_sha256=_hash_or_nothing(path, mark, "scores_sha256"),
        scorers=_scorers(mark.get("scorers")),
        funnel=_json_object(path / FUNNEL) if (path / FUNNEL).is_file() else {},
        entries=entries,
    )


def _scorers(given: Any) -> dict[str, Any]:
    if isinstance(given, list):
        return {str(each.get("name")): each for each in given if isinstance(each, dict)}
    return given if isinstance(given, dict) else {}


def _entries(path: Path) -> Iterator[PoolLine]:
    first: dict[str, int] = {}
    for number, text in enumerate(text_lines(path / LIST), start=1):
        if not text.strip():
            continue
        entry = _Line(path, number, text).entry()
        before = first.setdefault(entry.sha256, number)
        if before != number:
            raise BadInputError(
                f"{LIST}: line {number} repeats the image of line {before} "
                f"({entry.sha256[:12]}…); an image stands in a pool once, with one caption."
            )
        yield entry


class _Line:
    """One line of the list, with what its errors need to know."""

    def __init__(self, path: Path, number: int, text: str) -> None:
        self._path, self._number = path, number
        if len(text) > _LONGEST_LINE:
            raise self._error(f"has over {_LONGEST_LINE:,} letters; one image is told in fewer")
        try:
            given = storable_json(text)
        except ValueError as error:
            raise self._error(f"is not JSON ({error})") from None
        if not isinstance(given, dict):
            raise self._error("is not a JSON object")
        self._given: dict[str, Any] = given

    def entry(self) -> PoolLine:
        sha256 = self._text("sha256", 64)
        if len(sha256) != 64 or not _HEX.issuperset(sha256):
            raise self._error(f"sha256 {sha256[:80]!r} is not 64 hexadecimal digits")
        licence = self._text("licence", 200)
        return PoolLine(
            sha256=sha256,
            file=self._file(),
            caption=self._text("caption", 10_000),
            concept=self._text("concept", 200),
            licence="" if licence.casefold() == UNKNOWN else licence,
            popularity=self._popularity(),
            scores=self._scores(),
        )

    def _text(self, name: str, most: int) -> str:
        value = self._given.get(name) or ""
        if not isinstance(value, str) or len(value) > most:
            raise self._error(f"{name} is no text of up to {most:,} letters")
        if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
            raise self._error(f"{name} holds a character that is no text")
        return value

    def _file(self) -> Path:
        given = self._text("file", 1000)
        parts = PurePosixPath(given).parts
        if not given or given.startswith("/") or ".." in parts:
            raise self._error(f"file {given[:80]!r} is no path inside the pool")
        return self._path / given

    def _popularity(self) -> float | None:
        value = self._given.get("popularity")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(f"popularity {value!r} is no number")
        if value < 0:
            raise self._error(f"popularity {value!r} is not 0 or more")
        return float(value)

    def _scores(self) -> dict[str, Any]:
        scores = self._given.get("scores") or {}
        if not isinstance(scores, dict):
            raise self._error("scores are no JSON object")
        return scores

    def _error(self, problem: str) -> BadInputError:
        return BadInputError(f"{LIST}: line {self._number}: {problem}.")


def _json_object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_OBJECT + 1)
        if len(content) > _LARGEST_OBJECT:
            raise ValueError(f"it is over {_LARGEST_OBJECT // 2**20} MiB")
        found = storable_json(content.decode())
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read ({error.strerror}); give the folder of a finished pool "
            "(docs/curation.md).",
            by_command=_BY_COMMAND,
        ) from error
    except ValueError as error:
        raise BadInputError(f"{path} is not JSON ({error}); select the pool again.") from None
    if not isinstance(found, dict):
        raise BadInputError(f"{path} is not a JSON object; select the pool again.")
    return found


def _hash_or_nothing(path: Path, mark: dict[str, Any], name: str) -> str:
    value = mark.get(name) or ""
    if value and (not isinstance(value, str) or len(value) != 64 or not _HEX.issuperset(value)):
        raise BadInputError(f"{path / MARK}: {name} {value!r} is not 64 hexadecimal digits.")
    return str(value)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
