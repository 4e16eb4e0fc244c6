"""`make` installs every pinned package once, by two processes side by side."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTS = sorted(ROOT.glob("requirements*.txt"))
# Stands in for the environment's Python: it fails where it is given the named list.
FAILS_AT = """#!/bin/sh
case "$*" in *{name}*) exit 3;; esac
"""


def install(folder: Path, fails_at: str) -> subprocess.CompletedProcess[str]:
    """Let make install into `folder` with a Python that does nothing but fail at a list."""
    for each in [ROOT / "Makefile", *LISTS]:
        shutil.copy(each, folder)
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(FAILS_AT.format(name=fails_at))
    python.chmod(0o755)
    return subprocess.run(
        ["make", ".venv/.dev"], cwd=folder, capture_output=True, text=True, check=False
    )


def pins(path: Path) -> list[str]:
    return re.findall("^[A-Za-z][^ \n]*", path.read_text(), flags=re.MULTILINE)


def test_each_process_gets_half_of_all_pins_and_none_gets_the_same(tmp_path):
    assert install(tmp_path, "nothing").returncode == 0
    halves = [pins(tmp_path / f".venv/packages-{half}.txt") for half in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(set().union(*map(pins, LISTS)))
    assert abs(len(halves[0]) - len(halves[1])) <= 1


@pytest.mark.parametrize("half", ["packages-0", "packages-1"])
def test_nothing_counts_as_installed_where_one_of_them_fails(tmp_path, half):
    assert install(tmp_path, half).returncode != 0
    assert not (tmp_path / ".venv/.dev").exists()
