"""The settings that docs/production.md gives are what Django's deployment check asks for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.finders import get_finder

from evalplatform.core import static_files
from evalplatform.core.checks import static_files_are_collected
from tests import live

PRODUCTION = Path(settings.BASE_DIR) / "docs/production.md"


def documented_settings(key_file: Path) -> dict[str, str]:
    """Read the settings of the documentation, with a key's file that is there."""
    block = re.search(r"```sh\n(.*?)```", PRODUCTION.read_text(), re.DOTALL)[1]
    found = dict(line.split("=", 1) for line in block.splitlines())
    assert found["HTTPS"] == "1"
    return found | {"SECRET_KEY_FILE": str(key_file)}


def check_deploy(variables: dict[str, str]) -> subprocess.CompletedProcess:
    # The browser tests set it for themselves.
    kept = {key: each for key, each in os.environ.items() if key != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=settings.BASE_DIR,
        env=kept | {"EVALPLATFORM_VAR": str(settings.VAR_DIR)} | variables,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def documented(tmp_path):
    live.collect_static_files()
    (tmp_path / "key").write_text("k3y" * 7 + "abcdefghijklmnopqrstuvwxyz0123456789")
    return documented_settings(tmp_path / "key")


def test_documented_settings_pass_the_deployment_check(documented):
    result = check_deploy(documented)
    assert (result.returncode, result.stdout + result.stderr) == (
        0,
        "System check identified no issues (2 silenced).\n",
    )


def test_deployment_check_speaks_up_without_them(documented):
    result = check_deploy(documented | {"HTTPS": "0", "DEBUG": "1"})
    assert result.returncode == 1
    for code in ("W004", "W008", "W012", "W016", "W018"):
        assert f"security.{code}" in result.stderr


def test_static_files_not_collected_or_old_are_told(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a { color: red }")
    settings.STATICFILES_DIRS = [source]
    get_finder.cache_clear()
    settings.STORAGES = dict(settings.STORAGES)  # so that Django makes its storages anew

    def told():
        return [each.id for each in static_files_are_collected(None)]

    assert told() == ["evalplatform.W001"]
    static_files.collect()
    assert told() == []
    os.utime(source / "a.css", (2**32, 2**32))
    assert told() == ["evalplatform.W001"]
    os.utime(source / "a.css", (0, 0))
    (source / "b.css").write_text("b { color: red }")
    os.utime(source / "b.css", (0, 0))
    assert told() == ["evalplatform.W001"]
    get_finder.cache_clear()


def test_plain_http_is_sent_to_https_but_health_and_metrics_are_answered(settings, client, db):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.METRICS_TOKEN = "token"
    assert client.get("/plan/").status_code == 301
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer token"}).status_code == 200
    answer = client.get("/accounts/sign-in/", headers={"X-Forwarded-Proto": "https"})
    assert answer["Strict-Transport-Security"] == "max-age=3600"


def test_what_nginx_reads_lies_in_a_folder_it_may_enter(tmp_path):
    """The settings make it, before anything that closes the folders it makes."""
    code = "import django; django.setup()"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=live.environment(EVALPLATFORM_VAR=str(tmp_path / "var"), SECRET_KEY="x" * 60),
        check=True,
    )
    assert (tmp_path / "var").stat().st_mode & 0o005 == 0o005
