"""What `manage.py` says before, or instead of, a command: one line and status 2."""

import os
import subprocess
import sys

import pytest
from django.db import OperationalError, ProgrammingError

from evalplatform import command_line


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
