"""Feedback loops by the API: begun, read, and their steps done by a worker as commands do them."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.tokens import Scope, create_api_token
from evalplatform.api.jobs import run_job
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback import asked_steps
from evalplatform.feedback.asked_steps import AskedStep
from evalplatform.feedback.models import FeedbackLoop
from evalplatform.generation.models import Sample
from tests import factories

ASKED = {
    "name": "stickers", "gallery": ["one", "two", "three"], "tune": "one", "prompts": "ranked",
    "proof_prompts": "held-out@1", "aspects": ["visual_appeal"], "k": 2, "sampler": {"steps": 2},
}  # fmt: skip
STEPS = "/feedback-loops/stickers/rounds/1/steps"


@pytest.fixture
def caller(rania):
    _, secret = create_api_token(
        user=rania, label="x", scopes=[Scope.READ, Scope.CAMPAIGNS], now=timezone.now()
    )
    client = Client(headers={"Authorization": f"Bearer {secret}"})

    def call(method, path, **body):
        given = {"data": json.dumps(body), "content_type": "application/json"} if body else {}
        return getattr(client, method)(f"/api/v1{path}", **given)

    return call


def done(answer) -> Job:
    """Do what a worker does of a step that was asked; return its job."""
    assert answer.status_code == 202, answer.content
    job = run_job(number=Job.objects.get(public_id=answer.json()["id"]).pk, now=timezone.now)
    assert job is not None
    return job


def test_a_loop_is_begun_and_read_with_its_steps(caller, material):
    made = caller("post", "/feedback-loops", **ASKED)
    assert made.status_code == 201, made.content
    (first,) = made.json()["rounds"]
    assert (first["parent"], first["child"], first["rankings"]) == ("one", None, "stickers-ranking")
    assert [each["state"] for each in first["steps"]][:2] == ["people", "later"]
    assert caller("get", "/feedback-loops/stickers").json() == made.json()
    (listed,) = caller("get", "/feedback-loops").json()["items"]
    assert listed["proof_prompts"] == "held-out@1"
    assert caller("post", "/feedback-loops", **ASKED).status_code == 201  # goes on
    assert FeedbackLoop.objects.count() == 1
    other = caller("post", "/feedback-loops", **ASKED | {"k": 3})
    assert other.status_code == 422
    assert "asked otherwise (k)" in other.json()["detail"]


def test_a_step_that_cannot_be_done_yet_says_what_comes_first(caller, loop):
    for verb, said in (
        ("export", "people still rank"),
        ("train", "has no preference set yet"),
        ("tune", "has no rewards yet"),
        ("expand", "has no child to put in"),
        ("prove", "has no child to prove yet"),
    ):
        job = done(caller("post", STEPS, verb=verb))
        assert job.status == Job.Status.FAILED
        assert said in job.reason, job.reason
    assert caller("post", STEPS.replace("1", "2"), verb="prove").status_code == 404
    assert caller("post", STEPS, verb="start").status_code == 422


def test_a_setting_that_could_name_a_file_is_refused(caller, loop):
    refused = caller("post", STEPS, verb="tune", settings=['guard.judge="/etc/passwd"'])
    assert refused.status_code == 422
    assert "is none of KEY=VALUE with a number" in refused.json()["detail"]
    assert not Job.objects.exists()
    for good in ("beta=500.0", "guard.stop=false", "graded=[1, 4]", 'loss="ipo"'):
        AskedStep("tune", settings=(good,))
    for bad in ("beta", 'loss="/a"', "a.b.c=1", "rewards=[a]"):
        with pytest.raises(BadInputError):
            AskedStep("tune", settings=(bad,))


def test_steps_do_what_commands_do(caller, loop, monkeypatch, settings, tmp_path):
    settings.FEEDBACK_DIR = tmp_path
    asked = {}
    round = loop.rounds.get()
    round.preferences_sha256 = "a" * 64
    round.save()

    def register(*, round, source):
        round.child = factories.make_checkpoint("child")
        round.save()
        return round

    monkeypatch.setattr(asked_steps, "train_child", lambda _, **more: asked.update(more))
    monkeypatch.setattr(asked_steps, "register_child", register)
    tuned = {"verb": "tune", "recipe": "feedback", "steps": 7, "settings": ["beta=5"]}
    assert done(caller("post", STEPS, **tuned)).result == "child"
    assert (asked["recipe"], asked["steps"], asked["overrides"]) == ("feedback", 7, ("beta=5",))
    assert done(caller("post", STEPS, verb="tune")).result == "child"  # found done

    waits = done(caller("post", STEPS, verb="expand"))
    assert "6 of 6 images of the child are being made" in waits.reason
    ready = [Sample(status=Sample.Status.READY)] * 6
    monkeypatch.setattr(asked_steps, "request_newcomers", lambda round: ready)
    monkeypatch.setattr(asked_steps, "insert_child", _inserted)
    assert done(caller("post", STEPS, verb="expand")).result == "stickers-check-1"
    assert done(caller("post", STEPS, verb="prove")).result == "stickers-proof-1"
    (shown,) = caller("get", "/feedback-loops/stickers").json()["rounds"]
    assert (shown["child"], shown["proof"]) == ("child", "stickers-proof-1")
    assert Campaign.objects.filter(slug="stickers-proof-1").exists()


def _inserted(*, round, samples):
    round.insertion = {"pairs": 3, "images": len(samples)}
    round.save()
    return round
