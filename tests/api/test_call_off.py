"""Jobs that wait are called off by the API, as on their pages."""

import pytest
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.api.jobs import JobKind, queue_job, run_job
from evalplatform.api.models import Job
from evalplatform.api.tasks import run_job as task
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def call_off(rania):
    secret = token_of(rania)
    return lambda job: send("POST", f"/api/v1/jobs/{job.public_id}/call-off", secret)


@pytest.fixture
def job(rania):
    asked = {"campaign": "none", "arm": "late"}
    return queue_job(project=default_project(), kind=JobKind.ADD_ARM, asked=asked, user=rania)


def test_a_job_that_is_called_off_is_never_done(job, call_off):
    for _ in range(2):  # sent twice, it is called off once
        answer = call_off(job)
        assert (answer.status_code, answer.json()["status"]) == (200, "failed"), answer.content
        assert answer.json()["reason"] == "It was called off before it began."
    assert run_job(number=job.pk, now=timezone.now) is None
    job.refresh_from_db()
    assert job.starts == 0


@pytest.mark.parametrize("status", ["running", "done", "failed"])
def test_a_job_that_has_begun_or_ended_goes_on_as_it_is(job, call_off, status):
    ended = None if status == "running" else timezone.now()
    Job.objects.update(status=status, reason="the disk is full", finished_at=ended)
    answer = call_off(job)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "a worker has it already, or it has ended" in answer.json()["detail"]
    job.refresh_from_db()
    assert (job.status, job.reason) == (status, "the disk is full")


def test_the_message_of_a_job_that_was_called_off_is_taken(job, call_off):
    call_off(job)
    assert task(job.pk) == "another worker has it"
