"""Which browser the tests drive."""

import shutil

# The shell has no windows to keep: a test with it costs a quarter of the processor time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")


def path() -> str | None:
    """Return the system's Chromium; None means the one that playwright brought."""
    return next(filter(None, map(shutil.which, _NAMES)), None)
