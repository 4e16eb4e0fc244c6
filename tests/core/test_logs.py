"""Logs hold nothing that tells who somebody is."""

import logging
import os
import re
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import RequestFactory
from django.urls import reverse

from evalplatform.accounts.models import CrowdIdentity
from evalplatform.accounts.services import ensure_crowd_annotator
from evalplatform.core import processes
from evalplatform.core.logs import PrivateFormatter, remember_request, without_personal_data
from tests import live

PERSON = "5f1e0aJaneDoe"
ADDRESS = "jane.doe@example.org"


def formatted(message, **extra):
    record = logging.LogRecord("name", logging.ERROR, "", 0, message, (), None)
    record.__dict__.update(extra)
    return PrivateFormatter("%(message)s").format(record)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Bad Request: /annotate/x/?PROLIFIC_PID=5f1e&b=1", "Bad Request: /annotate/x/?…"),
        ("GET https://site/a?key=secret HTTP/1.1", "GET https://site/a?… HTTP/1.1"),
        ("no account of jane.doe+a@example.org here", "no account of …@… here"),
        ("/a/jane%40example.org/", "/a/…@…/"),
        ("GET /accounts/password/new/1-abc-def/ 302", "GET /accounts/password/new/…/ 302"),
        ("Invalid request from ip=192.0.2.17: bad", "Invalid request from ip=…: bad"),
        ("Listening at: http://127.0.0.1:8000 (12)", "Listening at: http://127.0.0.1:8000 (12)"),
        ("Is it there? Yes.", "Is it there? Yes."),
    ],
)
def test_what_is_left_of_a_line(written, kept):
    assert without_personal_data(written) == kept


def test_what_a_request_brought_is_left_out_wherever_it_is_quoted():
    request = RequestFactory().post("/?id=5f1e0a", {"name": "Jane Doe"})
    request.POST  # noqa: B018  # read, as a view does
    assert formatted("no 5f1e0a, no Jane Doe", request=request) == "no …, no …"
    heard = []
    remember_request(lambda request: heard.append(formatted("no 5f1e0a")))(request)
    assert heard == ["no …"]
    assert formatted("no 5f1e0a") == "no 5f1e0a"  # the request is over


@pytest.mark.django_db
def test_rows_of_a_database_error_are_left_out():
    ensure_crowd_annotator(platform="prolific", external_id=PERSON)
    other = ensure_crowd_annotator(platform="prolific", external_id="another")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        CrowdIdentity.objects.filter(annotator=other).update(external_id=PERSON)
    assert PERSON in str(caught.value)
    assert PERSON not in formatted("failed", exc_info=(caught.type, caught.value, caught.tb))
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        connection.cursor().execute(f"SELECT nothing FROM nowhere WHERE id = '{PERSON}'")
    assert PERSON not in formatted(str(caught.value))


@pytest.fixture
def running(tmp_path, settings, transactional_db):
    """The site as `services start` runs it, and the text of its log."""
    settings.VAR_DIR = tmp_path
    port = live.free_port()
    original = dict(os.environ)
    os.environ.update(live.environment(SITE_URL=f"http://127.0.0.1:{port}"))
    try:
        address = processes.start_web("127.0.0.1", port)
        yield address, tmp_path / "log" / "web.log"
    finally:
        processes.web("", 0).stop()
        os.environ.clear()
        os.environ.update(original)


def test_workers_write_as_the_site_does():
    code = (
        "import django, logging; django.setup(); from evalplatform.celery import app; "
        "app.log.setup(loglevel='INFO'); logging.getLogger('celery.task').error('x /a?b=c'); "
        "logging.getLogger('celery.worker').error('of jane.doe@example.org')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=live.environment(),
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "x /a?…" in said.stderr
    assert "of …@…" in said.stderr
    assert "b=c" not in said.stderr
    assert "jane" not in said.stderr


def sign_in_wrongly(site):
    session = requests.Session()
    url = f"{site}{reverse('accounts:sign_in')}"
    codes = []
    for _ in range(6):
        form = {"username": ADDRESS, "password": "Tr0ub4dor", "next": "/"}
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', session.get(url).text)
        answer = session.post(url, form | {"csrfmiddlewaretoken": token[1] if token else ""})
        codes.append(answer.status_code)
    assert codes == [200, 200, 200, 200, 429, 429]  # whichever process answers


def say(site, line):
    """Send what no HTTP library would."""
    address = urlsplit(site)
    with socket.create_connection((address.hostname, address.port)) as connected:
        connected.sendall(line.encode() + b"\r\n\r\n")
        connected.recv(100)


@pytest.mark.worker
def test_running_site_writes_nothing_that_tells_who_somebody_is(running, campaign, rania, capsys):
    site, log = running
    entry = f"{site}/annotate/{campaign.invitation}/"
    call_command("password_link", "rania")
    key = capsys.readouterr().out.strip().rpartition("/new/")[2]
    before = database_log()
    found = [
        requests.get(entry, {"PROLIFIC_PID": PERSON, "STUDY_ID": "st", "SESSION_ID": PERSON}),
        requests.get(entry, {"PROLIFIC_PID": PERSON + " " + ADDRESS}),
        requests.get(entry, {"key": PERSON}),
        requests.get(f"{site}/annotate/nothing/{ADDRESS}/", {"PROLIFIC_PID": PERSON}),
        requests.post(f"{entry}begin/", {"consent": PERSON}),
        requests.get(f"{site}/healthz", {"x": PERSON}, headers={"Host": f"{PERSON}.example"}),
        requests.get(f"{site}/accounts/password/new/{key}"),
    ]
    codes = [each.status_code for each in found]
    assert codes == [200, 400, 404, 404, 403, 400, 200]
    sign_in_wrongly(site)
    say(site, f"GET {urlsplit(entry).path}?PROLIFIC_PID={PERSON}&mail={ADDRESS} HTTP/9.9")
    say(site, f"GETT\0 /?PROLIFIC_PID={PERSON} HTTP/1.1")
    ensure_crowd_annotator(platform="prolific", external_id=PERSON)
    other = ensure_crowd_annotator(platform="prolific", external_id="another")
    with pytest.raises(IntegrityError), transaction.atomic():
        CrowdIdentity.objects.filter(annotator=other).update(external_id=PERSON)
    processes.web("", 0).stop()
    written = log.read_text()
    assert f"GET /annotate/{campaign.invitation}/ 302" in written  # it is the log
    assert "Bad Request" in written
    assert "is locked from one address" in written
    for text in (written, database_log().removeprefix(before)):
        for secret in (PERSON, "jane.doe", "Tr0ub4dor", "PROLIFIC_PID=", key.strip("/")):
            assert secret not in text, secret


def database_log():
    """Return the embedded server's log; nothing where the tests use another server."""
    if not settings.EMBEDDED_POSTGRES_DIR:
        return ""
    return (settings.EMBEDDED_POSTGRES_DIR / "log").read_text(errors="replace")
