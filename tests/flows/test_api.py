"""Flows by the API, and by the client that trainers use."""

import hashlib
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.tokens import Scope, create_api_token
from evalplatform.flows import services
from evalplatform.flows.models import Flow, FlowBatch
from tests.flows.conftest import judge, new_flow, opened, person, png

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(rania):
    """A script with a token that reads and steers."""
    _, secret = create_api_token(
        user=rania, label="x", scopes=[Scope.READ, Scope.CAMPAIGNS], now=timezone.now()
    )
    client = Client(headers={"Authorization": f"Bearer {secret}"})

    def call(method, path, body=None, kind="application/json", **headers):
        send = getattr(client, method)
        given = {} if body is None else {"data": body, "content_type": kind}
        return send(f"/api/v1{path}", **given, headers=headers)

    return call


def sent(caller, *seeds) -> list[str]:
    hashes = []
    for seed in seeds:
        content = png(seed)
        hashes.append(hashlib.sha256(content).hexdigest())
        path = f"/flows/taste/images/{hashes[-1]}"
        answer = caller("put", path, content, "application/octet-stream")
        assert answer.status_code == 200, answer.content
    return hashes


def test_a_trainer_makes_a_flow_asks_and_reads(caller):
    made = caller("post", "/flows", {"name": "taste", "images_per_panel": 3, "k": 1})
    assert made.status_code == 201, made.content
    assert made.json()["annotators_link"].startswith("http://testserver/annotate/flow/")
    images = sent(caller, 1, 2, 3)
    body = {"panels": [{"prompt": "a fox", "images": images}], "deadline_seconds": 60}
    asked = caller("post", "/flows/taste/batches", body, **{"Idempotency-Key": "one"})
    assert (asked.status_code, asked.json()["status"]) == (202, "queued")
    again = caller("post", "/flows/taste/batches", body, **{"Idempotency-Key": "one"})
    assert again.json() == asked.json()
    batch = FlowBatch.objects.get()  # one
    services.open_batch(key=batch.pk, now=timezone.now)
    judge(batch.flow, person(batch.flow), best=1)
    found = caller("get", "/flows/taste/batches/1?seen=queued-0&wait=20").json()
    assert (found["status"], found["votes"], found["is_partial"]) == ("done", 1, False)
    assert found["panels"][0]["images"] == images
    assert found["panels"][0]["mean_ranks"] == [2.5, 1, 2.5]
    assert caller("get", "/flows/taste/batches").json()["items"][0]["status"] == "done"
    assert caller("get", "/flows").json()["items"][0]["batches"] == 1


def test_a_question_of_ones_own(caller):
    own = {"slug": "mood", "question": "Which is happier?", "shows_prompt": False, "form": "pair",
           "k": 2}  # fmt: skip
    made = caller("post", "/flows", {"name": "mood", "criterion": own}).json()
    assert (made["images_per_panel"], made["k"]) == (2, 2)
    assert made["criterion"]["question"] == "Which is happier?"
    refused = caller("post", "/flows", {"name": "mood2", "criterion": own, "k": 9})
    assert (refused.status_code, refused.json()["code"]) == (422, "refused")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/flows", {"name": "taste"}, 422, "a flow 'taste' already"),
        ("/flows", {"name": "other", "images_per_panel": 2}, 422, "takes 3 to 8"),
        ("/flows", {"name": " Taste "}, 422, "name: ' Taste ' is not accepted; give letters, "),
        (
            "/flows",
            {"name": "other", "criterion": "Visual appeal"},
            422,
            "criterion: 'Visual appeal' is not ",
        ),
        ("/flows/taste/batches", {"panels": []}, 422, "panels"),
        ("/flows/taste/batches", {"panels": [{"prompt": "a", "images": ["x"]}]}, 422, "images"),
        (
            "/flows/taste/batches",
            {"panels": [{"prompt": "a", "images": ["a" * 64] * 3}]},
            422,
            "twice",
        ),
        (
            "/flows/taste/batches",
            {
                "panels": [{"prompt": "a", "images": ["a" * 64, "b" * 64, "c" * 64]}],
                "deadline_seconds": -1,
            },
            422,
            "counted from now",
        ),
        (
            "/flows/taste/batches",
            {"panels": [{"prompt": "a", "images": ["a" * 64, "b" * 64, "c" * 64]}]},
            422,
            "3 images are not there",
        ),
        ("/flows/none/batches", {"panels": []}, 422, "panels"),
    ],
)
def test_what_is_wrong_is_said(caller, flow, path, body, status, said):
    answer = caller("post", path, body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_closed_flow_is_a_conflict(caller, flow):
    assert caller("post", "/flows/taste/close", {}).json()["status"] == "closed"
    content = png(1)
    path = f"/flows/taste/images/{hashlib.sha256(content).hexdigest()}"
    answer = caller("put", path, content, "application/octet-stream")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_an_image_larger_than_other_bodies_is_taken(caller, flow, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert len(png(1)) > 100
    sent(caller, 1)


def test_a_batch_is_closed_early(caller, flow):
    opened(flow)
    assert caller("post", "/flows/taste/batches/1/close", {}).json()["status"] == "closed"
    assert caller("get", "/flows/taste/batches/7").status_code == 404
    assert caller("get", "/flows/taste/batches/99999999999").status_code == 404


def test_sets_that_flows_make_are_not_listed_and_can_be_read(caller, flow):
    opened(flow)
    assert caller("get", "/prompt-sets").json()["items"] == []
    assert caller("get", "/prompt-sets/flow-taste/1").json()["prompts"] == 2


@pytest.mark.django_db(transaction=True)
def test_the_client_asks_goes_on_and_reads_later(live_server, rania, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(settings.BASE_DIR) / "clients/python"))
    for name in [each for each in sys.modules if each.startswith("evalplatform_client")]:
        monkeypatch.delitem(sys.modules, name)
    from evalplatform_client import Client as ApiClient

    _, secret = create_api_token(
        user=rania, label="x", scopes=[Scope.READ, Scope.CAMPAIGNS], now=timezone.now()
    )
    flow = new_flow(k=1)
    client = ApiClient(live_server.url, secret).flow("taste")
    (tmp_path / "3.png").write_bytes(png(3))
    batch = client.ask([("a fox", [png(1), png(2), tmp_path / "3.png"])], deadline_seconds=2)
    first = batch.results()
    assert (first["status"], first["is_partial"]) == ("queued", True)
    services.open_batch(key=FlowBatch.objects.get().pk, now=timezone.now)
    assert batch.news(wait=5)
    late = batch.results(wait=20)  # nobody judges: its deadline ends it, and nothing is raised
    assert (late["status"], late["votes"], late["is_partial"]) == ("late", 0, True)
    asked = client.batch(1)
    assert asked.answer["panels"][0]["images"] == late["panels"][0]["images"]
    assert flow.images.count() == 3


def test_the_client_sends_anew_what_the_site_may_have_forgotten(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(settings.BASE_DIR) / "clients/python"))
    for name in [each for each in sys.modules if each.startswith("evalplatform_client")]:
        monkeypatch.delitem(sys.modules, name)
    from evalplatform_client import Client as ApiClient
    from evalplatform_client import flows

    client, sent = ApiClient("https://x.example", "evp_x"), []
    monkeypatch.setattr(
        client, "send_flow_image", lambda name, digest, content: sent.append(content)
    )
    monkeypatch.setattr(client, "ask_flow", lambda name, body: {"number": 1})
    flow, now = client.flow("taste"), flows.time.time()
    flow.ask([("asked", [b"one"])])
    flow.send(b"two")
    flow.send(b"two")
    assert sent == [b"one", b"two"]
    monkeypatch.setattr(flows.time, "time", lambda: now + 2 * 86_400)
    flow.ask([("again", [b"one", b"two"])])  # what a batch asks about is kept for good
    assert sent == [b"one", b"two", b"two"]


@pytest.mark.django_db(transaction=True)
def test_the_loop_of_the_docs_learns_from_what_people_say(live_server, rania, monkeypatch):
    """The code of docs/flows.md as it stands there, with a worker and people at each step."""
    monkeypatch.syspath_prepend(str(Path(settings.BASE_DIR) / "clients/python"))
    for name in [each for each in sys.modules if each.startswith("evalplatform_client")]:
        monkeypatch.delitem(sys.modules, name)
    _, secret = create_api_token(
        user=rania, label="x", scopes=[Scope.READ, Scope.CAMPAIGNS], now=timezone.now()
    )
    monkeypatch.setenv("SITE", live_server.url)
    monkeypatch.setenv("TOKEN", secret)
    shown = (Path(settings.BASE_DIR) / "docs/flows.md").read_text(encoding="utf-8")
    code = shown.partition("```python\n")[2].partition("```")[0]
    learned = []

    def train_some_steps() -> None:
        services.open_waiting(now=timezone.now)
        flow = Flow.objects.get(slug="taste")
        if flow.batches.count() == 2:  # nobody comes in the first step
            for each in [person(flow) for _ in range(flow.k)]:
                while judge(flow, each, best=2):
                    pass  # led from batch to batch

    exec(  # the page's own code
        compile(code, "docs/flows.md", "exec"),
        {
            "rounds": lambda: [
                (step, f"a thing {step}", [png(10 * step + n) for n in range(4)])
                for step in range(2)
            ],
            "train_some_steps": train_some_steps,
            "learn": lambda prompt, files, borda, weight: learned.append((prompt, borda, weight)),
        },
    )
    third = pytest.approx(1 / 3)
    assert learned == [(f"a thing {n}", [third, third, 1.0, third], 3) for n in range(2)]
