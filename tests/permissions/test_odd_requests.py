"""Requests that no page of ours makes, to every route, by everybody: none ends in an error of ours.

What a request did is taken back. More of them, or others:

    ODD_REQUESTS=10000 ODD_SEED=2 python -m pytest tests/permissions/test_odd_requests.py -s
"""

import os
import random
import traceback
from collections import Counter
from dataclasses import replace
from functools import partial
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from django.core.signals import got_request_exception
from django.db import transaction
from django.test import Client
from django.urls import resolve

from evalplatform.annotation.models import Assignment
from tests.permissions import world as worlds
from tests.permissions.odd import Request, changed, of_accounts, of_admin, of_matrix
from tests.permissions.world import PEOPLE, TOKENS

pytestmark = pytest.mark.django_db
REQUESTS = int(os.environ.get("ODD_REQUESTS", "1000"))
VALUES = int(os.environ.get("ODD_VALUES", "3"))
SEED = int(os.environ.get("ODD_SEED", "1"))
WEIGHTS = (8, 1, 1)  # of matrix, accounts and admin
MOST = "nnveoru" * 2  # those who get furthest come most often


def send(request: Request, cookies: SimpleCookie, bearer: str) -> int:
    """Send it, read the whole answer, and return its status."""
    client = Client(raise_request_exception=False)
    client.cookies = SimpleCookie(cookies)
    headers = dict(request.headers) | ({"Authorization": bearer} if bearer else {})
    address = request.path + (
        "?" + urlencode(request.query, errors="surrogatepass") if request.query else ""
    )
    content = headers.pop("Content-Type", None)
    if isinstance(request.body, bytes):
        given = {"data": request.body, "content_type": content or "application/octet-stream"}
        call = partial(client.generic, request.method, address, **given)
    elif request.method == "POST" and content is None:
        call = partial(client.post, address, request.body)
    else:
        body = urlencode(request.body, doseq=True).encode()
        given = {"data": body, "content_type": content or "application/x-www-form-urlencoded"}
        call = partial(client.generic, request.method, address, **given)
    answer = call(headers=headers)
    if answer.streaming:
        list(answer)
    return answer.status_code


@pytest.fixture
def world(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    return worlds.build(tmp_path)


@pytest.fixture
def raised():
    """What views raised, in the words of the innermost line."""
    found: list[str] = []

    def remember(sender, **more):
        found.append(traceback.format_exc(limit=-2))

    got_request_exception.connect(remember)
    yield found
    got_request_exception.disconnect(remember)


def tried(request: Request, cookies: SimpleCookie, bearer: str = "") -> int:
    """Send it, take back what it did, and return its status."""
    taken_back = transaction.atomic()
    taken_back._from_testcase = True  # a vote insists on a transaction of its own
    with taken_back:
        status = send(request, cookies, bearer)
        transaction.set_rollback(True)
    return status


WORST = ["\0", "a\0b", "\x1b", "\u2028", "9" * 5_000, "x" * 20_000, "-1", str(2**63), "", "é" * 90]


def test_no_field_takes_what_the_database_cannot(world, raised):
    """Each field of each form in turn, by an operator: nobody gets further.

    A field gets three of the values; ODD_VALUES=10 gives it all.
    """
    rng = random.Random(SEED)
    cookies = {who: world.client(who).cookies for who in "un"}
    failed, count = [], 0
    for request in of_matrix(world):
        fields = request.body if isinstance(request.body, dict) else {}
        who = "n" if request.path.startswith("/annotate/") else "u"
        for name in [*fields, *(["next", "label"] if request.method == "POST" else [])]:
            for value in rng.sample(WORST, VALUES):
                world.untouched()
                raised.clear()
                odd_one = replace(request, body=fields | {name: value})
                status = tried(odd_one, cookies[who])
                count += 1
                if status >= 500:
                    failed.append(f"{status} to {who}: {odd_one}\n{''.join(raised)}")
    assert count > 500
    assert not failed, f"{len(failed)} failed\n" + "\n".join(failed[:20])


def test_no_odd_request_ends_in_an_error_of_ours(world, raised, capsys):
    rng = random.Random(SEED)
    plain = [of_matrix(world), of_accounts(), of_admin()]
    browsers = {who: world.client(who).cookies for who in PEOPLE}
    slots = Assignment.objects.count()
    statuses: Counter[int] = Counter()
    failed = []
    for _ in range(REQUESTS):
        request = changed(rng, rng.choice(rng.choices(plain, WEIGHTS)[0]))
        if rng.random() < 0.2:
            who, cookies = "token", SimpleCookie()
            bearer = f"Bearer {world.secrets[rng.choice(TOKENS)]}"
        else:
            who, bearer = rng.choice(PEOPLE + MOST), ""
            cookies = browsers[who]
        world.untouched()
        raised.clear()
        status = tried(request, cookies, bearer)
        statuses[status] += 1
        if status >= 500:
            failed.append(f"{status} to {who}: {request}\n{''.join(raised)}")
    with capsys.disabled():
        number = sum(map(len, plain))
        print(f"\n{REQUESTS:,} odd requests like {number} plain ones: {sorted(statuses.items())}")
    assert Assignment.objects.count() == slots
    assert not failed, f"{len(failed)} failed\n" + "\n".join(failed[:20])
    # Most are understood so far that something of ours answered, not only "no such page".
    assert statuses[404] < REQUESTS / 2


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/drafts/{}", "/api/v1/log-builds/{}", "/api/v1/image-imports/{}",
        "/api/v1/projects/{project}/webhooks/{}", "/projects/{project}/webhooks/{}/",
        "/prompts/logs/build/{}/", "/models/images/import/{}/", "/campaigns/{slug}/images/{}/",
    ],
)  # fmt: skip
def test_numbers_that_the_database_cannot_hold_are_of_nothing(address, client, rania, draft):
    client.force_login(rania)
    for number in (2**63, 10**40):
        path = address.format(number, slug=draft.slug, project=draft.project.name)
        assert resolve(path)
        assert client.get(path).status_code == 404
