"""Gold by the API: made by a worker's job as the command makes it, until the campaign opens."""

import json

import pytest
from django.utils import timezone

from evalplatform.annotation.services import open_campaign
from evalplatform.api.job_files import folder_of
from evalplatform.api.jobs import run_job
from evalplatform.api.models import Job
from evalplatform.core.stored_images import encode_image
from evalplatform.uploads.models import SentFile
from tests import factories
from tests.api.test_idempotency import send, token_of
from tests.quality.conftest import make_campaign
from tests.uploads import sending

pytestmark = pytest.mark.django_db
GOLD = "/api/v1/campaigns/tuned-vs-plain/gold"


@pytest.fixture
def draft(db):
    return make_campaign(criteria=("visual_appeal",))


@pytest.fixture
def ask(rania, draft):
    secret = token_of(rania)
    return lambda method, body=None: send(method, GOLD, secret, body)


def counts(answer):
    (told,) = answer.json()["criteria"]
    return told["examples"], told["qualification"], told["checks"]


def done(answer):
    assert answer.status_code == 202, answer.content
    return run_job(number=Job.objects.get(public_id=answer.json()["id"]).pk, now=timezone.now)


def test_gold_is_made_counted_and_removed(ask):
    assert counts(ask("GET")) == (0, 0, 0)
    job = done(ask("POST", {"examples": 1, "qualification": 0, "checks": 2}))
    job.refresh_from_db()
    assert (job.status, job.result, job.note) == ("done", "tuned-vs-plain", "gold sets made: 3")
    assert counts(ask("GET")) == (1, 0, 2)
    done(ask("POST", {"examples": 0, "qualification": 1, "checks": 2}))  # what is there stays
    assert counts(ask("GET")) == (1, 1, 2)
    assert ask("DELETE").status_code == 204
    assert counts(ask("GET")) == (0, 0, 0)


def test_all_gold_is_read_on_one_sheet(rania, ask):
    read = lambda: send("GET", f"{GOLD}/sheet", token_of(rania))  # noqa: E731
    assert read().status_code == 200  # without any
    done(ask("POST", {"examples": 1, "qualification": 0, "checks": 2}))
    answer = read()
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="tuned-vs-plain-gold.html"'
    assert answer.content.decode().count("data:image/png;base64,") == 6


def test_counts_that_are_not_given_are_those_of_the_command(ask):
    assert ask("POST").status_code == 202
    assert Job.objects.get().asked["counts"] == {"example": 2, "qualification": 5, "check": 20}


@pytest.mark.parametrize("wrong", [{"checks": -1}, {"checks": 10_001}, {"check": 1}])
def test_counts_that_cannot_be_are_refused(ask, wrong):
    assert ask("POST", wrong).status_code == 422
    assert not Job.objects.exists()


def test_more_gold_than_the_prompts_give_fails_and_says_so(ask):
    job = done(ask("POST", {"examples": 0, "qualification": 0, "checks": 1000}))
    assert (job.status, "give no more gold" in job.reason) == ("failed", True)


def test_gold_of_an_open_campaign_is_frozen(ask, draft):
    open_campaign(campaign=draft)
    for method in ("POST", "DELETE"):
        answer = ask(method)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert ask("GET").json()["is_frozen"]


TABLE = "criterion\tpurpose\tprompt\tbetter\tworse\twhy\n"
PAIR = "visual_appeal\tcheck\t\tgood.png\tbad/1.png\tIt is sharp.\n"
IMAGES = {"good.png": 80_000, "bad/1.png": 80_001}


@pytest.fixture
def bring(client, rania, draft, tmp_path, settings):
    """Send a table of pairs with its images, and ask for gold of them."""
    settings.CHECKPOINT_DIR = tmp_path
    client.force_login(rania)

    def run(table, name="pairs.tsv", **more):
        sent = [sending.send(client, name, (TABLE + table).encode())]
        sent += [
            sending.send(client, path, encode_image(factories.make_image(seed)))
            for path, seed in IMAGES.items()
        ]
        body = json.dumps({"sent": sent} | more)
        return done(client.post(GOLD, body, content_type="application/json"))

    return run


def test_pairs_that_were_sent_become_gold_and_are_used_up(ask, bring):
    job = bring(PAIR)
    assert job.status == "done", job.reason
    assert counts(ask("GET")) == (0, 0, 1)
    assert not SentFile.objects.exists()
    assert not folder_of(job).exists()
    assert bring(PAIR, checks=2).status == "done"  # the pair is there, and one is made
    assert counts(ask("GET")) == (0, 0, 2)


@pytest.mark.parametrize(
    ("table", "name", "said"),
    [
        (PAIR.replace("good.png", "../../../../etc/passwd"), "pairs.tsv", "column better: is no"),
        (PAIR.replace("good.png", "/etc/passwd"), "pairs.tsv", "column better: is no file beside"),
        (PAIR.replace("good.png", "a\0b"), "pairs.tsv", "column better: is no file beside"),
        (PAIR.replace("good.png", "none.png"), "pairs.tsv", "there is no file none.png"),
        (PAIR.replace("visual", "usual"), "pairs.tsv", "column criterion"),
        (PAIR, "pairs.csv", "0 of 3 files end in .tsv"),
    ],
)
def test_pairs_that_cannot_be_gold_fail_their_job(ask, bring, tmp_path, table, name, said):
    job = bring(table, name)
    assert (job.status, said in job.reason) == ("failed", True), job.reason
    assert str(tmp_path) not in job.reason
    assert not folder_of(job).exists()
    assert counts(ask("GET")) == (0, 0, 0)
