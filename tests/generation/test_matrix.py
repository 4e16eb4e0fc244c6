"""The same campaign on every broker and every object storage, with a worker killed in between."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from amqp.exceptions import PreconditionFailed
from django.conf import settings
from kombu import Queue

from evalplatform.campaigns.models import Campaign
from evalplatform.generation import services
from evalplatform.generation.models import GenerationBatch, Sample, SamplerSettings
from evalplatform.generation.services.waking import TASK
from tests import brokers, factories, live

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]

PROMPTS = 20  # more than a worker stores at once, so that it can die in between
STEPS = 10
# Two workers share the cores with the rest of the tests: one thread each is fastest.
FEW = {"GENERATION_LEASE_SECONDS": "10", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def broker(request):
    with brokers.lent(request.param) as lent:
        yield lent


@pytest.fixture
def storage(request):
    """What a process needs in its environment to keep images there."""
    if request.param == "files":
        return {"OBJECT_STORAGE_URL": ""}
    request.getfixturevalue("images_in_s3")
    return request.getfixturevalue("bucket").environment


@pytest.mark.parametrize(
    ("broker", "storage"),
    [("pgmq", "files"), ("rabbitmq", "files"), ("redis", "files"), ("pgmq", "s3")],
    indirect=True,
)
def test_campaign_opens_with_every_sample_once_though_a_worker_is_killed(
    broker, storage, two_checkpoints
):
    factories.make_prompt_set("things", PROMPTS)
    environment = broker.environment | storage | FEW
    with (
        run_eval(environment) as evaluation,
        live.worker(**environment) as first,
        live.worker(**environment) as second,
    ):
        half_done = wait_for(batch_half_done)
        doomed = first if half_done.worker.endswith(f":{first.pid}") else second
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
        left = Sample.objects.filter(batch=half_done, status="planned").count()
        _, errors = evaluation.communicate(timeout=180)
        assert evaluation.returncode == 0, errors
    assert left > 0
    assert Campaign.objects.get().status == "open"
    assert Sample.objects.filter(status="ready").count() == Sample.objects.count() == 2 * PROMPTS
    assert GenerationBatch.objects.get(pk=half_done.pk).attempts == 2
    for image in Sample.objects.values_list("image", flat=True):
        assert factories.stored_size(image) == (32, 32)


@contextmanager
def run_eval(environment):
    command = [sys.executable, "manage.py", "run_eval", "one", "two", "--prompts=things"]
    command += ["--name=run", f"--steps={STEPS}", "--allow-cut=1"]
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=live.environment(**environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def batch_half_done():
    """Return a batch that a worker is at, with images stored and images to come."""
    running = GenerationBatch.objects.filter(status="running")
    return running.filter(samples__status="ready").filter(samples__status="planned").first()


@pytest.mark.parametrize("broker", ["pgmq", "rabbitmq", "redis"], indirect=True)
def test_broker_gives_a_killed_workers_message_to_somebody_else(broker, two_checkpoints, wakes):
    slowly = SamplerSettings.objects.create(**factories.SETTINGS | {"steps": 1000})
    samples = factories.plan(two_checkpoints[0], slowly, factories.make_prompt_set())
    services.enqueue_samples(samples=samples, request=factories.make_request())
    sent = broker.app.send_task(TASK, queue="generation")
    wait_for(lambda: broker.waiting("generation") == 1)
    assert broker.waiting("default") == 0
    with live.worker(**broker.environment) as worker:
        wait_for(lambda: GenerationBatch.objects.filter(status="running").first())
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    broker.let_time_pass("generation")
    # Idle before it took the message, the worker may have sent one to itself.
    wait_for(lambda: broker.take("generation", seconds=20).headers["id"] == sent.id)


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_rabbitmq_queues_are_quorum_queues(broker):
    with broker.app.connection_for_write() as link:
        for queue in broker.app.amqp.queues.values():
            queue(link.default_channel).declare()
            classic = Queue(queue.name, queue_arguments={"x-queue-type": "classic"})
            with pytest.raises(PreconditionFailed, match="current is 'quorum'"):
                classic(link.channel()).queue_declare()


@pytest.mark.parametrize("broker", ["pgmq", "rabbitmq", "redis"], indirect=True)
def test_two_installations_on_one_broker_keep_their_messages_apart(broker):
    with brokers.lent(broker.name) as other:
        broker.app.send_task("nobody.takes_this", queue="default")
        wait_for(lambda: broker.waiting("default") == 1)
        assert [other.waiting(name) for name in ("default", "generation")] == [0, 0]
        assert broker.waiting("generation") == 0


def wait_for(find, seconds=180):
    """Return what `find` returns once that is something."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)
    return found
