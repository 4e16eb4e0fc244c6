"""Saving an installation: a snapshot of the database, then every file that its rows may name.

Nothing has to stop. An object is stored before a row names it, and none is ever changed: what the
rows of a snapshot name is there when the snapshot was taken, and is copied after. Only what is
removed on purpose meanwhile (gold that is cleared, an import that is undone) is missed; the
backup then says which names it lacks.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_pieces
from evalplatform.core.telling import tell_nobody
from evalplatform.core.version import code_version
from evalplatform.operations.backup import postgres_tools
from evalplatform.operations.backup.folder import (
    CHECKPOINTS,
    FILES,
    MANIFEST,
    OBJECTS,
    SECRET,
    BackupManifest,
    SavedFile,
    one_at_a_time,
    read_files,
    sha256_of,
)
from evalplatform.operations.backup.store_listing import named_by_rows, object_names

_THREADS = 8
_AT_ONCE = 256
_PIECE = 2**20
# What a person compares after a restore.
COUNTED = ("accounts.User", "campaigns.Campaign", "generation.Sample", "annotation.Assignment",
           "annotation.Vote", "checkpoints.Checkpoint", "images.CollectedImage")  # fmt: skip
Progress = Callable[[int], None]


def save(
    *, folder: Path, now: datetime, with_secret: bool, progress: Progress = tell_nobody
) -> BackupManifest:
    """Write a backup into `folder`, or bring the one there up to date; return its manifest.

    Interrupted, the same call goes on: files that are there are not copied again. Raises
    `BadInputError` for a folder that holds something else.
    """
    _refuse_other_content(folder)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # personal data and, where asked for, the key
    with one_at_a_time(folder):
        database, needed, rows, migrations = _save_database(folder, now)
        # From here on the old manifest would speak of files that are being added: it stays true
        # of its own dump, whose file is removed only at the end.
        saved = {each.key: each for each in read_files(folder)}
        with _Appending(folder, saved.values()) as note:
            for each in _save_files(folder, saved):
                note(each)
                progress(each.bytes)
        has_secret = with_secret and _save_secret(folder)
        manifest = BackupManifest(
            created_at=now.isoformat(),
            code_version=code_version(),
            server_version=postgres_tools.server_major(),
            database=database,
            files_sha256=sha256_of(folder / FILES),
            objects=sum(part == OBJECTS for part, _ in saved),
            checkpoints=len({Path(n).parts[0] for part, n in saved if part == CHECKPOINTS}),
            bytes=database.bytes + sum(each.bytes for each in saved.values()),
            migrations=migrations,
            rows=rows,
            missing_objects=sorted(needed - {name for part, name in saved if part == OBJECTS}),
            has_secret=has_secret,
        )
        manifest.write(folder)
        for old in folder.glob("database-*.dump*"):
            if old.name != database.name:
                old.unlink()
    return manifest


def _refuse_other_content(folder: Path) -> None:
    if not folder.exists() or (folder / MANIFEST).exists() or (folder / FILES).exists():
        return
    strange = [each.name for each in folder.iterdir() if not _is_of_a_backup(each.name)]
    if strange:
        raise BadInputError(
            f"{folder} holds something that is no backup ({strange[0]}); give an empty folder, or "
            "one that does not exist."
        )


def _is_of_a_backup(name: str) -> bool:
    return name in (".lock", OBJECTS, CHECKPOINTS, SECRET) or name.startswith("database-")


def _save_database(
    folder: Path, now: datetime
) -> tuple[SavedFile, set[str], dict[str, int], list[str]]:
    """Dump the database; return the file, the objects its rows name, counts, and migrations.

    All are of one snapshot.
    """
    name = f"database-{now:%Y%m%dT%H%M%S%f}.dump"
    partial = folder / f"{name}.partial"
    for left in folder.glob("*.partial"):
        left.unlink()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        [snapshot] = cursor.fetchone()
        postgres_tools.dump(partial, snapshot=snapshot)
        needed = named_by_rows()
        rows = {label: apps.get_model(label)._default_manager.count() for label in COUNTED}
        applied = MigrationRecorder(connection).applied_migrations()
    partial.rename(folder / name)
    path = folder / name
    saved = SavedFile("database", name, path.stat().st_size, sha256_of(path))
    return saved, needed, rows, sorted(f"{app}.{each}" for app, each in applied)


class _Appending:
    """Write `files.jsonl` anew from what is known, then a line for each file that is added."""

    def __init__(self, folder: Path, known: Iterable[SavedFile]) -> None:
        self.path = folder / FILES
        write_pieces(self.path, (_line(each) for each in known))

    def __enter__(self) -> Callable[[SavedFile], None]:
        self.file = self.path.open("ab")
        return self._note

    def _note(self, saved: SavedFile) -> None:
        self.file.write(_line(saved))
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _line(saved: SavedFile) -> bytes:
    return json.dumps(asdict(saved), ensure_ascii=False).encode() + b"\n"


def _save_files(folder: Path, saved: dict[tuple[str, str], SavedFile]) -> Iterator[SavedFile]:
    """Copy what is not saved yet, some at once; each is noted in `saved` and yielded."""
    jobs = ((part, name) for part, name in _wanted() if not _is_there(folder, saved, part, name))
    with ThreadPoolExecutor(_THREADS) as threads:
        while batch := list(islice(jobs, _AT_ONCE)):
            for done in threads.map(lambda job: _save_file(folder, *job), batch):
                if done is not None:
                    saved[done.key] = done
                    yield done


def _wanted() -> Iterator[tuple[str, str]]:
    for name in object_names():
        yield OBJECTS, name
    for checkpoint in Checkpoint.objects.order_by("pk").iterator():
        for path in sorted(checkpoint.directory.rglob("*")):
            if path.is_file():
                yield CHECKPOINTS, path.relative_to(settings.CHECKPOINT_DIR).as_posix()


def _is_there(folder: Path, saved: dict[tuple[str, str], SavedFile], part: str, name: str) -> bool:
    known = saved.get((part, name))
    path = folder / part / name
    return known is not None and path.exists() and path.stat().st_size == known.bytes


def _save_file(folder: Path, part: str, name: str) -> SavedFile | None:
    """Copy one file and return it; None where it was removed meanwhile."""
    digest, size = hashlib.sha256(), 0

    def pieces() -> Iterator[bytes]:
        nonlocal size
        path = Path(settings.CHECKPOINT_DIR) / name
        with path.open("rb") if part == CHECKPOINTS else default_storage.open(name) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                yield piece

    try:
        write_pieces(folder / part / name, pieces())
    except FileNotFoundError:
        return None
    return SavedFile(part, name, size, digest.hexdigest())


def _save_secret(folder: Path) -> bool:
    path = folder / SECRET
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(settings.SECRET_KEY + "\n", encoding="utf-8")
    return True
