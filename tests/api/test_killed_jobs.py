"""What a job makes is made once, at whatever moment its worker is killed.

A worker that is killed between storing and saying so leaves a row that runs and names its result.
"""

import json
import shutil

import pytest
from django.conf import settings as site
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.api import jobs
from evalplatform.api.job_files import folder_of
from evalplatform.api.jobs import JobKind, queue_job, run_job, wake_stalled_jobs
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import fusing, register_checkpoint
from evalplatform.core.locks import is_turn_taken
from evalplatform.curation.models import Pool
from evalplatform.images.models import ImageCollection
from tests import factories, live, warm
from tests.api.test_arm_page import make, make_samples
from tests.api.test_jobs import running, wait_until
from tests.api.test_vote_imports import VOTES
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import Hub, serve
from tests.checkpoints.test_register import make_pipeline
from tests.curation.pools import write_pool
from tests.images import given
from tests.quality.conftest import make_campaign
from tests.uploads.sending import send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _room(tmp_path, settings, monkeypatch):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    settings.CHECKPOINT_DIR.mkdir()
    monkeypatch.setattr("evalplatform.api.jobs._wake", lambda number: None)
    yield
    for folder in ("imports", "objects/collections"):
        shutil.rmtree(site.VAR_DIR / folder, ignore_errors=True)


@pytest.fixture
def run(monkeypatch):
    """Do a job; killed as it is to say that it is done, or lost to another worker meanwhile."""

    def run(job, *, killed=False, lost=False):
        def kill(*ended):
            raise SystemExit

        with monkeypatch.context() as patch:
            if lost:
                patch.setattr(Job, "as_begun", lambda job: Job.objects.none())
            if killed:
                patch.setattr(jobs, "_finish", kill)
                with pytest.raises(SystemExit):
                    run_job(number=job.pk, now=timezone.now)
            else:
                run_job(number=job.pk, now=timezone.now)
        job.refresh_from_db()
        return job.status, job.result

    return run


def queued(user, kind, **asked):
    return queue_job(project=default_project(), kind=kind, asked=asked, user=user)


def collection(user, tmp_path):
    images = given.folder(tmp_path / "images", {f"{n}.png": given.png(n) for n in range(2)})
    return queued(
        user, JobKind.IMPORT, path=str(images), name="made", model="One", prompt_set="", licence="",
        source="", columns={}, skip_bad=False,
    ), ImageCollection  # fmt: skip


def votes(user, tmp_path):
    job = queued(
        user, JobKind.VOTES, files=["votes.csv"], campaign="made", prompt_set="", wish={},
        handling={}, licence="", source="",
    )  # fmt: skip
    folder_of(job).mkdir(parents=True)
    (folder_of(job) / "votes.csv").write_text(VOTES)
    return job, Campaign


def pool(user, tmp_path):
    path = str(write_pool(tmp_path / "pool", 2))
    return queued(user, JobKind.POOL, path=path, name="made", checkpoint=""), Pool


def arm(user, tmp_path):
    campaign = make()
    make_samples(campaign, factories.make_checkpoint("made"))
    return queued(user, JobKind.ADD_ARM, campaign=campaign.slug, arm="made"), Arm


def register(user, **asked):
    nothing = {"base": "", "loras": [], "parts": {}, "weights": None, "config": "", "role": None}
    return queued(user, JobKind.REGISTER, **nothing | {"name": "made"} | asked), Checkpoint


def registered(user, tmp_path):
    return register(user, source=str(make_pipeline(tmp_path / "given")))


def chosen(user, tmp_path):
    return register(user, source=str(make_pipeline(tmp_path / "given")), weights="plain")


def fused(user, tmp_path):
    base = make_pipeline(tmp_path / "base", value=3.0)
    register_checkpoint(project=default_project(), source=base, name="base")
    return register(user, base="base", source="", weights="plain")


@pytest.mark.parametrize("ask", [collection, votes, pool, arm, registered, chosen, fused])
def test_what_is_stored_in_one_transaction_is_stored_with_its_name(
    ask, run, rania, tmp_path, monkeypatch
):
    def fuse(base, out, arguments, say):
        make_pipeline(out, value=2.0)
        return {"weights": "plain"}

    monkeypatch.setattr(fusing, "_fuse", fuse)
    job, made = ask(rania, tmp_path)
    before = made.objects.count()
    assert run(job, lost=True) == ("running", "")
    assert made.objects.count() == before  # it is the other worker's to make
    assert run(job, killed=True) == ("running", "made")
    assert made.objects.count() == before + 1
    monkeypatch.setattr(jobs, "DOING", {})  # it is not done again
    assert run(job) == ("done", "made"), job.reason
    assert made.objects.count() == before + 1
    assert not folder_of(job).exists()


def opened(user):
    draft = factories.make_draft(prompts=2, k=2)
    job = queued(user, JobKind.OPEN, campaign=draft.slug)
    return job, draft.items, Assignment.objects


def gold(user):
    draft = make_campaign(criteria=("visual_appeal",))
    job = queued(user, JobKind.GOLD, campaign=draft.slug, counts={"example": 1, "check": 2})
    return job, draft.items, draft.image_sets


@pytest.mark.parametrize("ask", [opened, gold])
def test_what_is_stored_in_steps_is_found_and_not_made_twice(ask, run, rania):
    job, *made = ask(rania)
    assert run(job, killed=True) == ("running", "")
    there = [each.count() for each in made]
    assert all(there)
    assert run(job) == ("done", job.asked["campaign"]), job.reason
    assert [each.count() for each in made] == there


@pytest.mark.parametrize("starts", [1, 3])
def test_what_is_there_is_done_whatever_worker_was_killed(starts):
    job = running(starts=starts)
    Job.objects.update(result="made", unheld_since=job.started_at)
    wake_stalled_jobs(Job.objects.all(), now=timezone.now())
    job.refresh_from_db()
    assert (job.status, job.result, job.reason) == ("done", "made", "")


def test_what_is_there_is_done_though_something_broke_off_after_it(rania, run, monkeypatch, caplog):
    def break_off(job):
        Job.objects.update(result="made")
        raise OSError("the store is away")

    monkeypatch.setattr(jobs, "DOING", dict.fromkeys(Job.Kind, break_off))
    job = queued(rania, JobKind.POOL)
    with pytest.raises(OSError, match="away"):
        run(job)
    job.refresh_from_db()
    assert (job.status, job.result, job.reason) == ("done", "made", "")
    assert "the store is away" in caplog.text


STORED = "evalplatform.api.jobs:_finish"
FOUND = "evalplatform.checkpoints.services.from_hub:enter_registry"


@pytest.fixture
def places(settings, monkeypatch):
    """The folders of the site's own settings, where a worker's process looks too."""
    settings.CHECKPOINT_DIR = site.VAR_DIR / "checkpoints"
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    yield
    shutil.rmtree(settings.CHECKPOINT_DIR / "hub", ignore_errors=True)


def kill(job, at, **environment):
    """Have a worker do a job, which is killed at that call; wait until the job is nobody's."""
    worker = warm.start("tests.api.doomed_worker", job.pk, at, env=live.environment(**environment))
    assert worker.wait(120) == -9
    wait_until(lambda: not is_turn_taken(jobs._turn_at(job.pk)))
    job.refresh_from_db()
    return job.status, job.result


def do_again(job):
    """Do what a worker was killed over; return what became of it."""
    assert run_job(number=job.pk, now=timezone.now).status == "done"
    job.refresh_from_db()
    assert (job.status, job.starts) == ("done", 2)
    return job.result


@pytest.mark.django_db(transaction=True)
def test_votes_of_a_worker_that_is_killed_as_they_are_stored_are_there_once(client, rania, places):
    client.force_login(rania)
    body = {"campaign": "elsewhere", "sent": send(client, "votes.csv", VOTES.encode())}
    client.post("/api/v1/vote-imports", json.dumps(body), content_type="application/json")
    job = Job.objects.get()
    assert kill(job, STORED) == ("running", "elsewhere")
    assert Vote.objects.count() == 3
    assert do_again(job) == "elsewhere"
    assert Vote.objects.count() == 3
    assert not folder_of(job).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("at", "there"), [(FOUND, 0), (STORED, 1)])
def test_model_of_a_hub_is_downloaded_and_registered_once(rania, places, settings, at, there):
    with serve(Hub(hostile.members())) as hub:
        settings.HF_ENDPOINT = hub.address
        job, _ = register(rania, source="hub:org/tiny-sd.v1", variant=None)
        assert kill(job, at, HF_ENDPOINT=hub.address) == ("running", "made" if there else "")
        assert Checkpoint.objects.count() == there
        asked = len(hub.asked)
        assert asked == len(hub.files)
        assert do_again(job) == "made"
        assert len(hub.asked) == asked  # what was downloaded is not asked for again
    assert Checkpoint.objects.get().origin["hub"] == "org/tiny-sd.v1"
