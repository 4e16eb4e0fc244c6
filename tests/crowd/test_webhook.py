"""Prolific's signed messages: checked, done once, and a place that was left is free at once."""

import json
import logging
import threading
import time

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation.models import Assignment, CrowdEvent, CrowdVisit, Enrolment, Vote
from evalplatform.crowd.webhook import signature_of
from tests.crowd.conftest import Study
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "hook secret"


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.PROLIFIC_WEBHOOK_SECRET = SECRET


def send(body, *, secret=SECRET, at=None, event="event-1", signature=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = str(int(time.time()) if at is None else at)
    headers = {
        "X-Prolific-Request-Timestamp": timestamp,
        "X-Prolific-Request-Signature": signature or signature_of(content, timestamp, secret),
    } | ({"X-Event-ID": event} if event else {})
    client = Client(enforce_csrf_checks=True)
    return client.post(
        reverse("crowd:prolific_webhook"), content, content_type="application/json",
        headers=headers,
    )  # fmt: skip


def change(session, status, person="p1"):
    return {
        "resource_id": session, "event_type": "submission.status.change",
        "participant_id": person, "status": status,
    }  # fmt: skip


def held() -> int:
    return Assignment.objects.pending().exclude(annotator=None).count()


@pytest.mark.parametrize("status", ["RETURNED", "TIMED-OUT", "TIMED_OUT", "timed out"])
def test_place_of_who_left_is_offered_again_within_five_seconds(study, status):
    other, left = study.come("p2", "s2"), study.come("p1", "s1")
    study.judge(left)
    assert study.state(left)["state"] == "judge"
    assert study.state(other)["state"] == "waiting"
    began = time.monotonic()
    answer = send(change("s1", status))
    assert (answer.status_code, answer.content) == (200, b"done\n")
    assert study.state(other)["state"] == "judge"
    assert time.monotonic() - began < 5
    assert Vote.objects.filter(exclusion=None, retracted_at=None).count() == 1  # it stays
    assert study.state(left)["state"] == "returned"


def test_message_sent_again_is_known_and_does_nothing(study):
    client = study.come("p1", "s1")
    study.state(client)
    assert send(change("s1", "RETURNED")).content == b"done\n"
    Enrolment.objects.update(status=Enrolment.Status.ACTIVE)
    study.state(client)
    assert held()
    assert send(change("s1", "RETURNED")).content == b"known\n"
    assert held()
    assert CrowdEvent.objects.count() == 1


def test_message_without_an_id_of_its_own_is_known_by_its_content(study):
    study.come("p1", "s1")
    assert send(change("s1", "ACTIVE"), event="").content == b"done\n"
    assert send(change("s1", "ACTIVE"), event="").content == b"known\n"


def test_same_message_twice_at_once_is_done_once(study):
    study.come("p1", "s1")
    answers = []

    def post():
        answers.append(send(change("s1", "RETURNED")).content)
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [b"done\n", b"known\n", b"known\n", b"known\n"]


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "another"}, {"signature": "x"}, {"signature": "é"}, {"late": 3600},
     {"late": -3600}, {"at": "nan"}, {"at": "soon"}, {"at": ""}],
    ids=str,
)  # fmt: skip
def test_forged_or_stale_message_is_refused(study, wrong):
    if "late" in wrong:  # by so many seconds
        wrong = {"at": int(time.time()) - wrong["late"]}
    study.state(study.come("p1", "s1"))
    before = held()
    assert send(change("s1", "RETURNED"), **wrong).status_code == 401
    assert held() == before > 0
    assert CrowdEvent.objects.count() == 0


def test_changed_body_is_refused(study):
    study.come("p1", "s1")
    timestamp = str(int(time.time()))
    true = signature_of(json.dumps(change("s1", "ACTIVE")).encode(), timestamp, SECRET)
    assert send(change("s1", "RETURNED"), at=timestamp, signature=true).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        {"event_type": "submission.status.change"},
        {"event_type": "submission.status.change", "resource_id": "a\0", "status": "RETURNED"},
    ],
)
def test_message_in_another_form_is_refused(db, body):
    assert send(body).status_code == 400


def test_message_of_another_kind_or_of_nobody_is_acknowledged(db):
    assert send({"event_type": "study.status.change"}).content == b"ignored\n"
    assert send(change("s9", "RETURNED")).content == b"nobody\n"


def test_message_that_names_another_person_frees_nothing(study):
    study.state(study.come("p1", "s1"))
    assert send(change("s1", "RETURNED", person="p2")).content == b"nobody\n"
    assert held()


def test_who_came_again_keeps_what_they_hold_when_the_first_return_is_told_late(study):
    client = study.come("p1", "s1")
    study.come("p1", "s2", client=client)
    study.state(client)
    send(change("s1", "RETURNED"))
    assert held()
    assert CrowdVisit.objects.get(session_id="s1").status == "RETURNED"


def test_late_message_takes_no_submission_back(study):
    study.come("p1", "s1")
    send(change("s1", "AWAITING REVIEW"), event="b")
    send(change("s1", "ACTIVE"), event="a")
    assert CrowdVisit.objects.get().status == "AWAITING REVIEW"


def test_late_message_waits_for_the_one_that_is_being_done(study):
    study.come("p1", "s1")
    answers = []

    def post():
        answers.append(send(change("s1", "ACTIVE"), event="late").content)
        connection.close()

    thread = threading.Thread(target=post)
    with transaction.atomic():  # as another worker does what it was told
        CrowdVisit.objects.select_for_update().get()
        thread.start()
        wait_until_somebody_waits()
        CrowdVisit.objects.update(status="AWAITING REVIEW")
    thread.join()
    assert answers == [b"done\n"]
    assert CrowdVisit.objects.get().status == "AWAITING REVIEW"


def test_without_the_secret_there_is_no_such_page(db, settings):
    settings.PROLIFIC_WEBHOOK_SECRET = ""
    assert send(change("s1", "RETURNED"), secret="").status_code == 404


def test_browsers_get_nothing_there(db):
    assert Client().get(reverse("crowd:prolific_webhook")).status_code == 405


def test_large_message_is_refused_unread(db):
    assert send(b"x" * 70_000).status_code == 413


def test_ids_are_in_no_log_line(study, caplog):
    with caplog.at_level(logging.DEBUG):
        study.state(study.come("person-id-1", "session-id-1"))
        send(change("session-id-1", "RETURNED", person="person-id-1"))
        send(change("session-id-1", "RETURNED", person="person-id-1"), secret="wrong")
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("django.db")]
    assert not [line for line in ours if "person-id-1" in line or "session-id-1" in line]


def test_campaign_of_another_platform_is_not_prolifics(db):
    rules = {"crowd": {"platform": "generic", "name": "Prolific", "session_param": "SESSION_ID"}}
    other = Study(prompts=1, k=1, criteria=["visual_appeal"], rules=rules)
    client = Client()
    client.get(other.url, {"id": "p1", "SESSION_ID": "s1"})
    client.post(f"{other.url}begin/")
    other.state(client)
    assert send(change("s1", "RETURNED")).content == b"nobody\n"
    assert held()
    assert timezone.now() > CrowdVisit.objects.get().came_at
