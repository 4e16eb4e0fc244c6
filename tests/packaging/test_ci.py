"""What must pass before a change lands: lint and tests, side by side, neither hiding the other."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = """
.venv/.dev:
lint:
\t@echo lint ran; exit $(LINT)
test:
\t@echo tests ran; exit $(TESTED)
"""


@pytest.mark.parametrize(("lint", "tested", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_change_lands_where_lint_and_tests_both_pass(tmp_path, lint, tested, status):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    ran = subprocess.run(
        [tmp_path / ".ci/run"],
        env={"PATH": "/usr/bin:/bin", "LINT": str(lint), "TESTED": str(tested)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status
    assert {"tests ran", "lint ran"} <= set(ran.stdout.splitlines())


def test_makefile_has_what_is_run_before_a_change_lands():
    targets = (ROOT / "Makefile").read_text()
    for name in ("$(VENV)/.dev:", "lint:", "test:"):
        assert f"\n{name}" in targets
