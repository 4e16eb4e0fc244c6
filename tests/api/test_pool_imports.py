"""Pools brought by the API: a folder that was sent, a path, or samples, each by a job."""

import json

import pytest
from django.utils import timezone

from evalplatform.api.job_files import folder_of
from evalplatform.api.jobs import run_job
from evalplatform.api.models import Job
from evalplatform.curation.models import Pool
from evalplatform.curation.services.samples import sampler_of_a_pool
from evalplatform.generation.models import Sample, SamplerSettings
from evalplatform.generation.services import record_sample
from evalplatform.uploads.models import SentFile
from tests import factories
from tests.curation.pools import write_pool
from tests.uploads.sending import send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _room(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    (tmp_path / "registry").mkdir()


@pytest.fixture
def sender(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def ask(sender):
    def run(**body):
        given = json.dumps({"name": "needles"} | body)
        return sender.post("/api/v1/pools", given, content_type="application/json")

    return run


def done(answer):
    assert answer.status_code == 202, answer.content
    job = Job.objects.get(public_id=answer.json()["id"])
    run_job(number=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def sent_pool(sender, folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [send(sender, str(each.relative_to(folder)), each.read_bytes()) for each in files]


def test_a_folder_that_was_sent_becomes_a_pool_and_is_used_up(ask, sender, tmp_path):
    sent = sent_pool(sender, write_pool(tmp_path / "pool", 2))
    job = done(ask(sent=sent))
    assert (job.status, job.result, job.note) == ("done", "needles", "2 images"), job.reason
    pool = Pool.objects.get()
    assert (pool.source, pool.created_by.username) == ("drawings", "rania")
    assert not SentFile.objects.exists()
    assert not folder_of(job).exists()


def test_a_folder_that_is_no_pool_fails_its_job_and_says_nothing_of_the_disk(ask, sender, tmp_path):
    job = done(ask(sent=[send(sender, "pool.json", b"{}")]))
    assert (job.status, "pool.json is of the format None" in job.reason) == ("failed", True)
    assert str(tmp_path) not in job.reason
    assert not folder_of(job).exists()
    assert not Pool.objects.exists()


def test_a_path_is_taken_where_an_operator_has_opened_it(ask, settings, tmp_path):
    folder = write_pool(tmp_path / "pools" / "needles", 2)
    settings.API_HUBS = True
    for path in (str(folder), "/etc", "hub:../x"):
        answer = ask(path=path)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    settings.API_FOLDERS = [str(tmp_path / "pools")]
    assert done(ask(path=str(folder))).status == "done"


def test_samples_are_asked_for_and_taken_once_they_are_made(ask, rania):
    project = rania.memberships.get().project
    factories.make_checkpoint("base", project=project)
    factories.make_prompt_set("things", 2, project=project)
    body = {"checkpoint": "base", "prompt_set": "things@1", "seeds": 1, "steps": 3}
    job = done(ask(**body))
    assert (job.status, "0 of 2 samples are made" in job.reason) == ("failed", True), job.reason
    wanted = SamplerSettings.objects.get(**sampler_of_a_pool(steps=3, guidance=4.0))
    for number, sample in enumerate(Sample.objects.filter(settings=wanted)):
        record_sample(
            sample=sample, image=factories.make_image(90_000 + number), now=timezone.now()
        )
    job = done(ask(**body))
    assert (job.status, job.note) == ("done", "2 images"), job.reason
    assert Pool.objects.get().origin == "samples"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "one of them"),
        ({"path": "/pools/a", "checkpoint": "base"}, "one of them"),
        ({"checkpoint": "base", "seeds": 1}, "go together"),
        ({"sent": ["x"], "seeds": 1}, "go together"),
        ({"checkpoint": "none", "prompt_set": "things", "seeds": 1}, "no checkpoint"),
        ({"checkpoint": "base", "prompt_set": "none", "seeds": 1}, "no prompt set"),
        ({"checkpoint": "base", "prompt_set": "things", "seeds": 101}, "seeds"),
        ({"sent": ["x"]}, "names no file that was sent"),
        ({"sent": ["x"], "name": "x" * 61}, "name"),
        ({"sent": ["x"], "processes": 4}, "processes"),
    ],
)
def test_what_cannot_be_asked_is_refused(ask, rania, body, said):
    factories.make_checkpoint("base", project=rania.memberships.get().project)
    answer = ask(**body)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.content
    assert not Job.objects.exists()


def test_a_name_that_is_taken_is_refused(ask, sender, tmp_path):
    sent = sent_pool(sender, write_pool(tmp_path / "pool", 2))
    done(ask(sent=sent))
    answer = ask(sent=[send(sender, "pool.json", b"{}")])
    assert (answer.status_code, "there is a pool" in answer.json()["detail"]) == (422, True)
    assert SentFile.objects.count() == 1
