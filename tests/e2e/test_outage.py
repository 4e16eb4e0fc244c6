"""While the database is away: what people are told, and that no vote is lost. Real processes."""

import psycopg
import pytest
import requests
from playwright.sync_api import expect

from evalplatform.core import embedded_postgres
from tests.core.installation import installed
from tests.e2e.conftest import AnnotatorPage

pytestmark = pytest.mark.e2e
MAKE_CAMPAIGN = """
from evalplatform.accounts.models import User
from evalplatform.annotation.services import open_campaign
from tests import factories
User.objects.create_user("rania", password="a long password")
draft = factories.make_draft(prompts=4)
open_campaign(campaign=draft)
print(draft.invitation)
"""
HTML = {"Accept": "text/html,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def home():
    with installed() as installation:
        yield installation


@pytest.fixture(scope="module")
def invitation(home):
    made = home.manage("shell", "--verbosity", "0", "-c", MAKE_CAMPAIGN)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip().splitlines()[-1]


@pytest.fixture
def database(home):
    """The installation's database, to be stopped and started; it runs again afterwards."""

    class Database:
        folder = home.var / "postgres"

        def stop(self):
            assert embedded_postgres.stop(self.folder)

        def start(self):
            embedded_postgres.start(self.folder)

        def count(self, statement):
            host = embedded_postgres.socket_dir(self.folder)
            address = f"host={host} user=postgres dbname=evalplatform"
            with psycopg.connect(address) as connection:
                return connection.execute(statement).fetchone()[0]

    yield Database()
    Database().start()


def test_everybody_is_told_to_come_back_while_the_database_is_away(home, invitation, database):
    annotator, researcher = requests.Session(), requests.Session()
    work = f"{home.address}/annotate/{invitation}/"
    annotator.get(work)
    annotator.post(f"{work}begin/", data={"csrfmiddlewaretoken": annotator.cookies["csrftoken"]})
    shown = annotator.get(f"{work}next/").json()["sets"][0]
    entry = f"{home.address}/accounts/sign-in/"
    researcher.get(entry)
    form = {"username": "rania", "password": "a long password"}
    form["csrfmiddlewaretoken"] = researcher.cookies["csrftoken"]
    assert researcher.post(entry, data=form).ok
    form["csrfmiddlewaretoken"] = researcher.cookies["csrftoken"]
    answer = {
        "assignment": shown["assignment"], "idempotency_key": shown["idempotency_key"],
        "answer": "left", "csrfmiddlewaretoken": annotator.cookies["csrftoken"],
    }  # fmt: skip
    database.stop()
    pages = [
        annotator.get(work, headers=HTML),
        researcher.get(f"{home.address}/campaigns/", headers=HTML),
        researcher.get(f"{home.address}/generation/", headers=HTML),
        researcher.post(entry, data=form, headers=HTML),
        annotator.get(home.address + shown["images"][0], headers={"Accept": "image/*,*/*;q=0.8"}),
        annotator.post(f"{work}vote/", data=answer, headers=HTML),
    ]
    scripts = [
        annotator.get(f"{work}next/", headers=JSON),
        annotator.post(f"{work}vote/", data=answer, headers=JSON),
        researcher.get(f"{home.address}/api/v1/checkpoints"),
    ]
    for each in pages + scripts:
        assert each.status_code == 503, each.url
        assert each.headers["Retry-After"] == "5"
        assert "no-store" in each.headers["Cache-Control"]
    assert all("Back in a moment" in each.text for each in pages)
    assert all("Back in a moment" in each.json()["error"] for each in scripts[:2])
    assert scripts[2].json()["code"] == "unavailable"
    assert "Back in a moment" in scripts[2].json()["detail"]
    assert requests.get(f"{home.address}/healthz", timeout=10).status_code == 503
    database.start()
    receipt = annotator.post(f"{work}vote/", data=answer, headers=JSON).json()
    assert receipt["receipt"] == "recorded"
    assert researcher.get(f"{home.address}/campaigns/").ok


def test_annotator_goes_on_through_an_outage_and_loses_no_vote(browser, home, invitation, database):
    errors = []
    context = browser.new_context()
    annotator = AnnotatorPage(context, f"{home.address}/annotate/{invitation}/", errors)
    annotator.agree()
    annotator.wait_until_ready()
    annotator.wait_until_preloaded()
    before = database.count("SELECT count(*) FROM annotation_vote")
    annotator.answer("ArrowLeft")
    annotator.wait_until_saved()
    annotator.wait_until_preloaded(pairs=4)
    database.stop()
    annotator.answer("ArrowRight")
    annotator.answer("ArrowLeft")
    expect(annotator.status).to_have_text("The server does not answer, 2 queued")
    annotator.open()
    assert annotator.tab.inner_text("h1") == "Back in a moment"
    database.start()
    annotator.resume()
    annotator.wait_until_saved()
    assert database.count("SELECT count(*) FROM annotation_vote") == before + 3
    context.close()
    assert not errors
