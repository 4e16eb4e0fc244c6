"""What no browser of ours sends: an annotator's routes refuse it clearly, and never fail."""

import random

import pytest
from django.test import Client
from django.urls import reverse

from evalplatform.annotation.models import Enrolment, SurplusVote, Vote
from evalplatform.annotation.services import open_campaign
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
FORM = "application/x-www-form-urlencoded"
UUID = "0c6c1f0e-64a5-4a5e-9d43-9f0a8d1b7d11"
QUESTIONS = [
    {"name": "remarks", "label": "Remarks?", "kind": "text"},
    {"name": "eyes", "label": "Glasses?", "choices": ["yes", "no"]},
]
ROUTES = ("begin/", "vote/", "undo/", "skip/", "questionnaire/", "comprehension/")


@pytest.fixture
def campaign():
    made = factories.make_draft(rules={"questionnaire": QUESTIONS})
    open_campaign(campaign=made)
    return made


@pytest.fixture
def work(campaign):
    return reverse("annotation:work", args=[campaign.invitation])


@pytest.fixture
def browser(work):
    """An enrolled annotator whose requests are checked as a real one's are."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(work)
    client.post(f"{work}begin/", with_token(client, {}))
    assert Enrolment.objects.count() == 1
    return client


def with_token(client, fields):
    return {"csrfmiddlewaretoken": client.cookies["csrftoken"].value} | fields


def ask(client, url, fields, accept="application/json"):
    return client.post(url, with_token(client, fields), headers={"accept": accept})


def test_body_in_another_encoding_is_refused(browser, work):
    token = browser.cookies["csrftoken"].value
    for charset in ("utf-7", "latin1", "UTF-16", "cp037", "idna"):
        for route in ROUTES:
            for accept in ("application/json", "text/html"):
                response = browser.generic(
                    "POST", work + route, f"csrfmiddlewaretoken={token}&answer=left",
                    content_type=f"{FORM}; charset={charset}", headers={"accept": accept},
                )  # fmt: skip
                assert response.status_code == 400, (charset, route, accept)
                assert "send UTF-8" in response.content.decode()
    assert Vote.objects.count() == 0


def test_body_in_utf8_is_read_however_its_encoding_is_spelt(browser, work):
    token = browser.cookies["csrftoken"].value
    for charset in ("utf-8", "UTF8", "no-such-encoding"):
        response = browser.generic(
            "POST", f"{work}undo/", f"csrfmiddlewaretoken={token}",
            content_type=f"{FORM}; charset={charset}", headers={"accept": "application/json"},
        )  # fmt: skip
        assert (response.status_code, response.json()["receipt"]) == (200, "too_late")


NOT_NUMBERS = ["9" * 5000, "0" * 5000, "-" + "9" * 5000, "\0", "1\0", "1e999", "nan", " "]


def test_numbers_that_are_none_are_refused(browser, work):
    pair = browser.get(f"{work}next/", headers={"accept": "application/json"}).json()["sets"][0]
    fields = {name: pair[name] for name in ("assignment", "idempotency_key")}
    for name in ("want", "response_time_ms", "viewport_width", "pixel_ratio"):
        for value in NOT_NUMBERS:
            given = fields | {"answer": "left", name: value}
            response = ask(browser, f"{work}vote/", given)
            assert response.status_code == 400, (name, value[:10])
            assert len(response.json()["error"]) < 200
            if name == "want":
                assert browser.get(f"{work}next/", {"want": value}).status_code == 400
    assert (Vote.objects.count(), SurplusVote.objects.count()) == (0, 0)


def test_key_that_no_link_has_is_refused_and_told(browser, work):
    for key in ("\0", "a\0b", "\x1b", "\u2028", "\u202e"):
        response = browser.get(work, {"key": key})
        assert response.status_code == 400, key
        assert "open the link as it was sent" in response.content.decode()


def test_invitation_that_no_link_has_is_not_there(browser):
    for route in ("", "next/", "begin/", "vote/"):
        url = f"/annotate/a%00b/{route}"
        answer = ask(browser, url, {}) if route in ROUTES else browser.get(url)
        assert answer.status_code == 404


def test_text_that_cannot_be_stored_is_refused(browser, work):
    answer = ask(browser, f"{work}questionnaire/", {"remarks": "a\0b"})
    assert answer.status_code == 400
    assert "Remarks?" in answer.json()["error"]
    assert Enrolment.objects.get().questionnaire is None


FIELDS = {
    "assignment": [UUID], "idempotency_key": [UUID], "answer": ["left", "both"],
    "reason": ["unsafe"], "want": ["3"], "response_time_ms": ["900"], "pixel_ratio": ["2"],
    "zoomed": ["1"], "remarks": ["fine"], "eyes": ["yes"], "key": [UUID],
    "PROLIFIC_PID": ["5f1e0a"], "STUDY_ID": ["s"], "SESSION_ID": ["v"],
}  # fmt: skip
ODD = ["", "\0", "a\0", "9" * 5000, "-1", "x" * 70_000, "\ud7ff", "é", "{{%PROLIFIC_PID%}}",
       "' OR 1=1 --", "../..", "%s", "null", "[]", "<b>", "1e999", "NaN", "∞", "0x10"]  # fmt: skip


def test_eight_hundred_odd_requests_are_answered_and_none_fails(browser, work):
    rng = random.Random(5)
    failed = []
    for _ in range(800):
        fields = {
            name: rng.choice(ODD) if rng.random() < 0.5 else rng.choice(values)
            for name, values in FIELDS.items()
            if rng.random() < 0.3
        }
        route = rng.choice(["", "next/", "", "next/", *ROUTES])
        accept = rng.choice(["application/json", "text/html", "*/*", "", ";q=x", "a/b;q=0"])
        if route in ROUTES:
            answer = ask(browser, work + route, fields, accept)
        else:
            answer = browser.get(work + route, fields, headers={"accept": accept})
        if answer.status_code >= 500:
            failed.append((route, accept, {k: v[:20] for k, v in fields.items()}))
    assert failed == []
