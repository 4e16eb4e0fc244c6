"""Whatever the schema allows, and much that it does not: no request ends in a fault of ours.

`make fuzz-api` tries 10,000; here it is a few hundred. Answers are held against the schema.
"""

import hashlib
import os
import socket
from collections import Counter

import pytest
import requests
import schemathesis
import urllib3
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from evalplatform.api.openapi import schema
from evalplatform.campaigns.models import Campaign
from evalplatform.curation.models import Stage
from evalplatform.reports.pooling import boards
from tests.flows.conftest import png
from tests.permissions import world as worlds

pytestmark = pytest.mark.django_db
WANTED = int(os.environ.get("API_CASES", "300"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip
# What a path may name so that a request gets further than 404.
KNOWN = {
    "project": ["ours-project", "empty"],
    "slug": ["ours-open", "ours-draft", "ours-invited", "ours-held"],
    "username": ["vera", "mona"],
    "pseudonym": ["ana"],
    "version": ["1"],
    "kind": Stage.Kind.values,
}
NAMES = {
    "checkpoints": ["baseline", "ours-retired"],
    "prompt-sets": ["ours-prompts"],
    "collections": ["ours-images", "ours-old-images"],
    "generation": ["ours-draft", "ours-paused"],
    "flows": ["ours-flow"],
    "pools": ["ours-pool"],
    "feedback-loops": ["ours-loop"],
    "scoring": ["ours-scoring"],
}


@pytest.fixture
def world(tmp_path, settings, monkeypatch):
    settings.CHECKPOINT_DIR = tmp_path
    settings.API_REQUESTS_PER_MINUTE = 0
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]
    monkeypatch.setattr("evalplatform.webhooks.posting.socket.getaddrinfo", lambda *a, **k: public)
    return worlds.build(tmp_path)


def operations():
    """Return every operation that speaks JSON, as schemathesis reads them."""
    told = dict(schema())
    told["paths"] = {path: each for path, each in told["paths"].items() if path.startswith("/api/")}
    return [each.ok() for each in schemathesis.openapi.from_dict(told).get_all_operations()]


def known(operation, name: str, world) -> list[str]:
    """Return values that this parameter of a path may have."""
    rows = world.rows
    if name == "number" and ("flows" in operation.path or "rounds" in operation.path):
        return ["1"]
    if name == "sha256":
        return [hashlib.sha256(png(1)).hexdigest()]
    if name == "number":
        row = rows["webhook"] if "webhooks" in operation.path else rows["api_draft"]
        return [str(row.pk)]
    if name == "identifier":
        if "uploads" in operation.path:
            return [str(rows["upload"].pk)]
        return [str(rows["export" if "exports" in operation.path else "job"].public_id)]
    if name == "key" and "boards" in operation.path:
        return [each.key for each in boards(Campaign.objects.all())]
    if name == "key":
        return [str(rows["log_build" if "log-builds" in operation.path else "image_import"].pk)]
    if name == "name":
        part = operation.path.split("/")[3]
        return [*NAMES[part], *([rows["checkpoint"].name] if part == "checkpoints" else [])]
    if name in ("message", "prefix"):
        return [rows["delivery"].message_id if name == "message" else rows["token"].prefix]
    return KNOWN[name]


def sent(case, secret: str) -> requests.Response:
    """Send a case to the site in this process, take back what it did, and return the answer."""
    told = case.as_transport_kwargs(base_url="http://testserver")
    told = {name: each for name, each in told.items() if name in (
        "method", "url", "headers", "params", "json", "data", "files", "cookies")}  # fmt: skip
    prepared = requests.Request(**told).prepare()
    headers = {name: str(value) for name, value in prepared.headers.items()}
    headers["Authorization"] = f"Bearer {secret}"
    kind = headers.pop("Content-Type", "application/json")
    body = prepared.body or b""
    with transaction.atomic():
        answer = Client(raise_request_exception=False).generic(
            prepared.method, prepared.path_url, body, content_type=kind, headers=headers
        )
        content = b"".join(answer) if answer.streaming else answer.content
        transaction.set_rollback(True)
    found = requests.Response()
    found.status_code, found._content, found.request = answer.status_code, content, prepared
    found.headers.update(dict(answer.items()))
    found.raw = urllib3.HTTPResponse(
        body=b"", headers=dict(answer.items()), status=answer.status_code, version=11
    )
    found.url = prepared.url
    return found


def test_no_request_ends_in_a_fault_of_ours(world, capsys):
    secrets = [world.secrets[who] for who in "or"]
    found = operations()
    each = max(1, WANTED // len(found))
    statuses: Counter[int] = Counter()

    def tries(operation):
        @given(data=st.data(), case=operation.as_strategy())
        @settings(
            max_examples=each, database=None, derandomize=True, deadline=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def one(data, case):
            for name in case.path_parameters or {}:
                if data.draw(st.integers(0, 3)):
                    case.path_parameters[name] = data.draw(
                        st.sampled_from(known(operation, name, world))
                    )
            secret = data.draw(st.sampled_from(secrets))
            world.untouched()
            answer = sent(case, secret)
            statuses[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        one()

    failed = []
    for operation in found:
        try:
            tries(operation)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed.append(f"{operation.method} {operation.path}: {error!s:.1500}")
    with capsys.disabled():
        number = statuses.total()
        print(f"\n{number:,} requests to {len(found)} operations: {sorted(statuses.items())}")
    assert not failed, f"{len(failed)} failed\n" + "\n\n".join(failed[:20])
    assert statuses[200] + statuses[201] + statuses[202] > number / 10
