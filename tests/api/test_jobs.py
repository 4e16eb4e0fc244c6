"""Jobs: who wakes those that stalled, who does them, and what becomes of those that were killed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.api.jobs import JobKind, queue_job
from evalplatform.api.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch):
    numbers: list[int] = []
    monkeypatch.setattr("evalplatform.api.jobs._wake", numbers.append)
    return numbers


def queued(user, **asked):
    return queue_job(project=default_project(), kind=JobKind.OPEN, asked=asked, user=user)


def test_asking_for_a_job_wakes_that_job_alone(client, rania, woken):
    job, _other = queued(rania, campaign="one"), queued(rania, campaign="other")
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    client.force_login(rania)
    assert client.get(f"/api/v1/jobs/{job.public_id}").json()["status"] == "queued"
    assert woken == [job.pk]
