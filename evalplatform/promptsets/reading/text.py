"""The text of a file's bytes: UTF-8, or what Excel calls Unicode text."""

import codecs

from evalplatform.core.errors import BadInputError

# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What is often taken for the text it stands for, by how it begins.
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or another archive; save the sheet as “CSV UTF-8”"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as “CSV UTF-8”"),
    (b"\x1f\x8b", "compressed; unpack it (gunzip)"),
    (b"PAR1", "a parquet file; say that the format is parquet"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file; run `git lfs pull`"),
    (b"<!doctype html", "a web page; download the raw file"),
    (b"<html", "a web page; download the raw file"),
)


def decode(content: bytes, name: str) -> str:
    """Return a file's text. Raises `BadInputError` where it is none, naming the line."""
    start = content[:64].lstrip().lower()
    for mark, what in _NOT_TEXT:
        if start.startswith(mark.lower()):
            raise BadInputError(f"{name} is {what} and import that.")
    encoding = next((each for mark, each in _MARKS if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, errors="ignore")
        raise BadInputError(
            f"{name}: line {_line(before)} is not {encoding.removesuffix('-sig').upper()} (byte "
            f"0x{content[error.start]:02x}); save the file as UTF-8 (in Excel “CSV UTF-8”) and "
            "import it again."
        ) from error
    if "\0" in text:
        before = text[: text.index("\0")]
        raise BadInputError(
            f"{name}: line {_line(before)} holds a NUL character; is this a text file? "
            "Save it as UTF-8."
        )
    return text


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that ends them as Windows, Unix or an old Macintosh does."""
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.replace("\r\n", "\n").split("\n")


def _line(before: str) -> int:
    return len(lines_of(before))
