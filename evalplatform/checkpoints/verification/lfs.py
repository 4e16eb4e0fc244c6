"""Files that git left out: a clone without Git LFS holds a few lines in place of the weights."""

from pathlib import Path

from evalplatform.core.errors import BadInputError

_BEGINS = b"version https://git-lfs.github.com/spec/"


def refuse_pointer(path: Path, name: str) -> None:
    """Raise `BadInputError` where `path`, called `name`, only points to the file it should be."""
    with path.open("rb") as file:
        if file.read(len(_BEGINS)) == _BEGINS:
            raise BadInputError(
                f"{name} is a Git LFS pointer, not the file itself; run `git lfs pull` in the "
                "cloned folder, then register it again."
            )
