"""What is looked after beside workers is looked after again, whatever a look came to."""

import threading

from django.db import OperationalError

from evalplatform.core import beside_workers


def test_a_look_that_fails_is_said_and_the_next_is_made(monkeypatch, caplog):
    begun = {}
    monkeypatch.setattr(
        beside_workers,
        "run_beside_workers",
        lambda name, run, **given: begun.update(given, run=run),
    )
    looks = []

    def look():
        looks.append(threading.current_thread())
        if len(looks) == 1:
            raise OperationalError("connection refused")
        begun["stop"].set()

    beside_workers.look_beside_workers(
        "things", look, seconds=0.01, failed="things could not be looked after", patience=1
    )
    thread = threading.Thread(target=begun["run"], daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert looks == [thread, thread]
    [said] = caplog.records
    assert said.message == "things could not be looked after: the database cannot be reached"
    assert said.exc_info is None  # each look says so until the database is back
