"""Folders of a round: one step at a time writes there, and what is copied is whole or not there."""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalplatform.core.errors import BadInputError
from evalplatform.feedback.models import FeedbackRound


@contextmanager
def working_on(round: FeedbackRound) -> Iterator[None]:
    """Hold a round's folder; the hold ends with the process, whatever ends it.

    Raises `BadInputError` where another step of the round runs on this machine: it would take away
    what the other is writing.
    """
    round.folder.mkdir(parents=True, exist_ok=True)
    with (round.folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInputError(
                f"another step of {round} is running; wait for it, then ask again."
            ) from error
        yield


def copy_whole(source: Path, target: Path, names: Sequence[str] | None = None) -> None:
    """Copy a folder, or what of `names` is in it; a folder that is there is whole already."""
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"{target.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(source, half, ignore=_all_but(source, names))
    half.rename(target)


def _all_but(
    source: Path, names: Sequence[str] | None
) -> Callable[[str, list[str]], set[str]] | None:
    if names is None:
        return None
    return lambda folder, found: set(found) - set(names) if Path(folder) == source else set()
