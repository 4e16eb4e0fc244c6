"""The platform's own settings, with all that a test process writes in a folder of its own.

Every process that runs tests locks the first free folder of var/test/0, var/test/1, ... until it
ends: its database server, images and queues are then its own, however many run side by side (the
processes of one run, or two runs in one clone). What tests start inherits the folder.
"""

import fcntl
import itertools
import os
from pathlib import Path

FOLDERS = Path(__file__).resolve().parent.parent / "var" / "test"
# Which process of a run took the folder in EVALPLATFORM_VAR: the runner, or one of its workers.
TAKEN_BY = "EVALPLATFORM_TEST_FOLDER_TAKEN_BY"


def _take_folder() -> tuple[Path, int]:
    """Return a folder that no other test process has, and the lock that keeps it so."""
    for number in itertools.count():
        folder = FOLDERS / f"{number}"
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return folder, lock
    raise AssertionError("the numbers never end")


_me = os.environ.get("PYTEST_XDIST_WORKER", "runner")
if os.environ.get(TAKEN_BY) != _me:
    _folder, _lock = _take_folder()  # held, never closed: the lock ends with the process
    os.environ[TAKEN_BY] = _me
    os.environ["EVALPLATFORM_VAR"] = str(_folder)
    # Messages of these tests are for their own workers, whatever else uses the same broker.
    os.environ["QUEUE_PREFIX"] = f"test{os.getpid()}-"

from evalplatform.settings import *  # noqa: E402, F403
from evalplatform.settings import DATABASES, PREPARING  # noqa: E402

# One server may serve two runs (DATABASE_URL): their databases are apart by the folder's number.
_number = Path(os.environ["EVALPLATFORM_VAR"]).name
DATABASES["default"]["TEST"] = {"NAME": f"test_evalplatform_{_number}"}
# As the site under gunicorn has it; workers and commands that tests start have their own way.
DATABASES["default"].setdefault("OPTIONS", {}).update(PREPARING)

# What signs in is real, but quick to hash: a hash says itself how long it takes.
PASSWORD_HASHERS = ["tests.hashing.QuickArgon2PasswordHasher"]
