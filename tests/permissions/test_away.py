"""While the database is away every page and route says so: 503, and when to come again."""

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from tests.permissions import world as worlds
from tests.permissions.expected import CASES

pytestmark = pytest.mark.django_db
# What asks no database: descriptions, where the front page leads, what a machine asks.
NEEDS_NONE = {
    "api:openapi", "api:reference", "core:favicon", "core:healthz", "core:home", "metrics",
    "readyz",
}  # fmt: skip


def away(*args, **options):
    raise OperationalError("server closed the connection unexpectedly")


def test_every_route_says_that_the_database_is_away(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    world = worlds.build(tmp_path)
    owner, annotator = world.client("o"), world.client("n")
    addresses = {
        (case.route, reverse(case.route, args=case.args(world)) + case.query)
        for case in CASES
        if case.method == "GET" and case.route not in NEEDS_NONE
    }
    found = {}
    for route, address in sorted(addresses):
        cookies = (annotator if route.startswith("annotation:") else owner).cookies
        client = Client(raise_request_exception=False)
        client.cookies = cookies
        with connection.execute_wrapper(away):
            answer = client.get(address)
        found[route] = (answer.status_code, bool(answer.headers.get("Retry-After")))
    wrong = {route: said for route, said in found.items() if said != (503, True)}
    assert not wrong
    assert {"curation:pool", "flows:flow", "feedback:loop", "api:get_flow"} <= set(found)
