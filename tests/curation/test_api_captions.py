"""Captions and hidden gold of pools by the API: what the command does, of files that were sent."""

import json

import pytest

from evalplatform.campaigns.models import Campaign
from evalplatform.curation.models import Stage
from evalplatform.uploads.models import SentFile
from tests.curation.pools import write_gold
from tests.curation.test_captions import answer, describe, enter_all
from tests.uploads.sending import send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def room(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    (tmp_path / "registry").mkdir()
    return tmp_path / "registry"


@pytest.fixture
def ask(client, rania):
    client.force_login(rania)

    def run(path, **body):
        address = f"/api/v1/pools/needles{path}"
        return client.post(address, json.dumps(body), content_type="application/json")

    return run


@pytest.fixture
def sent(client):
    """Send a folder as its files, each named by its path in it."""

    def run(folder):
        files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
        return [send(client, str(each.relative_to(folder)), each.read_bytes()) for each in files]

    return run


def refusal(answer):
    assert answer.status_code == 422, answer.content
    return answer.json()["detail"]


def test_captions_are_written_approved_and_decided_step_by_step(kept, ask, sent, tmp_path):
    assert "name who writes them" in refusal(ask("/captions"))
    told = ask("/captions", people=["anna", "ben"]).json()
    assert (told["asked"], told["round"]["number"], told["round"]["asks_for"]) == (4, 1, "captions")
    assert [each["label"] for each in told["invitations"]] == ["anna", "ben"]
    assert all("invite=" in each["link"] for each in told["invitations"])
    assert "4 captions are missing" in refusal(ask("/captions"))
    for enrolment in enter_all("needles-captions-1").values():
        answer(enrolment, describe)

    gold = sent(write_gold(tmp_path / "gold", right=1, wrong=1))
    opened = ask("/captions", people=["cleo"], gold_sent=gold, gold_rate=0.5).json()
    assert (opened["asked"], opened["round"]["asks_for"]) == (4, "approval")
    assert Campaign.objects.get(slug="needles-approval-1").image_sets.gold().count() == 2
    assert not SentFile.objects.exists()
    (cleo,) = enter_all("needles-approval-1").values()
    answer(cleo, lambda image, text: "approve" if text.endswith("pool.") else "reject")

    closed = ask("/captions").json()
    assert (closed["approved"], closed["rejected"], closed["round"]) == (4, 0, None)
    nothing = ask("/captions", people=["anna"]).json()
    assert (nothing["asked"], nothing["round"], nothing["invitations"]) == (0, None, [])


def test_a_pool_tells_the_round_of_captions_that_goes_on(kept, ask, client):
    read = lambda: client.get("/api/v1/pools/needles").json()["caption_round"]  # noqa: E731
    assert read() is None
    ask("/captions", people=["anna", "ben"])
    (anna, _) = enter_all("needles-captions-1").values()
    answer(anna, describe, most=1)
    told = read()
    assert (told["answers"], told["answers_wanted"]) == (1, 4)
    assert told["campaign"] == "needles-captions-1"
    assert "/annotate/" in told["annotators_link"]


def test_gold_that_was_sent_is_mixed_into_a_stage(needles, ask, sent, tmp_path, room):
    gold = sent(write_gold(tmp_path / "gold", excellent=1, bad=1, accepted=1))
    made = ask("/stages", kind="generalists", gold_sent=gold, gold_rate=0.2)
    assert made.status_code == 201, made.content
    campaign = Stage.objects.get().campaign
    assert campaign.checked_rules.quality.gold_rate == 0.2
    assert sorted(campaign.image_sets.gold().values_list("purpose", flat=True)) == [
        "check", "check", "example"
    ]  # fmt: skip
    assert not SentFile.objects.exists()
    assert not list((room / "job-files").iterdir())


def test_gold_that_is_refused_is_still_there_and_its_place_is_not_told(
    needles, ask, sent, tmp_path, room
):
    folder = write_gold(tmp_path / "gold", accepted=1)
    said = refusal(ask("/stages", kind="generalists", gold_sent=sent(folder)))
    assert said.startswith("what was sent holds no gold; put images known to be excellent")
    (folder / "excellent").mkdir()
    (folder / "excellent" / "x.png").write_bytes(b"no image")
    said = refusal(ask("/stages", kind="generalists", gold_sent=sent(folder)))
    assert said.startswith("excellent/x.png cannot be read as an image")
    assert SentFile.objects.count() == 5
    assert not Stage.objects.exists()
    assert not list((room / "job-files").iterdir())


def test_gold_lies_where_an_operator_has_opened_it(needles, ask, settings, tmp_path):
    gold = write_gold(tmp_path / "opened" / "gold", excellent=1)
    answer = ask("/stages", kind="generalists", gold_path=str(gold))
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    settings.API_FOLDERS = [str(tmp_path / "opened")]
    assert ask("/stages", kind="generalists", gold_path=str(gold)).status_code == 201


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"gold_sent": ["x"], "gold_path": "/gold"}, "one of them"),
        ({"gold_sent": ["x"]}, "names no file that was sent"),
        ({"gold_sent": ["00000000-0000-0000-0000-000000000000"]}, "are not known in"),
        ({"gold_rate": 0}, "gold_rate"),
        ({"gold_rate": 0.6}, "gold_rate"),
        ({"gold": "/gold"}, "gold"),
        ({"people": ["anna", "anna"]}, "somebody twice"),
    ],
)
@pytest.mark.parametrize("path", ["/stages", "/captions"])
def test_what_cannot_be_asked_is_refused(kept, ask, path, body, said):
    campaigns = Campaign.objects.count()
    more = {"kind": "specialists"} if path == "/stages" else {}
    assert said in refusal(ask(path, **body, **more))
    assert Campaign.objects.count() == campaigns


def test_gold_goes_into_an_approval_alone(kept, ask, sent, tmp_path):
    gold = sent(write_gold(tmp_path / "gold", right=1, wrong=1))
    said = refusal(ask("/captions", people=["anna"], gold_sent=gold))
    assert said.endswith("give what was sent with the step that opens the approval.")
