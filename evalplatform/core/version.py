"""Which code is running: travels with every sample and every export."""

import functools
import subprocess
from importlib import metadata

from django.conf import settings


@functools.cache
def code_version() -> str:
    """Return the git commit ("+changes" when the tree differs from it), else the release."""
    try:
        # An environment may lie in somebody else's repository: its commit is not ours.
        if not settings.IS_CLONE:
            return metadata.version("evalplatform")
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        try:
            return metadata.version("evalplatform")
        except metadata.PackageNotFoundError:
            return "unknown"
    return commit + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(settings.BASE_DIR), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
