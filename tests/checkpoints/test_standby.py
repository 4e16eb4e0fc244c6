"""Programs begun where much is loaded already: to their caller they are programs like others."""

import socket
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
LIGHT_OF_THE_TESTS = """
from tests import warm
warm.HEAVY, warm.HEAVY_CLASSES = (), {}
warm.main()
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
    asker, program = start_waiting(backend_command("timeit", WAIT), tmp_path)
    asker.kill()
    asker.wait()
    assert has_ended(program)


def test_program_ends_with_the_parent_that_the_tests_start(tmp_path: Path):
    path = tmp_path / "socket"
    ours, theirs = socket.socketpair()
    processes = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, processes, socket.socket(socket.AF_UNIX) as programs:
        for name, each in (("processes", processes), ("socket", programs)):
            each.bind(str(tmp_path / name))
            each.listen()
        files = [each.fileno() for each in (theirs, processes, programs)]
        command = [sys.executable, "-c", LIGHT_OF_THE_TESTS, *map(str, files)]
        parent = subprocess.Popen(command, cwd=settings.BASE_DIR, pass_fds=files)
        relay = [sys.executable, "-I", "-S", "models_backend/standby.py", str(path)]
        asker, program = start_waiting([*relay, "timeit", *WAIT], tmp_path)
        assert program.ppid() == parent.pid
        ours.close()
        assert (parent.wait(10), asker.wait(10)) == (0, 1)
        assert has_ended(program)


WAIT = ["-n1", "-r1", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]


def start_waiting(command: list[str], folder: Path) -> tuple[subprocess.Popen, psutil.Process]:
    """Start whoever asks for a program that waits; return both once the program runs."""
    told = folder / "pid"
    with told.open("w") as output:
        asker = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=output)
    began = time.monotonic()
    while not told.read_text().endswith("\n"):
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    return asker, psutil.Process(int(told.read_text()))


def has_ended(program: psutil.Process) -> bool:
    """Whether it ends within ten seconds."""
    return not psutil.wait_procs([program], timeout=10)[1]


def test_where_nobody_serves_it_begins_cold(monkeypatch):
    monkeypatch.setattr(standby, "SERVER", (sys.executable, "-c", "raise SystemExit"))
    with standing_by():
        time.sleep(0.3)
        assert run("print('cold')").stdout.startswith("cold\n")
    assert backend_command("x", [1]) == [sys.executable, "-m", "x", "1"]
