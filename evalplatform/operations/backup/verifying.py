"""Reading a backup again: every file against its hash, and the dump by pg_restore."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.operations.backup import postgres_tools
from evalplatform.operations.backup.folder import (
    FILES,
    BackupManifest,
    SavedFile,
    is_whole,
    read_files,
    read_manifest,
    sha256_of,
)

_THREADS = 4
_AT_ONCE = 256


class DamagedBackupError(BadInputError):
    """A backup does not hold what it lists."""


def verify(*, folder: Path, progress: Callable[[int], None] = tell_nobody) -> BackupManifest:
    """Read a whole backup again and return its manifest. Raises `DamagedBackupError`."""
    manifest = read_manifest(folder)
    damaged = list(_damaged_database(folder, manifest))
    files = read_files(folder)
    with ThreadPoolExecutor(_THREADS) as threads:
        while batch := list(islice(files, _AT_ONCE)):
            for saved, whole in zip(
                batch, threads.map(lambda each: is_whole(folder, each), batch), strict=True
            ):
                progress(saved.bytes)
                if not whole:
                    damaged.append(f"{saved.part}/{saved.name}")
    if damaged:
        raise DamagedBackupError(
            f"{len(damaged)} files of {folder} are missing or are not what was saved, the first is "
            f"{damaged[0]}; take an earlier backup, or make this one anew: remove those files "
            "and run `manage.py backup` into it again."
        )
    return manifest


def _damaged_database(folder: Path, manifest: BackupManifest) -> Iterator[str]:
    path = folder / manifest.database.name
    if not path.exists() or sha256_of(path) != manifest.database.sha256:
        yield manifest.database.name
        return
    listed = subprocess.run(
        [postgres_tools.tool("pg_restore"), "--list", path], capture_output=True, check=False
    )
    if listed.returncode:
        yield manifest.database.name
    if sha256_of(folder / FILES) != manifest.files_sha256:
        yield FILES


def refuse_damaged_head(folder: Path, manifest: BackupManifest) -> None:
    """Raise `DamagedBackupError` where dump or list are not what was saved; files come later."""
    for name in _damaged_database(folder, manifest):
        raise DamagedBackupError(
            f"{folder / name} is missing or is not what was saved; take an earlier backup."
        )


def refuse_damaged_file(folder: Path, saved: SavedFile) -> None:
    """Raise `DamagedBackupError` where a file is not what was saved."""
    if not is_whole(folder, saved):
        raise DamagedBackupError(
            f"{folder / saved.part / saved.name} is missing or is not what was saved; take an "
            "earlier backup. The database is as it was."
        )
