"""The search for reference cycles rests while very many rows are read, and goes on after it."""

import gc

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
