"""Programs begun where much is loaded already: to their caller they are programs like others."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from evalplatform.checkpoints.services import standby
from evalplatform.checkpoints.services.standby import backend_command, standing_by

LIGHT = """
from models_backend import standby
standby._HEAVY, standby._HEAVY_CLASSES = (), {}
standby.main()
"""


@pytest.fixture
def warm(monkeypatch):
    """A process stands by that has loaded nothing heavy."""
    monkeypatch.setattr(standby, "SERVER", (sys.executable, "-c", LIGHT))
    with standing_by():
        yield


def run(statement: str, **asked) -> subprocess.CompletedProcess[str]:
    """Run a statement by the standard library's own program for it."""
    command = backend_command("timeit", ["-n1", "-r1", statement])
    return subprocess.run(
        command, capture_output=True, text=True, cwd=settings.BASE_DIR, check=False, **asked
    )


def test_program_has_its_arguments_streams_environment_folder_and_status(warm):
    command = backend_command("json.tool", ["--indent", "3"])
    assert command[-3:] == ["json.tool", "--indent", "3"]
    asked = {"capture_output": True, "text": True, "check": False}
    told = subprocess.run(command, input='{"a": 1}', **asked)
    assert (told.returncode, told.stdout) == (0, '{\n   "a": 1\n}\n')
    refused = subprocess.run(command, input="{", **asked)
    assert refused.returncode == 1
    assert "Expecting property name" in refused.stderr
    said = run("import os; print(os.environ['SAID'], os.getcwd())", env={"SAID": "this"})
    assert said.stdout.startswith(f"this {settings.BASE_DIR}\n")


def test_two_run_beside_each_other_and_differ_by_chance(warm):
    draw = "import random, os; print(random.random(), os.getppid())"
    first, second = (run(draw).stdout.split()[:2] for _ in range(2))
    assert first[1] == second[1]  # forked by one process
    assert first[0] != second[0]


def test_what_is_loaded_is_no_work_for_the_programs_garbage_collector(warm):
    ask = "import gc; print(gc.get_freeze_count() > 1000, gc.isenabled())\n"
    told = subprocess.run(
        backend_command("code", ["-q"]), input=ask, capture_output=True, text=True
    )
    assert "True True\n" in told.stdout


def test_program_ended_by_a_signal_says_so(warm):
    assert run("import os; os.kill(os.getpid(), 9)").returncode == -9


def test_program_ends_with_whoever_asked(warm, tmp_path: Path):
    told = tmp_path / "pid"
    wait = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    asker = subprocess.Popen(backend_command("timeit", ["-n1", "-r1", wait]), cwd=settings.BASE_DIR)
    began = time.monotonic()
    while not (told.exists() and told.read_text()):
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    asker.kill()
    asker.wait()
    _, left = psutil.wait_procs([psutil.Process(int(told.read_text()))], timeout=10)
    assert not left


def test_where_nobody_serves_it_begins_cold(monkeypatch):
    monkeypatch.setattr(standby, "SERVER", (sys.executable, "-c", "raise SystemExit"))
    with standing_by():
        time.sleep(0.3)
        assert run("print('cold')").stdout.startswith("cold\n")
    assert backend_command("x", [1]) == [sys.executable, "-m", "x", "1"]
