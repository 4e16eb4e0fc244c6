"""A real worker that is killed, told to stop, paused and cancelled in the middle of its work."""

import hashlib
import os
import random
import shutil
import signal
import threading
import time

import pytest
from django.core.files.storage import default_storage
from django.db import connections

from evalplatform.accounts.projects import default_project
from evalplatform.generation import services
from evalplatform.generation.models import GenerationBatch, Sample, SamplerSettings, WorkerHeartbeat
from evalplatform.generation.selectors import progress_of
from tests import factories, live

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]

PROMPTS = 24
# One thread is fastest beside other tests; small parts, so that there is a middle.
WORKER = {
    "GENERATION_LEASE_SECONDS": "5",
    "GENERATION_IMAGES_PER_STEP": "2",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def asked(two_checkpoints, settings):
    """A request of 24 samples of each checkpoint, in batches of 12; takes some seconds to make."""
    settings.GENERATION_BATCH_SIZE = 12
    slowly = SamplerSettings.objects.create(**factories.SETTINGS | {"steps": 25})
    request, prompts = factories.make_request(), factories.make_prompt_set(count=PROMPTS)
    samples = [
        sample
        for checkpoint in two_checkpoints
        for sample in factories.plan(checkpoint, slowly, prompts)
    ]
    services.enqueue_samples(samples=samples, request=request)
    return request


def ready() -> int:
    return Sample.objects.filter(status="ready").count()


def states() -> list[str]:
    return sorted(GenerationBatch.objects.values_list("status", flat=True))


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen in time: {states()}, {ready()} ready"
        time.sleep(0.05)


def assert_every_sample_is_there_once():
    rows = Sample.objects.all()
    assert [row.status for row in rows] == ["ready"] * (2 * PROMPTS)
    for row in rows:
        with default_storage.open(row.image) as file:
            assert hashlib.sha256(file.read()).hexdigest() == row.image_sha256
    assert sum(GenerationBatch.objects.values_list("images_made", flat=True)) >= 2 * PROMPTS


def test_workers_killed_at_random_moments_leave_every_sample_once(asked):
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown where the test fails
    moments = random.Random(seed)
    for _ in range(3):
        with live.worker(**WORKER) as worker:
            made = ready()
            wait_until(lambda made=made: ready() > made or "running" in states())
            time.sleep(moments.uniform(0, 1.5))
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        if progress_of(list(Sample.objects.all())).is_complete:
            break
    with live.worker(**WORKER):
        wait_until(lambda: states() == ["done"] * 4)
    assert_every_sample_is_there_once()


def test_worker_told_to_stop_keeps_what_it_made_and_gives_back_the_rest(asked):
    with live.worker(**WORKER) as worker:
        wait_until(lambda: ready() > 0)
        worker.terminate()
        assert worker.wait(30) == 0
    assert 0 < ready() < 2 * PROMPTS
    assert "running" not in states()
    assert set(GenerationBatch.objects.filter(status="queued").values_list("attempts")) == {(0,)}
    assert not WorkerHeartbeat.objects.exists()
    with live.worker(**WORKER):
        wait_until(lambda: states() == ["done"] * 4)
    assert_every_sample_is_there_once()


def test_running_request_is_paused_resumed_and_cancelled(asked):
    with live.worker(**WORKER):
        wait_until(lambda: ready() > 0)
        services.pause_request(request=asked)
        wait_until(lambda: "running" not in states())
        made = ready()
        time.sleep(1)
        assert ready() == made
        services.resume_request(request=asked)
        wait_until(lambda: ready() > made)
        services.cancel_request(request=asked)
        wait_until(lambda: not {"running", "queued"} & set(states()))
    assert ready() < 2 * PROMPTS
    asked.refresh_from_db()
    assert asked.spent_seconds > 0


def test_two_campaigns_that_start_together_ask_for_each_sample_once(asked):
    """The second waits for the rows of the first, and then sees them taken."""
    GenerationBatch.objects.all().delete()
    samples = list(Sample.objects.all())
    start = threading.Barrier(2)

    def ask(name):
        request = services.open_request(project=default_project(), name=name)
        start.wait()
        try:
            services.enqueue_samples(samples=samples, request=request)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert GenerationBatch.objects.count() == 4


def test_request_that_cannot_be_drawn_fails_alone(asked, two_checkpoints):
    """Its settings are refused after the checkpoint is loaded; the next batch is another's."""
    odd = SamplerSettings.objects.create(**factories.SETTINGS | {"height": 20, "width": 20})
    prompts = factories.make_prompt_set("odd", 2)
    urgent = services.open_request(project=default_project(), name="urgent", priority=9)
    services.enqueue_samples(
        samples=factories.plan(two_checkpoints[0], odd, prompts), request=urgent
    )
    GenerationBatch.objects.filter(checkpoint=two_checkpoints[0], request=asked).delete()
    with live.worker(**WORKER):
        wait_until(lambda: states() == ["done", "done", "failed"])
    assert "multiples of 8" in GenerationBatch.objects.get(status="failed").error


def test_checkpoint_that_cannot_be_loaded_fails_alone_and_can_be_tried_again(
    asked, two_checkpoints
):
    broken = two_checkpoints[0].directory
    aside = broken.with_name("aside")
    broken.rename(aside)
    try:
        with live.worker(**WORKER):
            wait_until(lambda: states() == ["done", "done", "failed", "failed"])
            failed = GenerationBatch.objects.filter(status="failed").first()
            assert failed.error.startswith("CheckpointError: ")
            aside.rename(broken)
            assert services.retry_request(request=asked) == 2
            wait_until(lambda: states() == ["done"] * 4)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    assert_every_sample_is_there_once()
