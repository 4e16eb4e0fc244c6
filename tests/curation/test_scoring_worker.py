"""Scoring by a real worker that is killed in the middle of a job."""

import os
import signal
import threading
import time

import pytest
from django.core.management import call_command
from django.db import connections
from PIL import Image

from evalplatform.curation.models import ScoringShard
from models_backend.curation.scoring import Task, score
from models_backend.curation.store import Store
from tests import live
from tests.curation.test_scoring_jobs import found

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]

WORKER = {"GENERATION_LEASE_SECONDS": "5", "OMP_NUM_THREADS": "1"}
SCORERS = ("pixels", "duplicates")


@pytest.fixture
def hay(tmp_path):
    """Images that take a worker some hundredths of a second each."""
    folder = tmp_path / "hay"
    folder.mkdir()
    Image.effect_noise((400, 400), 50).convert("RGB").save(folder / "0.png")
    content = (folder / "0.png").read_bytes()
    for number in range(1, 72):
        (folder / f"{number}.png").write_bytes(content + bytes([number]))  # another file's hash
    (folder / "cut.png").write_bytes(content[:90])
    return folder


def looking() -> bool:
    """Whether a worker is in the middle of a job: some images done, some not."""
    return ScoringShard.objects.filter(status="running", number__gte=1, looked__gt=0).exists()


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, list(ScoringShard.objects.values())
        time.sleep(0.02)


def start(hay, out):
    try:
        call_command("scoring", "start", "hay", "--data", str(hay), "--out", str(out),
                     "--scorers", ",".join(SCORERS), "--images-a-job", "70")  # fmt: skip
    finally:
        connections.close_all()


def test_killed_worker_leaves_every_image_scored_once(hay, tmp_path, capsys):
    asking = threading.Thread(target=start, args=(hay, tmp_path / "scores"), daemon=True)
    asking.start()
    with live.worker(**WORKER) as doomed:
        wait_until(looking)
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
    assert ScoringShard.objects.filter(status="running").count() == 1
    with live.worker(**WORKER):
        asking.join(120)
    assert "hay: done, 73 images looked at, 1 cannot be read" in capsys.readouterr().out
    assert max(ScoringShard.objects.values_list("attempts", flat=True)) == 2
    score(Task(hay, tmp_path / "alone", SCORERS))
    assert found(tmp_path / "scores") == found(tmp_path / "alone")
    assert len(Store(tmp_path / "scores").images(["file"])) == 73
