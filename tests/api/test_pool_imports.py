"""Pools brought by the API: a folder that was sent, a path, or samples, each by a job."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import Project, User
from evalplatform.api.job_files import folder_of
from evalplatform.api.jobs import ask_for_pool, run_job
from evalplatform.api.models import Job
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.curation.models import Pool
from evalplatform.curation.services.samples import sampler_of_a_pool
from evalplatform.generation.models import GenerationRequest, Sample, SamplerSettings
from evalplatform.generation.services import (
    cancel_request,
    claim_next,
    finish_batch,
    record_sample,
)
from evalplatform.uploads.models import SentFile
from tests import factories
from tests.curation.pools import make_pool, write_pool
from tests.uploads.sending import send
from tests.waiting import wait_until_somebody_waits

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
    assert job.reason.endswith(". What was sent for it is removed: send it again.")
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


BODY = {"checkpoint": "base", "prompt_set": "things@1", "seeds": 1, "steps": 3}


@pytest.fixture
def things(rania):
    project = rania.memberships.get().project
    factories.make_checkpoint("base", project=project)
    factories.make_prompt_set("things", 2, project=project)
    return project


@pytest.fixture
def woken(monkeypatch):
    numbers = []
    monkeypatch.setattr("evalplatform.api.jobs._wake", numbers.append)
    return numbers


def make_samples():
    wanted = SamplerSettings.objects.get(**sampler_of_a_pool(steps=3, guidance=4.0))
    for number, sample in enumerate(Sample.objects.filter(settings=wanted)):
        record_sample(
            sample=sample, image=factories.make_image(90_000 + number), now=timezone.now()
        )


def again(job):
    run_job(number=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def read(sender):
    return sender.get(reverse("asked_pools:list")).content.decode()


def press(sender, job, **more):
    told = {"job": job.public_id} | more
    return sender.post(reverse("asked_pools:list"), told, follow=True).content.decode()


def test_samples_of_a_pool_are_asked_for_under_a_name_that_no_campaign_can_have(ask, things):
    longest = "n" * 60
    assert done(ask(**BODY | {"name": longest})).status == "queued"
    asked = GenerationRequest.objects.get()
    assert asked.name == f"pool:{longest}"
    with pytest.raises(ValidationError):
        validate_slug(asked.name)


def test_job_of_samples_waits_for_them_and_makes_the_pool_by_itself(ask, sender, things):
    answer = ask(**BODY)
    shown = read(sender)
    assert "It waits for a worker." in shown
    assert 'aria-current="true">Pools</a>' in shown
    job = done(answer)
    assert (job.status, job.starts) == ("queued", 0), job.reason
    assert job.note.startswith("0 of 2 samples are made.")
    assert Sample.objects.filter(batch__request__name="pool:needles").count() == 2
    assert "The pool is made by itself once every sample is there." in read(sender)
    assert ask(**BODY).json()["id"] == str(job.public_id)  # asked again, it is the same one
    make_samples()
    assert "Every sample is there: the pool is made in a moment." in read(sender)
    assert (again(job).status, job.note) == ("done", "2 images"), job.reason
    assert Pool.objects.get().origin == "samples"
    assert f'<a href="{reverse("curation:pool", args=["needles"])}">2 images</a>' in read(sender)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seeds", [1, 2])
def test_two_who_ask_for_a_pool_at_once_have_one_job(rania, things, woken, seeds):
    def asked(seeds):
        body = BODY | {
            "name": "needles",
            "seeds": seeds,
            "guidance": 4.0,
            "licence": "",
            "path": "",
        }
        try:
            return ask_for_pool(project=things, asked=body, user=rania).pk
        except BadInputError as error:
            return str(error)

    def ask_in_own_connection():
        try:
            return asked(seeds)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as another:
        with transaction.atomic():
            first = asked(1)
            second = another.submit(ask_in_own_connection)
            wait_until_somebody_waits()
        other = "another pool 'needles' is on its way already; choose another name."
        assert second.result(timeout=30) == (first if seeds == 1 else other)
    assert Job.objects.count() == 1


def test_a_pool_on_its_way_in_another_project_keeps_its_name(ask, things):
    theirs = Project.objects.create(name="theirs")
    Job.objects.create(project=theirs, kind="import_pool", asked={"name": "needles"})
    answer = ask(**BODY)
    assert (answer.status_code, "on its way already" in answer.json()["detail"]) == (422, True)


def test_a_waiting_job_is_woken_when_its_last_samples_are_made(
    ask, things, woken, django_capture_on_commit_callbacks
):
    job, other = done(ask(**BODY)), done(ask(**BODY | {"name": "hay", "steps": 4}))
    woken.clear()
    batch = claim_next(worker="w", now=timezone.now())
    assert batch.request.name == "pool:needles"
    make_samples()
    with django_capture_on_commit_callbacks(execute=True):
        finish_batch(batch=batch, now=timezone.now(), stages={}, environment={})
    assert (woken, other.status) == ([job.pk], "queued")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (
            lambda request: cancel_request(request=request),
            "Generation was cancelled; mend the cause, then ask again.",
        ),
        (
            lambda request: request.batches.update(
                status="failed", error="out of memory", finished_at=timezone.now()
            ),
            "out of memory; mend the cause, then ask again.",
        ),
        (lambda request: retire(), "was retired on"),
    ],
)
def test_job_fails_where_its_samples_cannot_come_and_says_why(ask, sender, things, ends, said):
    job = done(ask(**BODY))
    ends(GenerationRequest.objects.get())
    assert again(job).status == "failed"
    assert said in job.reason
    shown = read(sender)
    assert said in shown
    assert ">Ask for it again</button>" in shown


def retire():
    Checkpoint.objects.update(status="retired", retired_at=timezone.now())


def test_ended_samples_are_asked_for_again_with_the_pool(ask, sender, things):
    job = done(ask(**BODY))
    cancel_request(request=GenerationRequest.objects.get())
    again(job)
    press(sender, job)
    latest = again(Job.objects.first())
    assert (latest.status, latest.pk == job.pk) == ("queued", False)
    assert GenerationRequest.objects.get().status == "active"
    assert read(sender).count("<h2>needles") == 1


def test_samples_that_another_request_gave_up_are_asked_for(ask, things):
    job = done(ask(**BODY))
    other = done(ask(**BODY | {"name": "hay"}))
    assert not GenerationRequest.objects.get(name="pool:hay").batches.exists()  # they are to come
    cancel_request(request=GenerationRequest.objects.get(name="pool:needles"))
    assert again(other).status == "queued"
    assert Sample.objects.filter(batch__request__name="pool:hay").count() == 2
    assert again(job).status == "failed"


def test_a_waiting_pool_is_called_off(ask, sender, things):
    job = done(ask(**BODY))
    assert ">Do not make it</button>" in read(sender)
    press(sender, job, call_off="")
    job.refresh_from_db()
    assert (job.status, job.reason) == ("failed", "It was called off before it began.")
    assert "It was not made" not in read(sender)  # nothing went wrong
    make_samples()
    assert run_job(number=job.pk, now=timezone.now) is None
    assert not Pool.objects.exists()
    Job.objects.update(reason="the disk is full")
    assert "cannot be called off" in press(sender, job, call_off="")


def test_viewers_see_how_far_pools_are_and_press_nothing(ask, sender, client, things):
    job = done(ask(**BODY))
    viewer = User.objects.create_user("vera")
    set_member(project=things, user=viewer, role="viewer")
    client.force_login(viewer)
    shown = read(client)
    assert "samples" in shown
    assert "Do not make it" not in shown
    assert client.post(reverse("asked_pools:list"), {"job": job.public_id}).status_code == 403
    client.force_login(User.objects.create_user("stranger"))
    assert "needles" not in read(client)


def test_a_pool_whose_name_was_taken_meanwhile_is_not_asked_for_again(
    ask, sender, things, tmp_path
):
    job = Job.objects.get(public_id=ask(**BODY).json()["id"])
    press(sender, job, call_off="")
    make_pool(tmp_path / "pool", 2)
    assert "there is a pool &#x27;needles&#x27; already" in press(sender, job)
    assert not Job.objects.exclude(pk=job.pk).exists()


def test_a_folder_is_not_asked_for_again(ask, sender):
    job = done(ask(sent=[send(sender, "pool.json", b"{}")]))
    shown = read(sender)
    assert "pool.json is of the format None" in shown
    assert "Ask for it again" not in shown
    assert "send them again" in press(sender, job)


def test_two_pools_of_one_name_are_not_asked_for_at_once(ask, things):
    done(ask(**BODY))
    answer = ask(**BODY | {"seeds": 2})
    assert (answer.status_code, "on its way already" in answer.json()["detail"]) == (422, True)
    assert Job.objects.count() == 1


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


# ---- asked for on a page


@pytest.fixture
def form(sender, rania):
    """Ask for a pool of two samples a prompt on its page; `said` beside what is usual."""
    checkpoint = factories.make_checkpoint("base")
    prompt_set = factories.make_prompt_set("things", 2)
    address = reverse("asked_pools:new")
    usual = {
        "name": "needles", "checkpoint": checkpoint.name, "prompt_set": str(prompt_set),
        "seeds": "2", "steps": "9", "guidance": "3.5", "licence": "CC0-1.0",
    }  # fmt: skip

    def run(**said):
        return sender.post(address, usual | said)

    run.page = lambda: sender.get(address).content.decode()
    return run


def test_pool_of_samples_is_asked_for_on_a_page_as_by_the_api(form, ask):
    assert '<option value="things@1">' in form.page()
    answer = form()
    assert (answer.status_code, answer["Location"]) == (302, reverse("asked_pools:list"))
    job = Job.objects.get()
    assert job.kind == "import_pool"
    by_api = ask(
        checkpoint="base", prompt_set="things@1", seeds=2, steps=9, guidance=3.5, licence="CC0-1.0"
    )
    assert by_api.json()["id"] == str(job.public_id)  # the same one, not a second


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "no name"}, "name"),
        ({"checkpoint": "unheard-of"}, "checkpoint"),
        ({"prompt_set": ""}, "prompt_set"),
        ({"seeds": "0"}, "seeds"),
        ({"guidance": "-1"}, "guidance"),
    ],
)
def test_what_is_wrong_with_a_pool_is_said_under_its_field_and_nothing_is_asked(form, wrong, field):
    answer = form(**wrong)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert 'value="CC0-1.0"' in answer.content.decode()  # nothing is filled in twice
    assert not Job.objects.exists()


def test_pool_of_a_name_that_is_taken_is_refused_on_the_page(form):
    form()
    answer = form(seeds="3")
    assert answer.status_code == 422
    assert "another pool &#x27;needles&#x27; is on its way already" in answer.content.decode()
    assert Job.objects.count() == 1
