"""What `manage.py` says before, or instead of, a command: one line and status 2."""

import os
import subprocess
import sys

import pytest
from django.db import OperationalError, ProgrammingError

from evalplatform import command_line
from evalplatform.core.checks import links_begin_with_https


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "mysql://eval@127.0.0.1/eval", "DATABASE_URL must name a PostgreSQL"),
        (
            "DATABASE_URL",
            "postgresql://eval:a/b@127.0.0.1/e",
            "DATABASE_URL must name a Post",
        ),
        ("DATABASE_URL", "127.0.0.1/eval", "DATABASE_URL must name a PostgreSQL server"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL='LOUD' is none of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
    ],
)
def test_setting_that_is_wrong_is_one_line(tmp_path, name, value, said):
    environment = {**os.environ, "EVALPLATFORM_VAR": str(tmp_path), name: value}
    environment["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    ran = subprocess.run(
        [sys.executable, "manage.py", "migrate"], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith(said)
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "program",
    [
        ["gunicorn", "evalplatform.wsgi:application", "--workers=2", "--bind=127.0.0.1:0"],
        ["celery", "-A", "evalplatform.celery", "worker", "--pool=solo"],
    ],
)
def test_setting_that_is_wrong_ends_the_programs_of_others_with_one_line(tmp_path, program):
    environment = {**os.environ, "EVALPLATFORM_VAR": str(tmp_path), "SITE_URL": "eval.example.org"}
    environment["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    ran = subprocess.run(
        [sys.executable, "-m", *program], capture_output=True, text=True, env=environment,
        timeout=60,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.startswith("SITE_URL='eval.example.org' is no address of a site")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("is_https", "site", "warns"),
    [
        (True, "http://eval.example.org", True),
        (True, "https://eval.example.org", False),
        (True, "", False),
        (False, "http://eval.example.org", False),
    ],
)
def test_check_warns_of_links_in_plain_text_behind_https(settings, is_https, site, warns):
    settings.HTTPS, settings.SITE_URL = is_https, site
    found = links_begin_with_https(None)
    assert bool(found) is warns
    if warns:
        assert found[0].hint == "give SITE_URL=https://eval.example.org"


def ended(monkeypatch, capsys, error):
    """Return how a command of Django's ends that meets `error`: status, what was printed."""

    def meets():
        raise error

    monkeypatch.setattr(command_line, "_run", meets)
    monkeypatch.setattr(command_line, "begin_loading", lambda: None)
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    return caught.value.code, capsys.readouterr().err


def test_database_that_djangos_own_command_cannot_reach_is_one_line(monkeypatch, capsys):
    refused = OperationalError('connection failed: FATAL:  role "nobody" does not exist\nmore')
    status, said = ended(monkeypatch, capsys, refused)
    assert status == 2
    assert said == (
        'the database refuses this user (connection failed: FATAL:  role "nobody" does not exist); '
        "check user and password of DATABASE_URL.\n"
    )


def test_fault_of_a_statement_keeps_its_traceback(monkeypatch, capsys):
    with pytest.raises(ProgrammingError):
        ended(monkeypatch, capsys, ProgrammingError("syntax error"))
