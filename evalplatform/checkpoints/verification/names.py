"""Which files a checkpoint may hold, by their names alone."""

from pathlib import PurePosixPath

from evalplatform.core.errors import BadInputError

ALLOWED_SUFFIXES = {".safetensors", ".json", ".txt", ".md", ".model", ".toml", ".jsonl"}
ALLOWED_NAMES = {"LICENSE", "LICENCE", "NOTICE"}
# What hubs, editors and file managers leave behind: not copied, not hashed.
_LEFT_OUT = {".gitattributes", ".gitignore", ".DS_Store", "Thumbs.db"}
_LEFT_OUT_FOLDERS = {"__MACOSX", ".git", ".cache"}
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif"}
_CODE = {
    ".bin": "a pickle", ".ckpt": "a pickle", ".pt": "a pickle", ".pth": "a pickle",
    ".pkl": "a pickle", ".py": "program code", ".so": "program code", ".pyc": "program code",
}  # fmt: skip
MAX_DEPTH = 6
_MAX_NAME = 255  # bytes, of most file systems
_MAX_PATH = 1024  # characters


def is_left_out(path: PurePosixPath) -> bool:
    """Whether a file is not part of the checkpoint, and harmless to leave behind."""
    return (
        path.name in _LEFT_OUT
        or path.name.startswith("._")
        or path.suffix.lower() in _PICTURES
        or bool(_LEFT_OUT_FOLDERS & set(path.parts[:-1]))
    )


def check_name(path: PurePosixPath) -> None:
    """Refuse a file of a kind that is not needed. Raises `BadInputError`."""
    suffix = path.suffix.lower()
    if suffix in ALLOWED_SUFFIXES or path.name in ALLOWED_NAMES:
        return
    what = f" ({_CODE[suffix]}, which could run code when loaded)" if suffix in _CODE else ""
    raise BadInputError(
        f"{path} is not accepted{what}; weights must be .safetensors and the rest JSON or text. "
        "Save the model with safe_serialization=True and leave other files out."
    )


def relative_path(name: str, where: str = "the archive") -> PurePosixPath:
    """Return a file's name as a path below the checkpoint's own folder.

    `where` is what an error calls the archive, folder or list that the name stands in.

    Raises `BadInputError` for a name that could land anywhere else, that some systems read
    differently, or that shows as another than it is: control characters, a changed direction of
    writing, bytes that are no text.
    """
    path = PurePosixPath(name)
    bad = (
        not name
        or path.is_absolute()
        or ".." in path.parts
        or not name.isprintable()
        or any(character in '\\:*?"<>|' for character in name)
        or len(path.parts) > MAX_DEPTH
        or len(name) > _MAX_PATH
        or any(len(part.encode()) > _MAX_NAME for part in path.parts)
    )
    if bad:
        raise BadInputError(
            f"{where} holds a file named {name[:80]!a}; accepted are plain relative paths, at "
            f"most {MAX_DEPTH} folders deep. Name it plainly, or save the checkpoint's folder anew."
        )
    return path
