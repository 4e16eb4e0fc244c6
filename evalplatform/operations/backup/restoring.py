"""Restoring an installation: files first, then the database in one transaction, then the key.

Interrupted before the database, the same call goes on; the database is replaced wholly or not at
all, so a site is never left with rows of two installations.
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from evalplatform import env
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_pieces
from evalplatform.core.telling import tell_nobody
from evalplatform.operations.backup import postgres_tools
from evalplatform.operations.backup.folder import (
    CHECKPOINTS,
    SECRET,
    BackupManifest,
    SavedFile,
    read_files,
    read_manifest,
)
from evalplatform.operations.backup.saving import COUNTED
from evalplatform.operations.backup.verifying import refuse_damaged_file, refuse_damaged_head

_THREADS = 8
_AT_ONCE = 256
_PIECE = 2**20


@dataclass(frozen=True)
class Restored:
    """What was restored, and what whoever did it has to know."""

    manifest: BackupManifest
    files: int
    rows: dict[str, int]
    notes: list[str]


def restore(
    *, folder: Path, replace: bool, progress: Callable[[int], None] = tell_nobody
) -> Restored:
    """Make this installation hold what a backup holds.

    Raises `BadInputError` where this one holds data and `replace` is not given, somebody is
    connected, or the backup is of a newer version; `DamagedBackupError` before the database is
    touched.
    """
    manifest = read_manifest(folder)
    refuse_damaged_head(folder, manifest)
    _refuse_newer(manifest)
    if not replace:
        _refuse_data()
    _refuse_company()
    files = 0
    for saved in _restore_files(folder):
        files += 1
        progress(saved.bytes)
    postgres_tools.replace_by(folder / manifest.database.name)
    connection.close()  # what it knows of the old database is void
    notes = _restore_secret(folder, manifest)
    call_command("migrate", verbosity=0)
    rows = {label: apps.get_model(label)._default_manager.count() for label in COUNTED}
    if manifest.missing_objects:
        notes.append(
            f"{len(manifest.missing_objects)} images that rows name were removed while the backup "
            f"was made, the first is {manifest.missing_objects[0]}."
        )
    return Restored(manifest, files, rows, notes)


def _refuse_newer(manifest: BackupManifest) -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    for migration in loader.disk_migrations.values():
        known.update(f"{app}.{name}" for app, name in migration.replaces)
    unknown = sorted(set(manifest.migrations) - known)
    if unknown:
        raise BadInputError(
            f"the backup is of another version ({manifest.code_version}): this one does not know "
            f"{unknown[0]}; restore with that version or a newer one."
        )


def _refuse_data() -> None:
    tables = set(connection.introspection.table_names())
    for label in COUNTED:
        model = apps.get_model(label)
        if model._meta.db_table in tables and model._default_manager.exists():
            raise BadInputError(
                f"this installation holds data ({model._meta.verbose_name_plural}); give an empty "
                "one (EVALPLATFORM_VAR, DATABASE_URL), or --replace to lose what it holds."
            )


def _refuse_company() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        [others] = cursor.fetchone()
    if others:
        raise BadInputError(
            f"{others} connections to the database are open; stop the site and the workers "
            "(`manage.py services stop web worker`, or your process manager), then run it again."
        )


def _restore_files(folder: Path) -> Iterator[SavedFile]:
    """Put every file where it belongs, some at once; what is there with its size stays."""
    files = read_files(folder)
    with ThreadPoolExecutor(_THREADS) as threads:
        while batch := list(islice(files, _AT_ONCE)):
            yield from threads.map(lambda saved: _restore_file(folder, saved), batch)


def _restore_file(folder: Path, saved: SavedFile) -> SavedFile:
    refuse_damaged_file(folder, saved)
    source = folder / saved.part / saved.name
    if saved.part == CHECKPOINTS:
        target = Path(settings.CHECKPOINT_DIR) / saved.name
        if not target.exists() or target.stat().st_size != saved.bytes:
            write_pieces(target, _pieces(source))
    elif not _has(saved):
        with source.open("rb") as file:
            default_storage.save(saved.name, File(file))
    return saved


def _has(saved: SavedFile) -> bool:
    try:
        return bool(default_storage.size(saved.name) == saved.bytes)
    except FileNotFoundError:
        return False


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _restore_secret(folder: Path, manifest: BackupManifest) -> list[str]:
    """Put the key where this installation reads it; return what is left to do by hand."""
    if not manifest.has_secret:
        return [
            "the backup has no secret key: give the old one as SECRET_KEY_FALLBACKS, or people "
            "sign in anew and set up their one-time codes again."
        ]
    saved = (folder / SECRET).read_text(encoding="utf-8").strip()
    if saved == settings.SECRET_KEY:
        return []
    if env.text("SECRET_KEY"):
        return [
            "SECRET_KEY is another than the backup's; add the one in the backup's file secret_key "
            "to SECRET_KEY_FALLBACKS, so that sessions and one-time codes go on."
        ]
    path = Path(settings.VAR_DIR) / "secret_key"
    if path.exists():
        shutil.copy2(path, path.with_name("secret_key.before-restore"))
    write_pieces(path, [saved.encode()])
    path.chmod(0o600)
    return ["the secret key is the backup's now: start the site anew where it runs."]
