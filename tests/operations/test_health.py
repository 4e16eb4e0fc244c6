"""What an installation says of its own health: to strangers, to operators, in a terminal."""

import io
import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from amqp.exceptions import AccessRefused
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.curation.services.scoring import (
    ScoringPlan,
    pause_scoring,
    request_scoring,
    resume_scoring,
)
from evalplatform.generation.models import SamplerSettings
from evalplatform.generation.services import enqueue_samples
from evalplatform.images.models import ImageImport
from evalplatform.operations import health
from evalplatform.operations.readiness import LATEST
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _looked_at_anew():
    LATEST.forget()
    yield
    LATEST.forget()


def states() -> dict[str, str]:
    return {part.name: part.state.value for part in health.look_at_all()}


def run(*options: str) -> tuple[str, int]:
    said = io.StringIO()
    try:
        call_command("health", *options, stdout=said)
    except SystemExit as end:
        return said.getvalue(), int(end.code)
    return said.getvalue(), 0


@pytest.fixture
def database_is_away(monkeypatch):
    @contextmanager
    def cursor():
        raise OperationalError("connection refused")
        yield

    monkeypatch.setattr(health.connection, "cursor", cursor)


def test_everything_works():
    assert states() == dict.fromkeys(
        ["database", "tables", "store", "broker", "workers", "disk"], "ok"
    )
    said, status = run()
    assert status == 0
    assert said.splitlines()[0].startswith("database  ok")
    assert "PostgreSQL" in said


def test_database_that_takes_no_changes_fails():
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    parts = health.look_at_all()
    assert (parts[0].state, parts[0].said) == ("failed", "the database takes no changes")
    assert not health.is_ready(parts)


def test_database_that_is_away_fails_and_says_what_to_do(database_is_away):
    said, status = run("--json")
    assert status == 1
    report = json.loads(said)
    assert report["ready"] is False
    first = report["parts"][0]
    assert (first["name"], first["state"]) == ("database", "failed")
    assert "services start postgres" in first["advice"]
    assert {each["name"] for each in report["parts"]} == {"database", "store", "broker", "disk"}
    broker = next(each for each in report["parts"] if each["name"] == "broker")
    # The embedded queue is not asked at all: it would try for half a minute.
    assert (broker["state"], broker["milliseconds"] < 1000) == ("failed", True)


def test_readyz_names_no_command(database_is_away, client, settings):
    """Whoever reads it may have no shell; the command says more."""
    settings.METRICS_TOKEN = "secret"
    answer = client.get("/readyz", headers={"Authorization": "Bearer secret"})
    first = answer.json()["parts"][0]
    assert (first["name"], first["advice"]) == ("database", "start it, or check DATABASE_URL.")
    assert "manage.py" not in answer.content.decode()
    assert "by_command" not in answer.content.decode()


def test_store_that_refuses_makes_the_site_not_ready(monkeypatch, client):
    def refuse(*args, **more):
        raise ObjectStorageError("the bucket eval-images refuses; check its key.")

    monkeypatch.setattr(health.default_storage, "save", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["store"] == "failed"
    assert "eval-images" not in answer.content.decode()


def test_store_whose_objects_come_back_changed_is_found(monkeypatch):
    monkeypatch.setattr(health.default_storage, "open", lambda name: io.BytesIO(b"old"))
    assert states()["store"] == "failed"


def test_broker_that_refuses_is_not_said_to_be_away(monkeypatch):
    def refuse(*args, **more):
        raise AccessRefused("ACCESS_REFUSED - Login was refused")

    monkeypatch.setattr(health.current_app, "connection_for_write", refuse)
    said, _ = run()
    assert "refuses the connection (AccessRefused)" in said
    assert "check user, password and virtual host" in said


def test_broker_that_is_away_leaves_the_site_ready(monkeypatch, client):
    """Annotators need none."""

    def refuse(*args, **more):
        raise ConnectionRefusedError("amqp://eval:PASSWORD@broker.internal")

    monkeypatch.setattr(health.current_app, "connection_for_write", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["parts"]["broker"] == "failed"
    said, status = run()
    assert status == 0
    assert "BROKER_URL" in said
    assert "PASSWORD" not in said


def test_tables_of_another_version_are_told(monkeypatch):
    monkeypatch.setattr(
        health.MigrationExecutor, "migration_plan", lambda self, targets: [("a", False)]
    )
    assert states()["tables"] == "failed"


def test_work_that_no_worker_takes_is_told():
    samples = factories.plan(
        factories.make_checkpoint("model"),
        SamplerSettings.objects.create(**factories.SETTINGS),
        factories.make_prompt_set(),
    )
    enqueue_samples(samples=samples, request=factories.make_request())
    assert states()["workers"] == "degraded"
    factories.make_worker("w")
    assert states()["workers"] == "ok"


def test_scoring_that_no_worker_takes_is_told(tmp_path):
    plan = ScoringPlan(scorers=["size"], out=tmp_path / "scores", data=tmp_path)
    request = request_scoring(project=default_project(), name="hay", plan=plan)
    [workers] = [part for part in health.look_at_all() if part.name == "workers"]
    assert workers.state.value == "degraded"
    assert workers.said.startswith("0 batches and 1 scoring jobs wait, and no worker")
    pause_scoring(request=request)
    assert states()["workers"] == "ok"
    resume_scoring(request=request)
    factories.make_worker("w")
    assert states()["workers"] == "ok"


def test_upload_that_no_worker_takes_is_told(rania):
    from evalplatform.checkpoints.models import Upload

    upload = Upload.objects.create(
        file_name="a.zip", size_bytes=1, checkpoint_name="a", status="verifying",
        project=default_project(),
    )  # fmt: skip
    assert states()["workers"] == "ok"
    Upload.objects.filter(pk=upload.pk).update(created_at=timezone.now() - timedelta(minutes=4))
    assert states()["workers"] == "degraded"


def test_import_that_no_worker_takes_is_told():
    now = timezone.now()
    begun = ImageImport.objects.create(
        project=default_project(), name="a", model="m", sent="a.zip", size_bytes=1, beaten_at=now,
        created_at=now,
    )  # fmt: skip
    assert states()["workers"] == "ok"
    ImageImport.objects.update(beaten_at=now - timedelta(minutes=4))
    assert states()["workers"] == "degraded"
    begun.state = "done"
    begun.save()
    assert states()["workers"] == "ok"


def test_import_that_waits_for_another_is_no_fault():
    now = timezone.now()
    told = {"project": default_project(), "model": "m", "sent": "a.zip", "size_bytes": 1}
    long_ago = now - timedelta(hours=1)
    ImageImport.objects.create(name="waits", created_at=long_ago, beaten_at=long_ago, **told)
    long = ImageImport.objects.create(
        name="long", created_at=long_ago, beaten_at=now, state="running", **told
    )
    [workers] = [part for part in health.look_at_all() if part.name == "workers"]
    assert (workers.state.value, "1 uploads" in workers.said) == ("ok", True)
    ImageImport.objects.filter(pk=long.pk).update(beaten_at=long_ago)
    assert states()["workers"] == "degraded"


def test_disk_that_fills_up_is_told(monkeypatch):
    monkeypatch.setattr(health, "_LITTLE_ROOM", 2**60)
    assert states()["disk"] == "degraded"


def test_strangers_hear_states_and_operators_why(client, settings, admin_user):
    stranger = client.get("/readyz").json()
    assert stranger["ready"] is True
    assert set(stranger["parts"].values()) == {"ok"}
    settings.METRICS_TOKEN = "secret"
    by_token = client.get("/readyz", headers={"Authorization": "Bearer secret"}).json()
    assert by_token["parts"][0]["said"].startswith("PostgreSQL")
    wrong = client.get("/readyz", headers={"Authorization": "Bearer other"}).json()
    assert wrong == stranger
    client.force_login(admin_user)
    assert client.get("/readyz").json()["parts"][0]["milliseconds"] >= 0


def test_no_token_set_means_that_no_token_opens_it(client):
    answer = client.get("/readyz", headers={"Authorization": "Bearer "}).json()
    assert answer["parts"]["database"] == "ok"


def test_readiness_is_looked_at_once_in_some_seconds(client, monkeypatch):
    looks = []
    monkeypatch.setattr(
        "evalplatform.operations.readiness.look_at_all", lambda: looks.append(1) or ["part"]
    )
    for _ in range(3):
        LATEST.parts()
    assert looks == [1]
