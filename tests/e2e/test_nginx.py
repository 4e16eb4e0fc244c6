"""deploy/nginx.conf in front of a real gunicorn, as visitors meet it."""

import os
import shutil

import pytest
import requests
from django.urls import reverse
from requests.adapters import HTTPAdapter

from evalplatform.checkpoints.models import Checkpoint
from tests import live
from tests.e2e import archives
from tests.e2e.proxy import nginx

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not shutil.which("nginx") or os.geteuid() != 0,
        reason="nginx is not installed, or not root (its folders need that): apt-get install nginx",
    ),
]
SETTINGS = {
    "HTTPS": "1", "IMAGE_ACCEL_PREFIX": "/protected/", "METRICS_TOKEN": "a-token",
    "ENROLMENTS_PER_ADDRESS": "2",
}  # fmt: skip


@pytest.fixture(scope="module")
def secure_site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), live.site(**SETTINGS) as address:
        yield address


@pytest.fixture(scope="module")
def proxy(secure_site, tmp_path_factory):
    with nginx(secure_site, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture
def visitor(browser):
    """A page that takes the proxy's certificate, and whose faults fail the test."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_default_timeout(15_000)
    yield page
    context.close()
    assert not faults


def open_registry(page, proxy):
    page.goto(f"{proxy.https}/models/")
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", "a long password")
    page.click("[type=submit]")
    page.wait_for_url("**/models/")


def test_configuration_is_accepted_without_a_warning(proxy):
    assert "test is successful" in proxy.checked
    assert "[warn]" not in proxy.checked


def test_checkpoint_is_uploaded_in_the_browser_to_the_end(visitor, proxy, rania, tmp_path):
    open_registry(visitor, proxy)
    with live.worker():
        visitor.set_input_files("#upload-file", archives.of_pipeline(tmp_path / "large-one.zip"))
        visitor.click("#upload [type=submit]")
        visitor.wait_for_url("**/models/large-one/", timeout=90_000)
    assert Checkpoint.objects.get().name == "large-one"


def test_proxy_that_refuses_parts_is_named_with_the_setting(
    visitor, secure_site, rania, tmp_path
):  # fmt: skip
    stingy = "client_max_body_size 0; -> client_max_body_size 1m;"
    with nginx(secure_site, tmp_path, limit=stingy) as proxy:
        open_registry(visitor, proxy)
        visitor.set_input_files("#upload-file", archives.of_pipeline(tmp_path / "large-one.zip"))
        visitor.click("#upload [type=submit]")
        visitor.wait_for_selector("[data-bad]")
        assert "client_max_body_size" in visitor.inner_text("[data-message]")


def test_annotator_judges_through_the_proxy(visitor, proxy, campaign):
    static = []
    visitor.on("response", lambda each: static.append(each) if "/static/" in each.url else None)
    visitor.goto(proxy.https + reverse("annotation:work", args=[campaign.invitation]))
    visitor.get_by_role("button", name="I agree, start").click()
    visitor.wait_for_selector("main[data-ready]")
    before = visitor.locator("[data-work] input[name=assignment]").input_value()
    visitor.keyboard.press("ArrowLeft")
    visitor.wait_for_function(
        "before => document.querySelector('[name=assignment]').value !== before", arg=before
    )
    visitor.wait_for_selector("[data-status]:text('Saved')")
    assert len(static) >= 8
    for answer in static:
        assert answer.header_value("cache-control") == "max-age=315360000, public, immutable"
        large = int(answer.header_value("content-length") or 0) > 1500
        assert answer.header_value("content-encoding") == "gzip" or not large
    cookies = visitor.context.cookies()
    assert cookies
    assert all(each["secure"] for each in cookies)


@pytest.fixture
def annotator(proxy, campaign):
    """An annotator's session and the address of one of the images held."""
    address = proxy.https + reverse("annotation:work", args=[campaign.invitation])
    session = proxy.session()
    session.get(address)
    token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    session.post(address + "begin/", data=token, headers={"Referer": address})
    return session, proxy.https + session.get(address + "next/").json()["sets"][0]["images"][0]


def test_visitors_are_limited_by_their_own_address_whatever_they_claim(proxy, campaign):
    address = proxy.https + reverse("annotation:work", args=[campaign.invitation])

    def begin(source: str, claimed: str) -> int:
        session = proxy.session()
        session.headers["X-Forwarded-For"] = claimed
        session.mount("https://", SourceAddressAdapter(source))
        session.get(address)
        token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        headers = {"Referer": address}
        answer = session.post(
            address + "begin/", data=token, headers=headers, allow_redirects=False
        )
        return answer.status_code

    codes = [begin("127.0.0.2", f"198.51.100.{number}") for number in range(3)]
    assert codes == [302, 302, 429]
    assert begin("127.0.0.3", "127.0.0.2") == 302  # somebody else at the same proxy


class SourceAddressAdapter(HTTPAdapter):
    """Sends requests from one of this machine's addresses."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *args, **options) -> None:
        super().init_poolmanager(*args, source_address=(self._source, 0), **options)


def test_image_is_sent_by_nginx_and_its_name_never_leaves(annotator, proxy, campaign):
    session, address = annotator
    image = session.get(address)
    assert image.content.startswith(b"\x89PNG")
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Cache-Control"] == "private, max-age=3600, immutable"
    assert not {"X-Accel-Redirect", "ETag", "Last-Modified"} & set(image.headers)
    assert proxy.session().get(address).status_code == 404
    name = campaign.items.main().first().image_set.files[0]
    assert session.get(f"{proxy.https}/protected/{name}").status_code == 404


def test_what_is_inside_stays_inside(proxy, secure_site):
    token = {"Authorization": "Bearer a-token"}
    assert requests.get(f"{secure_site}/metrics", headers=token, timeout=5).status_code == 200
    for path in ("/metrics", "/protected/", "/away.html"):
        assert proxy.session().get(proxy.https + path, headers=token).status_code == 404, path
    with pytest.raises(requests.ConnectionError, match="without response"):
        proxy.session().get(proxy.https, headers={"Host": "another.example.org"})


def test_plain_http_is_sent_to_https(proxy):
    answer = requests.get(f"{proxy.http}/plan/?a=1", timeout=5, allow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://localhost/plan/?a=1"


def test_log_leaves_out_what_stands_in_the_query_and_which_machine_asked(proxy):
    proxy.session().get(f"{proxy.https}/accounts/password/new/1-secret/?key=secret")
    proxy.session().get(f"{proxy.https}/healthz?key=secret")
    log = proxy.log_with("GET /healthz 200 ")
    assert "GET /accounts/password/new/... 200 " in log
    assert "secret" not in log
    assert log.startswith("127.0.0.0 [")


def test_platform_that_is_away_is_explained_and_to_be_tried_again(tmp_path):
    with nginx(f"http://127.0.0.1:{live.free_port()}", tmp_path) as proxy:
        answer = proxy.session().post(f"{proxy.https}/annotate/abc/vote/?key=secret")
        proxy.log_with("POST /annotate/abc/vote/ 503 ")
        assert "secret" not in (proxy.folder / "error.log").read_text()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Back in a moment" in answer.text
