"""Votes cast elsewhere by the API: a file that was sent, made a closed campaign by a job."""

import json

import pytest
from django.utils import timezone

from evalplatform.accounts.members import create_project
from evalplatform.accounts.models import User
from evalplatform.annotation.models import Vote
from evalplatform.api.job_files import folder_of
from evalplatform.api.jobs import run_job
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.uploads.models import SentFile
from evalplatform.uploads.room import refuse_without_room
from tests.uploads.sending import send

pytestmark = pytest.mark.django_db
VOTES = (
    "prompt,model_a,model_b,winner,annotator\n"
    "a red fox,one,two,a,ana\n"
    "a red fox,one,two,b,ben\n"
    "a blue cube,two,one,tie,ana\n"
)


@pytest.fixture(autouse=True)
def _room(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path


@pytest.fixture
def sender(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def ask(sender):
    def run(content=VOTES, name="votes.csv", **more):
        body = {"campaign": "elsewhere"} | more
        if "sent" not in body:
            body["sent"] = send(sender, name, content.encode())
        return sender.post(
            "/api/v1/vote-imports", json.dumps(body), content_type="application/json"
        )

    return run


def done(answer):
    assert answer.status_code == 202, answer.content
    job = Job.objects.get(public_id=answer.json()["id"])
    run_job(number=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def test_a_file_becomes_a_closed_campaign_and_is_used_up(ask):
    answer = ask(question="Which is nicer?", licence="CC0-1.0", shows_prompt=True)
    job = Job.objects.get()
    assert (folder_of(job) / "votes.csv").read_text() == VOTES
    assert not SentFile.objects.exists()
    job = done(answer)
    assert (job.status, job.result) == ("done", "elsewhere"), job.reason
    assert "3 votes by 2 annotators on 2 items of 2 models" in job.note
    campaign = Campaign.objects.get(slug="elsewhere")
    assert (campaign.status, campaign.created_by.username) == ("closed", "rania")
    assert campaign.criteria.get().question == "Which is nicer?"
    assert campaign.imported_from["licence"] == "CC0-1.0"
    assert Vote.objects.filter(assignment__campaign=campaign).count() == 3
    assert not folder_of(job).exists()


def test_columns_and_rows_are_taken_as_they_are_asked_for(ask):
    content = VOTES.replace("prompt,", "words,").replace("tie", "nobody")
    job = done(ask(content, columns={"prompt": "words"}, skip_bad=True))
    assert (job.status, "1 left out" in job.note) == ("done", True), job.reason
    assert Vote.objects.count() == 2


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (VOTES.replace("tie", "nobody"), "votes.csv", "votes.csv: line 4"),
        (VOTES.replace("annotator", "x"), "votes.csv", "does not say who voted"),
        (VOTES, "votes.txt", "votes.txt: files ending in .txt are not read"),
    ],
)
def test_a_file_that_cannot_be_imported_fails_its_job_and_leaves_nothing(
    ask, tmp_path, content, name, said
):
    job = done(ask(content, name))
    assert (job.status, said in job.reason) == ("failed", True), job.reason
    assert str(tmp_path) not in job.reason
    assert not folder_of(job).exists()
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"campaign": "a b"}, "campaign"),
        ({"campaign": "tuned-vs-plain"}, "exists already"),
        ({"criterion": "Ü"}, "is no slug"),
        ({"prompt_set": "none"}, "no prompt set"),
        ({"prompt_set": "a@b"}, "prompt_set"),
        ({"question": "x" * 1001}, "question"),
        ({"path": "/etc/passwd"}, "path"),
        ({"sent": "x"}, "names no file that was sent"),
        ({"sent": "0c6c1f0e-64a5-4a5e-9d43-9f0a8d1b7d11"}, "are not known"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_the_file_stays(ask, more, said, draft):
    answer = ask(**more)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.content
    assert not Job.objects.exists()
    assert SentFile.objects.exists() == ("sent" not in more)


def test_anothers_file_is_not_there(ask, client, sender):
    other = User.objects.create_user("sam", password="a long password")
    create_project(name="sams", owner=other)
    client.force_login(other)
    sent = send(client, "votes.csv", VOTES.encode())
    client.force_login(User.objects.get(username="rania"))
    assert ask(sent=sent).status_code == 422
    assert SentFile.objects.count() == 1


def test_what_waits_for_a_job_counts_to_the_projects_room(ask):
    ask()
    job = Job.objects.select_related("project").get()
    job.project.upload_quota_bytes = len(VOTES) + 10
    refuse_without_room(project=job.project, size_bytes=10)
    with pytest.raises(BadInputError, match="more than its"):
        refuse_without_room(project=job.project, size_bytes=11)
    run_job(number=job.pk, now=timezone.now)
    refuse_without_room(project=job.project, size_bytes=len(VOTES))
