"""Pools by the API: stages opened and closed, recall read, the export carried away."""

import io
import json
import tarfile

import pytest
from django.utils import timezone

from evalplatform.curation.services import StagePlan, open_stage
from tests.curation.pools import write_gold

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(client, rania):
    client.force_login(rania)

    def ask(method, path, body=None):
        send = getattr(client, method)
        given = {"data": json.dumps(body), "content_type": "application/json"} if body else {}
        return send(f"/api/v1/pools{path}", **given)

    return ask


def test_stage_is_opened_closed_and_exported_by_the_api(needles, judge, api):
    (listed,) = api("get", "").json()["items"]
    assert (listed["name"], listed["images"], listed["left"]) == ("needles", 6, 6)
    answer = api("post", "/needles/stages", {"kind": "specialists", "k": 2, "heads": ["Light"],
                                             "people": ["anna", "ben"]})  # fmt: skip
    assert answer.status_code == 201, answer.content
    opened = answer.json()
    assert [each["label"] for each in opened["invitations"]] == ["anna", "ben"]
    assert opened["stage"]["judgements_wanted"] == 12
    assert api("post", "/needles/stages", {"kind": "style"}).status_code == 422  # one is open
    stage = needles.stages.get()
    for person in ("anna", "ben"):
        judge(stage, person, lambda image, _: ["keep"] if image.position else ["keep", "Light"])
    assert api("get", "/needles/export").status_code == 422  # nothing is decided
    told = api("post", "/needles/stages/specialists/close", {"unfinished": False}).json()
    assert (told["kept"], told["judgements"]) == (5, 12)
    again = api("post", "/needles/stages/specialists/close", {"unfinished": False}).json()
    assert again["closed_at"] == told["closed_at"]
    answer = api("get", "/needles/export")
    with tarfile.open(fileobj=io.BytesIO(b"".join(answer.streaming_content))) as tar:
        names = tar.getnames()
        manifest = tar.extractfile("needles/manifest.jsonl").read()
    assert len(manifest.splitlines()) == 5
    assert {"needles/dataset.json", "needles/curation.jsonl"} < set(names)
    assert sum(name.startswith("needles/images/") for name in names) == 5


def test_pool_tells_its_funnel_recall_and_agreement(needles, judge, api, tmp_path):
    gold = write_gold(tmp_path / "gold", excellent=1, bad=1)
    plan = StagePlan("generalists", gold=gold, gold_rate=0.5)
    stage = open_stage(pool=needles, plan=plan, now=timezone.now()).stage
    judge(stage, "gina", lambda image, known: ["keep"])
    told = api("get", "/needles").json()
    assert [(bar["before"], bar["left"]) for bar in told["funnel"]] == [(12, 6), (6, None)]
    (person,) = told["stages"][0]["people"]
    assert (person["pseudonym"], person["kept"]["hits"], person["kept"]["total"]) == ("gina", 6, 6)
    assert person["excellent"]["value"] == person["bad"]["value"] == 1
    assert told["stages"][0]["agreement"] == []
    assert {each["name"]: each["left"] for each in told["concepts"]} == {
        "secret-concept-0": 3, "secret-concept-1": 3,
    }  # fmt: skip
    assert api("get", "/hay").status_code == 404
