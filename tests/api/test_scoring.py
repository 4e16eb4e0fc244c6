"""Scoring by the API: asked, watched and steered as the command does; paths only where opened."""

import pytest

from evalplatform.accounts.members import create_project
from evalplatform.accounts.projects import default_project
from evalplatform.curation.models import Pool, ScoringRequest, ScoringShard
from evalplatform.images.models import ImageCollection
from tests import factories
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db
SCORING = "/api/v1/scoring"


@pytest.fixture
def pool(db):
    collection = ImageCollection.objects.create(
        project=default_project(), name="needles", model="m", sha256=factories.digest("needles"),
        image_count=3,
    )  # fmt: skip
    return Pool.objects.create(
        project=default_project(), name="needles", origin="folder", collection=collection
    )


@pytest.fixture
def opened(settings, tmp_path):
    settings.API_FOLDERS = [str(tmp_path)]
    return tmp_path


@pytest.fixture
def ask(rania, pool):
    secret = token_of(rania)
    return lambda method, path="", body=None: send(method, f"{SCORING}{path}", secret, body)


def plan(folder, **more):
    return {"name": "again", "pool": "needles", "out": f"{folder}/scores"} | more


def test_scoring_is_asked_for_watched_and_steered(ask, opened, pool):
    options = {"concepts": "label", "appeal": f"{opened}/weights"}
    body = plan(opened, scorers=["pixels", "concepts", "appeal"], options=options, images_a_job=9)
    made = ask("POST", "", body)
    assert (made.status_code, made.json()["state"], made.json()["jobs"]) == (201, "waiting", 1)
    assert made.json()["source"] == "collection needles"
    row = ScoringRequest.objects.get()
    assert (row.collection, row.options, row.shard_size) == (pool.collection, options, 9)
    assert row.created_by.username == "rania"
    assert ask("POST", "", body).status_code == 201  # goes on
    assert ask("POST", "", body | {"images_a_job": 8}).status_code == 422
    assert [each["name"] for each in ask("GET").json()["items"]] == ["again"]
    assert ask("POST", "/again/pause").json()["state"] == "paused"
    assert ask("POST", "/again/resume").json()["state"] == "waiting"
    ScoringShard.objects.update(status="failed", error="no such scorer")
    found = ask("GET", "/again").json()
    assert (found["state"], found["failed"]) == ("failed", 1)
    assert found["failures"] == ["listing: no such scorer"]
    assert ask("POST", "/again/retry").json()["state"] == "waiting"
    assert ask("POST", "/again/cancel").json()["state"] == "cancelled"
    for verb in ("pause", "resume", "retry"):
        answer = ask("POST", f"/again/{verb}")
        assert (answer.status_code, "was cancelled" in answer.json()["detail"]) == (422, True)


def test_a_path_or_a_collection_is_scored_as_well(ask, opened):
    body = plan(opened, pool=None, data=f"{opened}/hay")
    assert ask("POST", "", body).json()["source"] == f"{opened}/hay"
    body = plan(opened, name="third", pool=None, collection="needles")
    assert ask("POST", "", body).json()["source"] == "collection needles"


@pytest.mark.parametrize(
    "more",
    [
        {"out": "/etc"}, {"out": "scores"}, {"data": "/etc", "pool": None}, {"out": "hub:../x"},
        {"scorers": ["appeal"], "options": {"appeal": "/etc"}},
        {"scorers": ["appeal"], "options": {"appeal": "weights"}},
        {"scorers": ["someones"], "options": {"someones": "../weights"}},
    ],
)  # fmt: skip
def test_a_path_that_no_operator_has_opened_is_refused(ask, opened, settings, more):
    settings.API_HUBS = True
    answer = ask("POST", "", plan(opened, **more))
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), answer.content
    assert not ScoringRequest.objects.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"pool": None}, "give a path of images or a collection"),
        ({"collection": "needles"}, "not both"),
        ({"pool": "hay"}, "no pool 'hay'"),
        ({"pool": None, "collection": "hay"}, "no image collection 'hay'"),
        ({"scorers": []}, "scorers"),
        ({"images_a_job": 0}, "images_a_job"),
        ({"images_a_job": 1_000_001}, "images_a_job"),
        ({"out": ""}, "out"),
        ({"with": "x"}, "with"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(ask, opened, more, said):
    answer = ask("POST", "", plan(opened, **more))
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.content
    assert not ScoringRequest.objects.exists()


def test_scores_of_another_project_are_not_added_to(ask, opened):
    theirs = create_project(name="theirs", owner=None)
    ScoringRequest.objects.create(
        project=theirs, name="theirs", data="/x", out=f"{opened}/scores", scorers=["size"],
        shard_size=9,
    )  # fmt: skip
    answer = ask("POST", "", plan(opened))
    assert answer.status_code == 422
    assert "scores of another project; name another folder" in answer.json()["detail"]
    assert ask("POST", "", plan(opened, out=f"{opened}/others")).status_code == 201


def test_a_scoring_that_there_is_not_is_404(ask):
    assert ask("GET", "/none").status_code == ask("POST", "/none/pause").status_code == 404
