"""A program of the backend ends with whoever asked it, and goes on writing for nobody."""

import os
import subprocess
import sys

import pytest

from evalplatform.checkpoints.services import backend
from models_backend.errors import WHILE_STDIN

WAITS = "import time; from models_backend.errors import run_cli; run_cli(lambda: time.sleep(60))"


def start(**env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WAITS], stdin=subprocess.PIPE, env=os.environ | env
    )


def test_program_ends_when_its_standard_input_is_closed():
    with start(**{backend._WHILE_STDIN: "1"}) as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 130
    assert backend._WHILE_STDIN == WHILE_STDIN


def test_a_person_may_close_it():
    with start() as process:
        assert process.stdin
        process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.kill()


TELLS = """
import atexit, gc
from models_backend.errors import run_cli
atexit.register(lambda: print(gc.get_freeze_count() > 1000))
run_cli(lambda: None)
"""


def test_search_for_garbage_at_the_end_passes_over_what_is_loaded():
    told = subprocess.run([sys.executable, "-c", TELLS], capture_output=True, text=True)
    assert told.stdout == "True\n"
