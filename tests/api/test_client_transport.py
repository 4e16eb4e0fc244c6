"""The Python client over a network that breaks: what it tries again, and what it says."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class Site(ThreadingHTTPServer):
    """Answers by a script: each answer is (status, headers, body); None breaks off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list = []
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.keys: list[str | None] = []
        self.lasts = 0.0  # seconds that an answer's connection stays open, but for the last one

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass

    def answer(self) -> None:
        site = self.server
        site.asked.append((self.command, self.path))
        site.keys.append(self.headers.get("Idempotency-Key"))
        site.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        found = site.answers.pop(0)
        if found is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status, headers, body = found
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True
        if site.answers:
            time.sleep(site.lasts)

    def __getattr__(self, name: str):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)


@pytest.fixture
def package(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(settings.BASE_DIR) / "clients/python"))
    import evalplatform_client
    from evalplatform_client import _transport

    evalplatform_client.slept = []
    waits = SimpleNamespace(sleep=evalplatform_client.slept.append, monotonic=time.monotonic)
    monkeypatch.setattr(_transport, "time", waits)
    return evalplatform_client


@pytest.fixture
def site():
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(package, site):
    return package.Client(site.address, "evp_x", timeout=5)


def test_site_that_is_away_is_named_with_what_to_do(package):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = package.Client(address, "evp_x")
    for ask in (client.get_me, lambda: client.close_campaign("one")):
        with pytest.raises(package.UnreachableError, match="cannot be reached") as refused:
            ask()
        assert address in str(refused.value)
        assert isinstance(refused.value, OSError)
    assert package.slept == [1, 2, 4] * 2  # what was not sent at all may be sent again


def test_what_may_have_been_done_is_not_sent_again_and_says_so(package, site, client):
    site.answers = [None]
    with pytest.raises(package.UnreachableError, match="may have been done: look before"):
        client.close_campaign("one")
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [None, (200, JSON | {"Content-Length": "99"}, b'{"half'), (502, {}, b""), (503, {}, b"")],
)
def test_reading_goes_on_after_a_break_wherever_it_comes(site, client, fault):
    site.answers = [fault, (200, JSON, b'{"username": "rania"}')]
    assert client.get_me() == {"username": "rania"}


def test_answer_that_takes_too_long_is_asked_for_again(package, site):
    client = package.Client(site.address, "evp_x", timeout=0.2)
    site.answers = [(200, JSON | {"Content-Length": "9"}, b"{"), (200, JSON, b"{}")]
    site.lasts = 0.5
    assert client.get_me() == {}


def test_request_whose_first_try_still_runs_is_waited_for(site, client):
    running = b'{"code": "idempotency-running", "detail": "ask again"}'
    site.answers = [
        None,
        (409, JSON | {"Retry-After": "1"}, running),
        (201, JSON, b'{"slug": "a"}'),
    ]
    assert client.create_campaign({"choices": {}}) == {"slug": "a"}
    assert len(set(site.keys)) == 1


def test_wait_that_a_proxy_gives_as_a_date_is_no_fault(package, site, client):
    until = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    site.answers = [(503, until, b""), (200, JSON, b"{}")]
    assert client.get_me() == {}
    assert package.slept == [1]


def test_redirect_is_refused_so_that_no_post_becomes_a_get(package, site, client):
    site.answers = [(301, {"Location": "https://eval.example/api/v1/campaigns"}, b"")]
    with pytest.raises(package.ApiError, match=r"leads on to https://eval\.example") as refused:
        client.create_campaign({"choices": {}})
    assert (refused.value.status, refused.value.code) == (301, "redirected")
    assert site.asked == [("POST", "/api/v1/campaigns")]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_name_that_leads_elsewhere_is_refused(site, client, name):
    with pytest.raises(ValueError, match="names nothing"):
        client.get_campaign(name)
    assert site.asked == []


def test_what_is_no_api_is_said_so(package, site, client):
    site.answers = [(200, {"Content-Type": "text/html"}, b"<h1>Welcome to the hotel</h1>")]
    with pytest.raises(package.ApiError, match="is no JSON; is http"):
        client.get_me()


def test_refusal_of_an_upload_has_a_code(package, site, client, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"x")
    site.answers = [(400, TEXT, b"a file is named badly")]
    with pytest.raises(package.ApiError, match="a file is named badly") as refused:
        client.send_file(tmp_path / "model.zip")
    assert refused.value.code == "refused"


def arrived(offset: int):
    return 200, {"Upload-Offset": str(offset)}, b""


def test_upload_goes_on_where_the_connection_broke(site, client, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"0123456789")
    site.answers = [
        (201, {"Location": "/uploads/files/7/"}, b""),
        arrived(0), None, arrived(4), (423, TEXT, b"busy"), arrived(4),
        (204, {"Upload-Offset": "10"}, b""), arrived(10),
    ]  # fmt: skip
    assert client.send_file(tmp_path / "model.zip") == "7"
    parts = [body for (method, _), body in zip(site.asked, site.bodies, strict=True)
             if method == "PATCH"]  # fmt: skip
    assert parts == [b"0123456789", b"456789", b"456789"]


def test_upload_of_which_nothing_arrives_is_given_up(package, site, client, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"0123456789")
    site.answers = [(201, {"Location": "/uploads/files/7/"}, b"")] + [arrived(0), None] * 20
    with pytest.raises(package.UnreachableError):
        client.send_file(tmp_path / "model.zip")
    assert 0 < len(site.answers) < 30


def test_export_that_always_breaks_off_at_one_place_is_given_up(package, site, client, tmp_path):
    head = {"ETag": '"x"', "Content-Length": "10"}
    site.answers = [(200, head, b"012")] + [(206, {"Content-Length": "7"}, b"")] * 20
    with pytest.raises(package.UnreachableError, match="breaks off at 3 of 10 bytes"):
        client.download_export("one", 1, tmp_path / "votes.zip")
    assert not (tmp_path / "votes.zip").exists()
