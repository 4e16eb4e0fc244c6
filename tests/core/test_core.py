"""Environment readers, secrets, whole files, health and the background services."""

import http.server
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from evalplatform import env
from evalplatform.api.refusals import answer_to
from evalplatform.core import processes
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.secrets import local_secret_key
from evalplatform.core.storable_json import storable_text
from evalplatform.images.selectors import collection_named


def test_odd_yes_or_no_is_refused(monkeypatch):
    monkeypatch.setenv("FLAG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="use 1 or 0"):
        env.flag("FLAG")


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("yes", True), ("off", False)])
def test_yes_and_no_are_read(monkeypatch, value, expected):
    monkeypatch.setenv("FLAG", value)
    assert env.flag("FLAG") is expected


@pytest.mark.parametrize("value", ["many", "0", "11", "1.5"])
def test_number_out_of_range_is_refused(monkeypatch, value):
    monkeypatch.setenv("NUMBER", value)
    with pytest.raises(ImproperlyConfigured, match="from 1 to 10"):
        env.integer("NUMBER", 5, minimum=1, maximum=10)


def test_secret_is_read_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "secret"))
    assert env.text("TOKEN") == "hush"
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env.text("TOKEN")


def test_database_other_than_postgresql_is_refused():
    code = "import django; django.setup()"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ
        | {"DATABASE_URL": "sqlite:///x.db", "DJANGO_SETTINGS_MODULE": "evalplatform.settings"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert "must name a PostgreSQL server" in result.stderr


def test_local_secret_key_is_made_once_and_private(tmp_path):
    path = tmp_path / "var" / "secret_key"
    key = local_secret_key(path)
    assert len(key) > 40
    assert local_secret_key(path) == key
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


def test_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_whole(path, "old")

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_is_one_line_and_status_2(monkeypatch, db):
    def full_disk(**options):
        raise OSError(28, "No space left on device", "/data/prompts.tsv")

    command = "evalplatform.promptsets.management.commands.import_prompts.import_prompt_set"
    monkeypatch.setattr(command, full_disk)
    with pytest.raises(CommandError, match="free disk space") as raised:
        call_command("import_prompts", "mine", "file.tsv")
    assert raised.value.returncode == 2


def test_interrupt_is_one_line_and_status_130(monkeypatch, db):
    def interrupt(**options):
        raise KeyboardInterrupt

    command = "evalplatform.promptsets.management.commands.import_prompts.import_prompt_set"
    monkeypatch.setattr(command, interrupt)
    with pytest.raises(CommandError, match="run the same command again") as raised:
        call_command("import_prompts", "mine", "file.tsv")
    assert raised.value.returncode == 130


def test_health_is_ok_with_a_database(client, db):
    assert client.get("/healthz").json() == {"database": "ok"}


def test_port_in_use_is_refused_with_advice(transactional_db):
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    with server, pytest.raises(CommandError, match="choose another") as raised:
        call_command("demo", "--port", str(server.server_port))
    assert raised.value.returncode == 2


def test_port_out_of_range_is_refused():
    with pytest.raises(CommandError, match="accepted: 1 to 65535"):
        call_command("demo", "--port", "99999")


def test_unknown_service_is_refused():
    with pytest.raises(CommandError, match="there are postgres, web, worker"):
        call_command("services", "start", "mail")


def test_background_process_starts_once_and_stops(tmp_path, settings):
    settings.VAR_DIR = tmp_path
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = processes.BackgroundProcess("sleeper", command)
    process.start()
    first = process.process()
    process.start()
    assert process.process() == first
    assert process.stop() is True
    assert process.process() is None
    assert process.stop() is False


def test_recycled_process_id_is_not_taken_for_ours(tmp_path, settings):
    settings.VAR_DIR = tmp_path
    process = processes.BackgroundProcess("other", [])
    process.pid_file.parent.mkdir(parents=True)
    process.pid_file.write_text(f"{os.getpid()} 1.00")
    assert process.process() is None


def test_services_run_the_site_and_stop(tmp_path, settings, transactional_db):
    """The real thing: gunicorn comes up on the test database, answers, and goes."""
    from tests import live

    settings.VAR_DIR = tmp_path
    port = live.free_port()
    original = dict(os.environ)
    os.environ.update(live.environment())
    try:
        assert processes.start_web("127.0.0.1", port) == f"http://127.0.0.1:{port}"
        assert processes.web("", 0).stop() is True
    finally:
        os.environ.clear()
        os.environ.update(original)
    assert (Path(tmp_path) / "log" / "web.log").exists()


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"BROKER_URL": "kafka://host"}, "BROKER_URL must name RabbitMQ"),
        ({"QUEUE_PREFIX": "a b"}, "up to 30 letters"),
        ({"QUEUE_PREFIX": "a" * 31}, "up to 30 letters"),
    ],
)
def test_odd_broker_settings_are_refused(variables, says):
    result = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env=os.environ | variables | {"DJANGO_SETTINGS_MODULE": "evalplatform.settings"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert says in result.stderr


@pytest.mark.django_db(transaction=True)
def test_broker_that_is_away_is_one_line_and_status_2():
    """The whole command, as a person runs it: the message leaves when its transaction commits."""
    from tests import factories, live

    for name in ("one", "two"):
        factories.make_checkpoint(name)
    factories.make_prompt_set("things", 1)
    result = subprocess.run(
        [sys.executable, "manage.py", "run_eval", "one", "two", "--prompts=things"],
        env=live.environment(BROKER_URL="amqp://guest:guest@127.0.0.1:9//"),
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "the broker cannot be reached" in result.stderr
    assert "check BROKER_URL" in result.stderr
    assert "Traceback" not in result.stderr


def test_only_a_command_says_what_only_a_command_can_do(db):
    with pytest.raises(BadInputError) as refused:
        collection_named("away")
    assert refused.value.by_command == "`manage.py import_images` does it."
    said = answer_to(refused.value).content.decode()
    assert "Import one first." in said
    assert "manage.py" not in said
    with pytest.raises(CommandError, match=r"first\. `manage\.py import_images` does it\."):
        call_command("retire_collection", "away")


def test_text_is_stored_whatever_letters_it_has():
    assert storable_text("a\0b\udcff\n") == "a?b?\n"


def test_process_hands_over_what_a_command_adds():
    error = BadInputError("too much", by_command="--few takes less.")
    assert pickle.loads(pickle.dumps(error)).for_command() == "too much --few takes less."
