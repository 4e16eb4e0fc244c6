"""The search for reference cycles rests while very many rows are read, and goes on after it."""

import gc
import subprocess
import sys

import pytest

from evalplatform.core.garbage import cycles_left_alone


def test_search_rests_inside_and_goes_on_after_an_error():
    rested = []

    def read():
        with cycles_left_alone():
            rested.append(not gc.isenabled())
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        read()
    assert rested == [True]
    assert gc.isenabled()


def test_search_that_was_off_stays_off():
    gc.disable()
    try:
        with cycles_left_alone():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "loads",
    [
        "import sys; sys.argv = ['manage.py', 'check', '--tag', 'models'];"
        "from evalplatform.command_line import main; main()",
        "import evalplatform.wsgi",
        "from evalplatform.celery import app; app.Worker(pool='solo')",
    ],
)
def test_what_a_program_consists_of_is_not_searched_for_garbage(loads):
    tells = "import gc; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    ran = subprocess.run(
        [sys.executable, "-c", f"{loads}; {tells}"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "True True"
