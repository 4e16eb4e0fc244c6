"""Jobs: who wakes those that stalled, who does them, and what becomes of those that were killed."""

import time
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.api import jobs
from evalplatform.api.job_files import folder_of
from evalplatform.api.jobs import JobKind, queue_job, run_job, wake_stalled_jobs
from evalplatform.api.models import Job
from evalplatform.api.ticking import tick
from evalplatform.core.locks import is_turn_taken, session_turn
from tests import live, warm

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=3)


@pytest.fixture
def woken(monkeypatch):
    numbers: list[int] = []
    monkeypatch.setattr("evalplatform.api.jobs._wake", numbers.append)
    return numbers


@pytest.fixture
def doing(monkeypatch):
    """Let jobs do what a test says."""

    def set_to(do):
        monkeypatch.setattr(jobs, "DOING", dict.fromkeys(Job.Kind, do))

    set_to(lambda job: "made")
    return set_to


def queued(user, **asked):
    return queue_job(project=default_project(), kind=JobKind.OPEN, asked=asked, user=user)


def running(*, starts=1):
    """A job as a worker that was killed left it."""
    return Job.objects.create(
        project=default_project(), kind=JobKind.OPEN, asked={}, status="running", starts=starts,
        started_at=LONG_AGO,
    )  # fmt: skip


def look(*, later=0):
    """Look at all jobs, so many seconds later."""
    wake_stalled_jobs(Job.objects.all(), now=timezone.now() + timedelta(seconds=later))


def state(job):
    job.refresh_from_db()
    return job.status, job.starts


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_asking_for_a_job_wakes_that_job_alone(client, rania, woken):
    job, _other = queued(rania, campaign="one"), queued(rania, campaign="other")
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    client.force_login(rania)
    assert client.get(f"/api/v1/jobs/{job.public_id}").json()["status"] == "queued"
    assert woken == [job.pk]


def test_job_is_begun_and_ended_once(rania, doing):
    job = queued(rania)
    done = run_job(number=job.pk, now=timezone.now)
    assert (done.status, done.result) == ("done", "made")
    assert state(job) == ("done", 1)
    assert run_job(number=job.pk, now=timezone.now) is None
    assert state(job) == ("done", 1)


@pytest.mark.django_db(transaction=True)
def test_job_is_its_workers_until_that_is_killed_and_then_anothers(rania, woken, doing):
    job = queued(rania)
    woken.clear()
    worker = warm.start("tests.api.doomed_worker", job.pk, env=live.environment())
    try:
        wait_until(lambda: worker.poll() is not None or state(job) == ("running", 1))
        Job.objects.update(started_at=LONG_AGO)
        for later in (0, 3600):
            look(later=later)
        assert run_job(number=job.pk, now=timezone.now) is None
        assert (state(job), woken) == (("running", 1), [])
    finally:
        worker.kill()
        worker.wait(30)
    wait_until(lambda: not is_turn_taken(jobs._turn_at(job.pk)))
    look()
    look(later=21)
    assert (state(job), woken) == (("queued", 1), [job.pk])
    assert run_job(number=job.pk, now=timezone.now).status == "done"
    assert state(job) == ("done", 2)


def test_job_is_taken_for_killed_at_the_second_look(woken):
    job = running()
    for later in (0, 1, 19):
        look(later=later)
    assert (state(job), woken) == (("running", 1), [])
    look(later=21)
    assert (state(job), woken) == (("queued", 1), [job.pk])
    assert (job.started_at, job.unheld_since) == (None, None)


def test_worker_that_lost_its_connection_keeps_its_job(woken):
    job = running()
    look()
    with session_turn(jobs._turn_at(job.pk)):  # taken again
        look(later=25)
        assert run_job(number=job.pk, now=timezone.now) is None
    look(later=30)
    assert (state(job), woken) == (("running", 1), [])


def test_job_is_begun_again_at_once_where_its_message_comes_back(doing):
    job = running()
    assert run_job(number=job.pk, now=timezone.now).status == "done"
    assert state(job) == ("done", 2)


def test_job_whose_worker_was_killed_three_times_fails_and_says_so(woken, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    job = running(starts=3)
    folder_of(job).mkdir(parents=True)
    assert run_job(number=job.pk, now=timezone.now) is None  # the message came back
    look()
    look(later=21)
    assert (state(job), woken) == (("failed", 3), [])
    assert "Its worker was killed or lost 3 times while doing it" in job.reason
    assert "the logs of the worker" in job.reason
    assert job.finished_at
    assert not folder_of(job).exists()


def test_worker_whose_job_was_begun_again_says_nothing_of_it(doing, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    job = running(starts=0)
    folder_of(job).mkdir(parents=True)

    def be_late(job):
        Job.objects.filter(pk=job.pk).update(starts=2)
        return "made"

    doing(be_late)
    assert run_job(number=job.pk, now=timezone.now) is None
    assert (state(job), job.result) == (("running", 2), "")
    assert folder_of(job).exists()


def test_worker_that_is_told_to_stop_leaves_its_job_to_others(rania, doing):
    job = queued(rania)

    def stop(job):
        raise SystemExit

    doing(stop)
    with pytest.raises(SystemExit):
        run_job(number=job.pk, now=timezone.now)
    assert state(job) == ("running", 1)
    assert not is_turn_taken(jobs._turn_at(job.pk))


def test_workers_find_killed_jobs_also_while_nobody_reads(woken):
    job = running()
    tick()
    Job.objects.update(unheld_since=LONG_AGO)
    tick()
    assert woken == [job.pk]


def test_database_counts_no_starts_below_zero():
    with pytest.raises(IntegrityError, match="starts"):
        running(starts=-1)
