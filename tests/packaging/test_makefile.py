"""What the Makefile hands to the programs that it starts."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_programs_keep_compiled_code_whatever_the_environment_says(tmp_path):
    """Without it the tests take half as long again, and nothing says why."""
    script = tmp_path / "probe.mk"
    script.write_text(f"include {ROOT}/Makefile\nprobe:\n\t@env\n")
    told = subprocess.run(
        ["make", "-f", script, "probe"],
        cwd=ROOT, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "PYTHONUNBUFFERED=1" in told.stdout
    assert "PYTHONDONTWRITEBYTECODE" not in told.stdout
