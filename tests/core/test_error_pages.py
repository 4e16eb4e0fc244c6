"""Pages in place of a page: own words, on a phone too, without the database, JSON for a client."""

import psycopg
import pytest
from amqp.exceptions import AccessRefused
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.http import Http404
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from evalplatform.core.object_storage import ObjectStorageError
from tests.core import broken_urls

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
AWAY = [
    OperationalError("connection refused"),
    InterfaceError("the connection is closed"),
    BrokerError("[Errno 111] Connection refused"),
    AccessRefused("ACCESS_REFUSED - Login was refused"),
    ObjectStorageError("the store does not answer"),
]


@pytest.fixture
def visitor(settings):
    """A client of a site whose page /broken/ raises; without a database."""
    settings.ROOT_URLCONF = "tests.core.broken_urls"
    yield Client(raise_request_exception=False)
    broken_urls.RAISED.clear()


def ask(visitor, raised, accept=HTML):
    broken_urls.RAISED[:] = [raised]
    return visitor.get("/broken/", headers={"Accept": accept})


def assert_is_our_page(answer, says):
    html = answer.content.decode()
    assert says in html
    assert 'name="viewport" content="width=device-width' in html
    assert "css/site" in html
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [
        (SuspiciousOperation(), 400, "cannot read this request"),
        (DataError("secret NUL"), 400, "cannot read this request"),
        (PermissionDenied(), 403, "not allowed"),
        (Http404(), 404, "This link is not valid"),
        (ValueError("secret"), 500, "made a mistake"),
        (IntegrityError("a fault of ours"), 500, "made a mistake"),
        *[(raised, 503, "Back in a moment") for raised in AWAY],
    ],
)
def test_every_error_has_a_page_of_ours_that_needs_no_database(visitor, raised, status, says):
    answer = ask(visitor, raised)
    assert answer.status_code == status
    assert_is_our_page(answer, says)
    assert "secret" not in answer.content.decode()
    told = ask(visitor, raised, accept="application/json")
    assert told.status_code == status
    assert says in told.json()["error"]
    for each in (answer, told):
        assert each.headers.get("Retry-After") == ("5" if status == 503 else None)


def test_fault_outside_a_page_is_told_alike(visitor, monkeypatch):
    """Such as a session that cannot be stored after the page was made."""
    storing = "django.contrib.sessions.middleware.SessionMiddleware.process_response"
    for raised, status in ((OperationalError("refused"), 503), (ValueError(), 500)):

        def fail(self, request, response, raised=raised):
            raise raised

        monkeypatch.setattr(storing, fail)
        answer = visitor.get("/healthz", headers={"Accept": HTML})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("08006", "Back in a moment"),
        ("57P03", "Back in a moment"),
        ("40P01", "The site is busy"),
        ("53300", "The site is busy"),
        ("55P03", "The site is busy"),
        ("57014", "This took too long"),
        ("53100", "The site cannot store anything"),
        ("28P01", "The site is not set up right"),
    ],
)
def test_page_says_what_is_wrong_with_the_database(visitor, caplog, state, title):
    raised = OperationalError("the server said so")
    raised.__cause__ = psycopg.errors.lookup(state)()
    answer = ask(visitor, raised)
    assert answer.status_code == 503
    assert_is_our_page(answer, title)
    assert "every answer that was saved is safe" in answer.content.decode()
    assert title in ask(visitor, raised, accept="application/json").json()["error"]
    assert ("cannot be reached" in caplog.text) is False


@pytest.mark.parametrize(("fault", "traced"), [("57P01", False), ("40P01", True)])
def test_log_has_the_traceback_of_a_refused_statement_alone(visitor, caplog, fault, traced):
    raised = OperationalError("the server said so")
    raised.__cause__ = psycopg.errors.lookup(fault)()
    ask(visitor, raised)
    record = next(each for each in caplog.records if "the server said so" in each.message)
    assert bool(record.exc_info) is traced


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("SELECT 'three'::int", 400),
        ("SELECT 99999999999::int", 400),
        ("SELECT 'x'::timestamptz", 400),
        ("SELECT 1 / 0", 500),
        ("SELECT sqrt(-1)", 500),
    ],
)
def test_only_a_value_is_the_visitors_fault(visitor, db, statement, status):
    with pytest.raises(DataError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert ask(visitor, caught.value).status_code == status


def test_mistyped_link_of_an_annotator_is_explained(client, db):
    assert_is_our_page(client.get("/annotate/nonsense/"), "This link is not valid")


def test_api_speaks_json_whatever_is_accepted(client, db):
    answer = client.get("/api/nothing/", headers={"Accept": "*/*"})
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"
    assert "This link is not valid. Ask who sent it" in answer.json()["detail"]


def test_stale_form_is_explained(campaign):
    client = Client(enforce_csrf_checks=True)
    answer = client.post(f"/annotate/{campaign.invitation}/begin/", headers={"Accept": HTML})
    assert answer.status_code == 403
    assert_is_our_page(answer, "open for too long")


def test_foreign_host_gets_a_page(client):
    assert_is_our_page(client.get("/healthz", headers={"Host": "evil.example"}), "cannot read")
