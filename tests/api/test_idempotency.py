"""Idempotency-Key, If-Match, cursors, problems and rate limits, as scripts meet them."""

import json
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.members import remove_member, set_member
from evalplatform.accounts.models import ApiToken, Project, User
from evalplatform.accounts.projects import default_project
from evalplatform.accounts.tokens import Scope, create_api_token
from evalplatform.api.models import KeptAnswer
from evalplatform.checkpoints.models import Upload
from evalplatform.runs.models import Draft
from tests import factories

pytestmark = pytest.mark.django_db
DRAFTS = "/api/v1/drafts"


def token_of(user, scopes=Scope.values, **more) -> str:
    return create_api_token(user=user, label="x", scopes=scopes, now=timezone.now(), **more)[1]


def send(method, path, secret, body=None, **headers):
    return Client().generic(
        method, path, json.dumps(body or {}).encode(), content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"} | headers,
    )  # fmt: skip


@pytest.fixture
def secret(rania):
    return token_of(rania)


def make(secret, key, **body):
    return send("POST", DRAFTS, secret, {"choices": {}} | body, **{"Idempotency-Key": key})


def test_same_key_and_body_is_done_once_and_answered_alike(secret):
    key = str(uuid.uuid4())
    first, second = make(secret, key), make(secret, key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert Draft.objects.count() == 1


def test_same_key_with_another_body_is_refused(secret):
    make(secret, "k")
    other = make(secret, "k", title="another")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert Draft.objects.count() == 1


def test_keys_of_two_tokens_are_apart(secret, rania):
    assert make(secret, "k").json()["number"] != make(token_of(rania), "k").json()["number"]


def test_a_refused_request_may_be_tried_again_by_its_key(secret):
    wrong = make(secret, "k", choices={"seed": -1})
    assert (wrong.status_code, wrong["Content-Type"]) == (422, "application/problem+json")
    assert not KeptAnswer.objects.exists()
    assert make(secret, "k").status_code == 201


def test_a_key_is_forgotten_after_a_day(secret):
    make(secret, "k")
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert make(secret, "k", title="another").status_code == 201
    assert KeptAnswer.objects.count() == 1


def test_kept_answers_do_not_show_secrets(secret):
    body = {"label": "more", "scopes": ["read"]}
    made = send("POST", "/api/v1/tokens", secret, body, **{"Idempotency-Key": "k"})
    again = send("POST", "/api/v1/tokens", secret, body, **{"Idempotency-Key": "k"})
    assert made.json()["secret"] == again.json()["secret"]
    assert made.json()["secret"] not in KeptAnswer.objects.get().content


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_odd_keys_are_refused(secret, key):
    assert make(secret, key).json()["code"] == "invalid"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one(rania):
    secret, answers = token_of(rania), []
    gate = threading.Barrier(4)

    def one():
        gate.wait()
        answers.append(make(secret, "k"))
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert Draft.objects.count() == 1
    codes = {each.status_code for each in answers}
    assert 201 in codes
    assert codes <= {201, 409}
    assert all(each.json()["code"] == "idempotency-running" for each in answers
               if each.status_code == 409)  # fmt: skip


def test_an_edit_over_what_somebody_changed_meanwhile_is_refused(secret):
    factories.make_request("slow")
    path = "/api/v1/generation/slow"
    seen = send("GET", path, secret)["ETag"]
    assert send("PATCH", path, secret, {"priority": 1}, **{"If-Match": seen}).status_code == 200
    late = send("PATCH", path, secret, {"priority": 2}, **{"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "changed-meanwhile")
    assert send("PATCH", path, secret, {"priority": 3}).json()["priority"] == 3


def test_two_people_editing_one_draft_lose_nothing(secret):
    number = make(secret, "k").json()["number"]
    path = f"{DRAFTS}/{number}"
    first = send("PUT", path, secret, {"version": 1, "choices": {"seed": 5}})
    assert first.json()["version"] == 2
    other = send("PUT", path, secret, {"version": 1, "choices": {"images_per_prompt": 2}})
    assert other.json()["choices"] == {"seed": 5, "images_per_prompt": 2}
    both = send("PUT", path, secret, {"version": 1, "choices": {"seed": 6}})
    assert (both.status_code, both.json()["code"]) == (412, "changed-meanwhile")
    assert "seed" in both.json()["detail"]


def test_pages_hold_everything_once(secret):
    names = {factories.make_checkpoint(f"model-{number}").name for number in range(5)}
    cursor, found = "", []
    while cursor is not None:
        page = send("GET", f"/api/v1/checkpoints?limit=2&cursor={cursor}", secret).json()
        assert len(page["items"]) <= 2
        found += [each["name"] for each in page["items"]]
        cursor = page["next"]
        factories.make_checkpoint(f"a-newcomer-{len(found)}")  # before what was read: not met
    assert [name for name in found if name in names] == sorted(names)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("cursor", ["x", "é", "WyJwayIsIDFd", "AAAA", "W10", "9" * 400])
def test_a_cursor_of_another_list_is_refused(secret, cursor):
    answer = send("GET", f"/api/v1/checkpoints?cursor={cursor}", secret)
    assert (answer.status_code, answer.json()["code"]) == (422, "refused")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "unreadable"), (b"\xff", "unreadable"), (b'{"choices": NaN}', "unreadable"),
        (b'{"title": "\\u0000"}', "unreadable"), (b'{"title": "\\ud800"}', "unreadable"),
        (b"[" * 100_000, "unreadable"), (b"[]", "invalid"), (b"{}", "invalid"),
        (b'{"choices": {}, "colour": 1}', "invalid"), (b"9" * 5000, "unreadable"),
        (b'{"choices": {"arms": ["a"], "sauce": 1}}', "invalid"),
    ],
)  # fmt: skip
def test_bodies_that_are_none_are_told_what_is_wrong(secret, body, code):
    answer = Client().generic(
        "POST", DRAFTS, body, content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )  # fmt: skip
    told = answer.json()
    assert (told["code"], told["status"]) == (code, answer.status_code)
    assert "\n" not in told["detail"]
    assert not Draft.objects.exists()


def test_a_token_has_so_many_requests_a_minute(secret, settings):
    settings.API_REQUESTS_PER_MINUTE = 2
    codes = [send("GET", "/api/v1/me", secret) for _ in range(3)]
    assert [each.status_code for each in codes] == [200, 200, 429]
    assert 1 <= int(codes[2]["Retry-After"]) <= 60
    ApiToken.objects.update(minute_began_at=timezone.now() - timedelta(seconds=61))
    assert send("GET", "/api/v1/me", secret).status_code == 200


def test_an_expired_token_is_told_so(rania):
    ends = timezone.now() + timedelta(seconds=60)
    secret = token_of(rania, expires_at=ends)
    ApiToken.objects.update(
        created_at=ends - timedelta(days=1), expires_at=ends - timedelta(hours=1)
    )
    answer = send("GET", "/api/v1/me", secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "token-refused")
    assert "expired" in answer.json()["detail"]


def test_a_token_makes_none_that_may_more(rania):
    project = default_project()
    secret = token_of(rania, ["admin", "read"], project=project)
    more = [
        {"scopes": ["models"], "project": project.name}, {"scopes": ["read"]},
        {"scopes": ["read"], "project": "nothing"},
    ]  # fmt: skip
    for body in more:
        answer = send("POST", "/api/v1/tokens", secret, {"label": "x"} | body)
        assert answer.status_code in (403, 404)
    fine = {"label": "x", "scopes": ["read"], "project": project.name}
    assert send("POST", "/api/v1/tokens", secret, fine).status_code == 201


def test_a_token_of_whoever_left_the_project_opens_it_no_more(rania):
    Project.objects.create(name="other")
    secret = token_of(rania, project=default_project())
    assert send("GET", "/api/v1/projects/default", secret).status_code == 200
    set_member(project=default_project(), user=User.objects.create_user("olga"), role="owner")
    remove_member(project=default_project(), user=rania)
    assert send("GET", "/api/v1/projects/default", secret).status_code == 404


def test_lists_of_what_has_no_number_come_in_pages_too(secret):
    for name in "abc":
        Upload.objects.create(project=default_project(), file_name=f"{name}.zip", size_bytes=1)
    first = send("GET", "/api/v1/uploads?limit=2", secret).json()
    rest = send("GET", f"/api/v1/uploads?limit=2&cursor={first['next']}", secret).json()
    names = {each["file_name"] for each in first["items"] + rest["items"]}
    assert (names, rest["next"]) == ({"a.zip", "b.zip", "c.zip"}, None)
