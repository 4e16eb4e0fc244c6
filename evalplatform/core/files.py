"""Writing files whole or not at all, and reading them line by line."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from evalplatform.core.errors import BadInputError

_LONGEST_LINE = 256 * 2**20
_START = 2**16  # bytes that tell how lines end


def write_whole(path: Path, content: str | bytes) -> None:
    """Write UTF-8 or bytes by a rename: a full disk or a kill leaves the old file or none."""
    write_pieces(path, [content.encode() if isinstance(content, str) else content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """The same for content that comes piece by piece; none is there before the last one came."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _bounded_lines(path: Path) -> Iterator[bytes]:
    """Yield lines with their ends; of an endless one more than may be."""
    with path.open("rb") as file:
        start = file.read(_START)
        file.seek(0)
        if b"\n" in start or b"\r" not in start[:-1]:
            while line := file.readline(_LONGEST_LINE + 1):
                yield line
            return
    with path.open(encoding="latin-1", newline="\r") as plain:  # a letter for each byte
        while text := plain.readline(_LONGEST_LINE + 1):
            yield (text.removesuffix("\r") + "\n" * text.endswith("\r")).encode("latin-1")


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, their ends with them.

    Ends of an old Macintosh (CR alone, as a spreadsheet's "CSV (Macintosh)" has them) become LF.
    Raises `BadInputError` naming a line that is no UTF-8, or endless.
    """
    for number, line in enumerate(_bounded_lines(path), start=1):
        if len(line) > _LONGEST_LINE:
            raise BadInputError(
                f"{path.name}: line {number} is over {_LONGEST_LINE // 2**20} MiB; put one "
                "row on each line."
            )
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadInputError(
                f"{path.name}: line {number} is not UTF-8; save the file as UTF-8."
            ) from error
