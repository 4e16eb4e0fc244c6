"""Every route, method and role against what is written out in `expected`."""

import dataclasses
import re
from collections import Counter

import pytest
from django.db import transaction
from django.test import Client, override_settings
from django.urls import URLPattern, get_resolver, resolve, reverse
from django.utils import timezone

from evalplatform.accounts.tokens import Scope, create_api_token
from tests.emptying import empty_databases
from tests.permissions import world as worlds
from tests.permissions.cases import Case
from tests.permissions.expected import CASES
from tests.permissions.expected_api import API_CASES
from tests.permissions.world import PEOPLE, TOKENS, World

pytestmark = pytest.mark.django_db
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
GROUPS = sorted({case.route.split(":")[0] for case in CASES})
# Words that only members of the one project, or of `theirs`, may ever read.
OF_OURS = (b"ours-", b"secret-things", b"edith")
OF_THEIRS = (b"secret-hidden",)
SIGN_IN = "/accounts/sign-in/"


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker, tmp_path_factory):
    """The world, stored once for all tests of this file: each takes back what it does."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with django_db_blocker.unblock():
        try:
            with override_settings(CHECKPOINT_DIR=folder):
                made = worlds.build(folder)
            yield folder, made
        finally:
            empty_databases()


@pytest.fixture
def world(built, db, settings):
    folder, made = built
    settings.CHECKPOINT_DIR = folder
    return dataclasses.replace(made, at_first={}, files=set())


def routes() -> dict[str, list[str]]:
    """Return every named route of the site, with the names of its arguments."""
    found = {}

    def walk(patterns, namespace=""):
        for each in patterns:
            if isinstance(each, URLPattern):
                found[f"{namespace}{each.name or each.pattern}"] = list(each.pattern.converters)
            else:
                inner = f"{each.namespace}:" if each.namespace else ""
                walk(each.url_patterns, namespace + inner)

    walk(get_resolver().url_patterns)
    return found


# Of the library that signs people in: they are for oneself, and tests/accounts tries them.
SIGNING_IN = ("account_", "mfa_", "openid_connect_", "socialaccount_", "accounts:sign_")


def ours() -> set[str]:
    return {name for name in routes() if not name.startswith(("admin:", "admin/", *SIGNING_IN))}


def test_every_route_has_an_expectation():
    assert ours() == {case.route for case in CASES}


def ask(client: Client, case: Case, world: World, method="", **headers):
    method = method or case.method
    address = reverse(case.route, args=case.args(world)) + case.query
    given = {"data": case.body(world)}
    if isinstance(given["data"], bytes) and method in ("GET", "HEAD"):
        given = {}
    elif isinstance(given["data"], bytes):
        given["content_type"] = "application/offset+octet-stream"
    elif method not in ("GET", "HEAD", "POST"):
        given = {}
    send = getattr(client, method.lower())
    return send(address, headers=case.headers | headers, **given)


def outcome(answer) -> str:
    """Return the status as the tables write it."""
    to_sign_in = answer.status_code == 302 and answer["Location"].startswith(SIGN_IN)
    return "in" if to_sign_in else str(answer.status_code)


def without_cookies(client: Client) -> Client:
    """Return it as a new one would be: only making one loads all middleware again."""
    client.cookies.clear()
    return client


def tried(case: Case, world: World, client: Client, method="", **headers):
    """Make the request, look at what it changed, and take it back."""
    before = world.untouched()
    taken_back = transaction.atomic()
    taken_back._from_testcase = True  # a vote insists on a transaction of its own
    with taken_back:
        answer = ask(client, case, world, method, **headers)
        body = b"".join(answer) if answer.streaming else answer.content
        done = worlds.changed(before, worlds.state())
        transaction.set_rollback(True)
    return outcome(answer), done, body


def cells(case: Case, given: str, who: str):
    assert len(given.split()) == len(who), case
    return list(zip(who, given.split(), strict=True))


def differences(case: Case, who: str, cell: str, got: str, done: set[str]) -> list[str]:
    """Return in words what is not as the cell says."""
    status, is_done = cell.rstrip("+"), cell.endswith("+")
    found = []
    if got != status:
        found.append(f"{case} {case.changes or ''} by {who}: {got}, expected {status}")
    if done != (set(case.changes) if is_done else set()):
        found.append(f"{case} by {who}: changed {done or 'nothing'}, expected {cell}")
    return found


def leaks(case: Case, who: str, cell: str, body: bytes) -> list[str]:
    """Return words that this person must not read."""
    hidden = OF_OURS * (who in "sm") + OF_THEIRS * (who in "veEom")
    if case.query.startswith("?pilot") or "project=" in str(case.headers):
        hidden = ()  # they said it themselves
    return [f"{case} tells {who} of {word!r}" for word in hidden if word in body]


@pytest.mark.parametrize("group", GROUPS)
def test_each_role_gets_what_is_written(world, group):
    found, count = [], 0
    clients = {who: world.client(who) for who in PEOPLE}
    for case in CASES:
        if case.route.split(":")[0] != group:
            continue
        for who, cell in cells(case, case.people, PEOPLE):
            got, done, body = tried(case, world, clients[who])
            found += differences(case, who, cell, got, done) + leaks(case, who, cell, body)
            count += 1
    print(f"{group}: {count} requests")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("group", GROUPS)
def test_a_token_counts_where_it_is_written_and_nowhere_else(world, group, client):
    found = []
    for case in CASES:
        if case.route.split(":")[0] != group:
            continue
        nobody = cells(case, case.people, PEOPLE)[0][1]
        told = case.tokens or " ".join([nobody] * len(TOKENS))
        for who, cell in cells(case, told, TOKENS):
            bearer = f"Bearer {world.secrets[who]}"
            got, done, body = tried(case, world, without_cookies(client), Authorization=bearer)
            found += differences(case, f"token of {who}", cell, got, done)
            found += leaks(case, who, cell, body) if case.tokens else []
    assert not found, "\n".join(found)


def test_an_operators_token_for_one_project_opens_what_its_owner_may(world, client):
    """Where tokens count outside the API; within it, the test below."""
    _, secret = create_api_token(
        user=world.users["r"], label="x", scopes=Scope.values, project=world.theirs,
        now=timezone.now(),
    )  # fmt: skip
    found = []
    for case in CASES:
        if case.tokens and case not in API_CASES:
            cell = dict(cells(case, case.tokens, TOKENS))["s"]
            client = without_cookies(client)
            got, done, _ = tried(case, world, client, Authorization=f"Bearer {secret}")
            found += differences(case, "an operator's token for one project", cell, got, done)
    assert not found, "\n".join(found)


def test_a_token_needs_the_scope_that_is_written_and_no_other(world, client):
    """The owner's, and an operator's that acts in another project alone."""
    now, found = timezone.now(), []
    owner, operator = world.users["o"], world.users["r"]

    def bearer(user, scopes, project=None):
        token = create_api_token(user=user, label="x", scopes=scopes, project=project, now=now)
        return f"Bearer {token[1]}"

    only = {each: bearer(owner, [each]) for each in Scope.values}
    without = {each: bearer(owner, set(Scope.values) - {each}) for each in Scope.values}
    elsewhere = bearer(operator, Scope.values, world.theirs)
    world.at_first = {}
    for case in API_CASES:
        as_owner = dict(cells(case, case.people, PEOPLE))["o"]
        as_stranger = dict(cells(case, case.people, PEOPLE))["s"]
        tries = [(only[case.scope], as_owner), (without[case.scope], "403")]
        tries.append((elsewhere, as_stranger))
        for which, cell in tries:
            narrower = which in (only["admin"], elsewhere)
            if case.route == "api:create_token" and narrower and "+" in cell:
                cell = "403"  # it cannot pass on the scope read or projects, which it has not
            got, done, body = tried(case, world, without_cookies(client), Authorization=which)
            found += differences(case, f"a token with {case.scope}", cell, got, done)
            if which == without[case.scope]:
                assert b"scope-missing" in body, case
    assert not found, "\n".join(found)


# Django's own views take more methods than a page has: they change as little.
OTHER = {
    ("core:home", "HEAD"): "302", ("core:home", "POST"): "302", ("core:home", "PUT"): "302",
    ("core:home", "PATCH"): "302", ("core:home", "DELETE"): "302", ("core:home", "OPTIONS"): "302",
}  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_no_other_method_does_anything(world, group):
    found = []
    written = Counter()
    first = {}
    for case in CASES:
        if case.route.split(":")[0] != group:
            continue
        # Several names may share an address, one a method.
        address = resolve(reverse(case.route, args=case.args(world))).route
        written[address, case.method] += 1
        first.setdefault(address, case)
    clients = {who: world.client(who) for who in PEOPLE}
    for address, case in first.items():
        route = case.route
        for method in METHODS:
            if written[address, method] or (method == "HEAD" and written[address, "GET"]):
                continue
            for who in PEOPLE if group != "api" else "ao":
                got, done, _ = tried(case, world, clients[who], method)
                cell = OTHER.get((route, method), "405")
                found += differences(case, f"{who} with {method}", cell, got, done)
    assert not found, "\n".join(found)


def test_a_form_from_elsewhere_does_nothing(world):
    """Without its CSRF token, to the owner."""
    found = []
    for case in CASES:
        if case.method == "GET" or not case.changes:
            continue
        client = Client(enforce_csrf_checks=True)
        client.cookies = world.client("n" if case.route.startswith("annotation") else "o").cookies
        got, done, _ = tried(case, world, client)
        found += differences(case, "a forger", "403", got, done)
    assert not found, "\n".join(found)


def test_admin_is_for_staff(world):
    """Nobody without `is_staff` reads a page of it, operators by role neither."""
    clients = [(who, world.client(who)) for who in PEOPLE.replace("u", "")]
    for name, arguments in routes().items():
        plain = re.fullmatch(r"admin:\w+", name)
        if not plain or name in ("admin:login", "admin:logout", "admin:app_list"):
            continue
        address = reverse(name, args=["1"] * len(arguments) if arguments else None)
        for who, client in clients:
            answer = client.get(address)
            assert answer.status_code in (302, 404), (name, who, answer.status_code)
            leads = ("/login/", SIGN_IN, "/accounts/password/")
            if answer.status_code == 302:
                assert any(each in answer["Location"] for each in leads), name
