"""A secret key for one machine, made once and kept private in var/."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def local_secret_key(path: Path) -> str:
    """Return the key stored at `path`, creating it (mode 600) on first use.

    Processes that start together agree: linking a finished file into place succeeds once.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mkstemp files are mode 600
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(temporary, path)
        os.unlink(temporary)
    return path.read_text(encoding="ascii").strip()
