"""Where files wait that have not been verified yet: beside the registry, and always emptied."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

_PREFIX = "quarantine-"
_ABANDONED = 24 * 3600  # seconds; an older one belongs to a process that was killed


@contextmanager
def quarantine() -> Iterator[Path]:
    """Yield an empty folder on the registry's file system; it is removed whatever happens."""
    root = Path(settings.CHECKPOINT_DIR)
    root.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    with tempfile.TemporaryDirectory(
        dir=root, prefix=_PREFIX, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _remove_abandoned(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # another process has just removed its own
            if time.time() - folder.stat().st_mtime > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
