"""SITE_URL: one address for every link that is printed, and each of them works."""

import os
import re
import subprocess
import sys

import pytest
import requests
from django.core.management import call_command

from evalplatform.annotation.services import open_campaign
from evalplatform.core import processes
from evalplatform.core.site import forget_running_site, note_running_site, site_link, site_url
from tests import factories, live


@pytest.fixture
def var(tmp_path, settings):
    settings.VAR_DIR = tmp_path
    return tmp_path


def run_eval(campaign):
    call_command("run_eval", resume=campaign.slug)


def test_without_anything_the_site_is_where_services_start_puts_it(var):
    assert site_url() == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8123"), ("0.0.0.0", "http://127.0.0.1:8123"),
     ("10.1.2.3", "http://10.1.2.3:8123"), ("::", "http://[::1]:8123")],
)  # fmt: skip
def test_where_the_site_runs_is_remembered_until_it_is_stopped(var, host, address, monkeypatch):
    note_running_site(host, 8123)
    assert site_url() == address
    monkeypatch.setattr(processes.settings, "EMBEDDED_POSTGRES_DIR", None)
    processes.stop_all()
    assert site_url() == "http://127.0.0.1:8000"


def test_the_setting_goes_before_where_it_runs(var, settings, rf):
    note_running_site("127.0.0.1", 8123)
    settings.SITE_URL = "https://eval.example.org"
    assert site_link("/plan/") == "https://eval.example.org/plan/"
    assert site_link("/plan/", rf.get("/")) == "https://eval.example.org/plan/"


def test_a_page_names_the_address_it_was_asked_at_unless_the_setting_says_another(
    client, rania, campaign, settings
):
    client.force_login(rania)
    page = f"/campaigns/{campaign.slug}/"
    settings.ALLOWED_HOSTS = ["lab.example.org"]
    shown = client.get(page, headers={"host": "lab.example.org"}).content.decode()
    assert f"http://lab.example.org/annotate/{campaign.invitation}/" in shown
    settings.SITE_URL = "https://eval.example.org"
    shown = client.get(page, headers={"host": "lab.example.org"}).content.decode()
    assert f"https://eval.example.org/annotate/{campaign.invitation}/" in shown
    assert "lab.example.org/annotate" not in shown


@pytest.mark.django_db(transaction=True)
def test_printed_links_lead_to_the_site_on_whatever_port_it_runs(capsys, monkeypatch):
    """The site is started as `services start --port` does it; then the link is followed."""
    draft = factories.make_draft(prompts=1, k=2, criteria=["visual_appeal"])
    open_campaign(campaign=draft)
    for name, value in live.environment().items():
        monkeypatch.setenv(name, value)
    processes.start_web("127.0.0.1", live.free_port())
    try:
        run_eval(draft)
        (link,) = re.findall(r"annotators: (\S+)", capsys.readouterr().out)
        assert "127.0.0.1:8000" not in link
        answer = requests.get(link, timeout=20)
        assert (answer.status_code, draft.invitation in answer.url) == (200, True)
        call_command("simulate_annotators", draft.slug, annotators=2)
        assert "every item has its votes" in capsys.readouterr().out
    finally:
        processes.web("", 0).stop()
        forget_running_site()


def ask_settings(**variables):
    code = "from django.conf import settings; print(settings.SITE_URL, *settings.ALLOWED_HOSTS)"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables | {"DJANGO_SETTINGS_MODULE": "evalplatform.settings"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_sites_own_host_is_allowed():
    told = ask_settings(SITE_URL="https://eval.example.org:8443/", ALLOWED_HOSTS="10.0.0.1")
    assert told.stdout.split() == ["https://eval.example.org:8443", "10.0.0.1", "eval.example.org"]


@pytest.mark.parametrize(
    "address", ["eval.example.org", "ftp://x", "https://", "https://x/sub", "https://a b"]
)
def test_an_address_that_is_none_is_refused(address):
    told = ask_settings(SITE_URL=address)
    assert told.returncode
    assert "is no address of a site; give scheme and host" in told.stderr
