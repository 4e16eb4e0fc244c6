"""The client that is checked in is the one that the schema gives, and holds strict types."""

import contextlib
import http.client
import io
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from evalplatform.api.client_code import client_code
from evalplatform.api.management.commands.write_api_client import TARGET, formatted
from evalplatform.api.openapi import schema

FOLDER = Path(settings.BASE_DIR) / "clients/python"


def test_the_client_is_what_the_schema_gives():
    written = (Path(settings.BASE_DIR) / TARGET).read_text()
    assert written == formatted(client_code(schema())), "run `manage.py write_api_client`"


def test_the_client_is_typed(tmp_path):
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\n")
    use = tmp_path / "use.py"
    use.write_text(
        "from evalplatform_client import Client\n"
        "client = Client('https://x.example', 'evp_x')\n"
        "names: list[str] = [each['name'] for each in client.each(client.list_checkpoints)]\n"
        "client.create_campaign({'choices': {'preset': 'default', 'seed': 'x'}})\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", tmp_path / "mypy.ini", use]
    done = subprocess.run(
        [*command, "evalplatform_client"], cwd=FOLDER, capture_output=True, text=True,
        env={"MYPYPATH": str(FOLDER), "PATH": "/usr/bin"},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if "error" in line]
    assert len(lines) == 2, done.stdout  # the seed is no number, and what sums it up
    assert 'incompatible type "str"' in lines[0] or '"seed"' in lines[0]


def test_a_list_is_asked_for_by_one_value_each(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    from evalplatform_client import Client

    asked = []
    monkeypatch.setattr(Client, "_sent", lambda self, method, address, *_: asked.append(address))
    client = Client("https://x.example", "evp_x")
    with contextlib.suppress(AttributeError, TypeError):  # nothing is answered
        client.get_board("one", without=["second", "a third"])
    assert asked[0].partition("?")[2] == "without=second&without=a+third"


def test_what_a_person_pastes_is_taken_or_refused_in_words(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    from evalplatform_client import Client

    client = Client(" https://x.example/ ", "evp_x\n")
    assert (client.site, client._token) == ("https://x.example", "evp_x")
    with pytest.raises(ValueError, match=r"'x\.example:8000' is no address; give https://HOST"):
        Client("x.example:8000", "evp_x")
    with pytest.raises(ValueError, match="copy it whole") as refused:
        Client("https://x.example", "evp_a\nevp_b")
    assert "evp_a" not in str(refused.value)


def test_what_is_made_as_it_is_sent_is_there_once_it_is_whole(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)
    from evalplatform_client import Client

    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise http.client.IncompleteRead(b"")

    client, to = Client("https://x.example", "evp_x"), tmp_path / "needles.tar"
    monkeypatch.setattr(Client, "_sent", lambda *_: Broken())
    with pytest.raises(http.client.IncompleteRead):
        client.export_pool_data("needles", to)
    assert not list(tmp_path.iterdir())
    asked = []

    def send(self, method, address, *_):
        asked.append(address)
        return io.BytesIO(b"all of it")

    monkeypatch.setattr(Client, "_sent", send)
    assert client.export_pool_data("needles", to, allow_unknown_licence=True) == to
    assert to.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [to]
    assert asked[0].endswith("/pools/needles/export?allow_unknown_licence=True")
    client.get_gold_sheet("tuned-vs-plain", tmp_path / "gold.html")
    assert asked[1].endswith("/campaigns/tuned-vs-plain/gold/sheet")


def test_what_must_be_asked_for_has_no_default():
    code = client_code(schema())
    assert "def compare_campaigns(self, *, first: str, second: str)" in code


def test_the_schema_is_openapi_3_1_with_a_scope_for_each_operation():
    told = schema()
    assert told["openapi"].startswith("3.1")
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            assert operation["security"][0]["token"] == [operation["x-scope"]], (path, method)
            assert "default" in operation["responses"]


@pytest.mark.django_db
def test_the_reference_shows_every_operation_without_another_host(client):
    page = client.get("/api/v1/reference")
    text = page.content.decode()
    for operations in schema()["paths"].values():
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in text
    assert "https://" not in text.replace('xmlns="http', "")
    assert "script-src" not in page["Content-Security-Policy"]
