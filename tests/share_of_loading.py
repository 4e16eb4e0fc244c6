"""Which tests a process loads first, where several run tests side by side."""

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load(config: pytest.Config) -> None:
    """Load this process's share of the tests that were asked for; nothing where it is alone.

    A file that cannot be loaded is passed over: pytest loads it again, and says why it fails.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes == 1:
        return
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    for path in _files(config)[number::processes]:
        with suppress(Exception, pytest.skip.Exception):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def _files(config: pytest.Config) -> list[Path]:
    folders = [ROOT / each for each in config.args if (ROOT / each).is_dir()]
    return sorted({path for folder in folders for path in folder.rglob("test_*.py")})
