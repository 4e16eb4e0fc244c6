"""What a backup looks like on disk.

    DIR/backup.json      written last: without it, the folder is no whole backup
    DIR/files.jsonl      one line a file: part, name, bytes, sha256
    DIR/database-*.dump  pg_dump's custom format
    DIR/objects/…        what the image store holds, by name
    DIR/checkpoints/…    the files of registered checkpoints
    DIR/secret_key       what sessions are signed and one-time codes encrypted with

Objects and checkpoints never change once they are there, so a second backup into the same folder
copies what is new, and an interrupted one goes on.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole

FORMAT = "evalplatform-backup/1"
OBJECTS = "objects"
CHECKPOINTS = "checkpoints"
MANIFEST = "backup.json"
FILES = "files.jsonl"
SECRET = "secret_key"


@dataclass(frozen=True)
class SavedFile:
    """One file of a backup; `name` is its path below `part`."""

    part: str
    name: str
    bytes: int
    sha256: str

    @property
    def key(self) -> tuple[str, str]:
        return self.part, self.name


@dataclass(frozen=True)
class BackupManifest:
    """What a backup holds, and of which installation."""

    created_at: str
    code_version: str
    server_version: int
    database: SavedFile
    files_sha256: str
    objects: int
    checkpoints: int
    bytes: int
    migrations: list[str]
    rows: dict[str, int]
    missing_objects: list[str]
    has_secret: bool
    notes: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        content = {"format": FORMAT} | asdict(self)
        write_whole(folder / MANIFEST, json.dumps(content, indent=2) + "\n")


def read_manifest(folder: Path) -> BackupManifest:
    """Return a backup's manifest. Raises `BadInputError` where the folder holds no whole one."""
    path = folder / MANIFEST
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        return BackupManifest(**content | {"database": SavedFile(**content["database"])})
    except FileNotFoundError as error:
        raise BadInputError(
            f"{folder} holds no whole backup ({MANIFEST} is missing); give the folder that "
            "`manage.py backup --out` has finished."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{path} cannot be read as {FORMAT}; use the version of the platform that wrote it."
        ) from error


def read_files(folder: Path) -> Iterator[SavedFile]:
    """Yield the files that a backup lists; a last line that a kill cut short is left out.

    Raises `BadInputError` for a name that leads out of the folder.
    """
    path = folder / FILES
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                saved = SavedFile(**json.loads(line))
            except ValueError:
                if line.endswith("\n"):
                    raise BadInputError(f"{path} is damaged; take an earlier backup.") from None
                return
            refuse_outside(saved)
            yield saved


def refuse_outside(saved: SavedFile) -> None:
    """Raise `BadInputError` for a name that leads out of its part."""
    parts = Path(saved.name).parts
    if saved.part not in (OBJECTS, CHECKPOINTS) or ".." in parts or Path(saved.name).is_absolute():
        raise BadInputError(f"the backup lists {saved.name!r}, which leads out of it: refused.")


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Refuse a second backup into a folder while one is being written."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInputError(
                f"another backup is being written into {folder}; wait for it, or give another "
                "folder."
            ) from error
        yield


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(folder: Path, saved: SavedFile) -> bool:
    """Whether a file of the backup is there with the content that was saved."""
    path = folder / saved.part / saved.name
    try:
        return path.stat().st_size == saved.bytes and sha256_of(path) == saved.sha256
    except FileNotFoundError:
        return False
