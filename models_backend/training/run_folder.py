"""The folder of a run: claimed by one run, locked by one trainer, described in full. No torch.

`run.json` says what makes two runs the same run; `environment.json` what the last start ran in;
`lock` is held by the process that trains. A kill releases the lock.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from models_backend.errors import InputError
from models_backend.files import read_json, write_json_atomically

RUN_FILE = "run.json"
ENVIRONMENT_FILE = "environment.json"
LOCK_FILE = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second trainer.

    Raises:
        InputError: another process trains here, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder, error) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise InputError(
                f"{folder} is being trained by another process ({holder}); wait for it, stop it, "
                "or choose another folder"
            ) from None
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {platform.node()}")
        handle.flush()
        yield


_BY_COMMAND = "`--out` names another, `--fresh` discards it."
MAY_CHANGE = ("learning_rate", "discriminator_learning_rate")
"""Settings that --resume takes new: what to do after a loss that was not finite."""


def check(
    folder: Path, identity: dict[str, Any], *, fresh: bool, resume: bool, needed: Sequence[Path]
) -> None:
    """Refuse a folder that holds another run or anything else; change nothing.

    With `resume` the settings of :data:`MAY_CHANGE` may differ. `needed` are folders that `fresh`
    must not remove.
    """
    held = folder / RUN_FILE
    others = (
        [path for path in folder.iterdir() if path.name != LOCK_FILE] if folder.exists() else []
    )
    if fresh and others:
        if not held.exists():
            raise InputError(f"{folder} holds something other than a run; choose another folder")
        for path in needed:
            if path.resolve().is_relative_to(folder.resolve()):
                raise InputError(
                    f"beginning anew would remove {path}; choose another folder",
                    by_command="`--out` names it, `--fresh` begins anew.",
                )
        return
    if not held.exists():
        if resume:
            raise InputError(
                f"{folder} holds no run to go on with; begin one",
                by_command="Leave `--resume` out.",
            )
        return
    known = read_json(held)
    found = known.get("identity")
    if not isinstance(found, dict) or "started_at" not in known:
        raise InputError(f"{held} is not a run's; choose another folder")
    wanted = json.loads(json.dumps(identity))
    changed = sorted(_changed(found, wanted))
    refused = [setting for setting in changed if setting[-1] not in MAY_CHANGE]
    if refused and all(_is_of_one_version(setting, found, wanted) for setting in refused):
        raise InputError(
            f"{folder} holds a run of another version of the trainer, which may train otherwise "
            f"(only one of them knows {_listed(refused)}): finish it with the version that began "
            "it, choose another folder, or discard it",
            by_command=_BY_COMMAND,
        )
    if refused:
        raise InputError(
            f"{folder} holds a run with other settings ({_listed(refused)}); "
            "choose another folder, or discard it",
            by_command=_BY_COMMAND,
        )
    if changed and not resume:
        raise InputError(
            f"{folder} holds a run with another {_listed(changed)}; go on with the new one, or "
            "discard the run",
            by_command="`--resume` goes on, `--fresh` discards it.",
        )


def _changed(
    found: dict[str, Any], wanted: dict[str, Any], tables: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield what differs, after the tables that it stands in: names of files hold dots."""
    for name in found.keys() | wanted.keys():
        old, new = found.get(name), wanted.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changed(old, new, (*tables, name))
        elif old != new:
            yield (*tables, name)


def _listed(settings: Sequence[tuple[str, ...]]) -> str:
    return ", ".join(".".join(setting) for setting in settings)


def _is_of_one_version(
    setting: tuple[str, ...], found: dict[str, Any], wanted: dict[str, Any]
) -> bool:
    """Whether one side has no such setting: every version writes all that it knows of a recipe.

    Beside the configuration stand hashes, of which a run has those of what it was given.
    """
    *tables, name = setting
    for table in tables:
        found, wanted = found[table], wanted[table]
    return tables[:1] == ["config"] and (name in found) != (name in wanted)


def claim(folder: Path, identity: dict[str, Any], *, fresh: bool) -> str:
    """Make a checked and locked folder this run's own; return when the run first began."""
    try:
        if fresh:
            _empty(folder)
        known = read_json(folder / RUN_FILE) if (folder / RUN_FILE).exists() else {}
        started_at = str(known.get("started_at", now()))
        # The check has seen what differs: an empty folder, or a learning rate that was changed.
        if known.get("identity") != json.loads(json.dumps(identity)):
            content = {"identity": identity, "started_at": started_at}
            write_json_atomically(folder / RUN_FILE, content)
        write_json_atomically(folder / ENVIRONMENT_FILE, environment())
    except OSError as error:
        raise _cannot_write(folder, error) from None
    return started_at


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == LOCK_FILE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def remove_resume_points(folder: Path) -> None:
    """Remove the states of a finished run, and what a kill in the middle of a write left."""
    for path in (*folder.glob("state-*.pt"), *folder.glob(".*.partial")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder} cannot be written ({error.strerror}); choose another folder")


def environment() -> dict[str, Any]:
    """Return what a run can depend on beside its settings: packages, code, machine, command."""
    return {
        "started_at": now(),
        "command": sys.argv,
        "code_version": code_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("ACCELERATE_", "FSDP_", "OMP_", "CUDA_VISIBLE", "NCCL_"))
            or name in ("WORLD_SIZE", "RANK")
        },
        "packages": _packages(),
    }


@functools.cache
def _packages() -> dict[str, str]:
    """Return the version of each package that this process can load."""
    return dict(sorted((dist.name, dist.version) for dist in metadata.distributions()))


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def code_version() -> str:
    """Return the commit; with `+` and a hash of the changes where there are any."""
    here = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = _output([*here, "rev-parse", "--short=12", "HEAD"]).decode().strip()
        changes = _output([*here, "diff", "HEAD", "--", "."])
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+{hashlib.sha256(changes).hexdigest()[:8]}" if changes else head


def _output(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout
