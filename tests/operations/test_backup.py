"""The rehearsed restore: what an installation holds is saved, lost, brought back, and goes on."""

import io
import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, models
from django.utils import timezone
from psycopg import sql

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment, Vote
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.operations.backup import folder as folders
from evalplatform.operations.backup import postgres_tools
from evalplatform.operations.backup.restoring import restore
from evalplatform.operations.backup.saving import save
from evalplatform.operations.backup.store_listing import NAMED
from evalplatform.operations.backup.verifying import DamagedBackupError, verify
from evalplatform.reports.models import KeptResults
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def results_of(slug: str) -> dict:
    """results.json, computed anew; but for the moment that it was written."""
    KeptResults.objects.all().delete()
    said = io.StringIO()
    call_command("report", slug, "--format", "json", stdout=said)
    results = json.loads(said.getvalue())
    assert results.pop("made_at")
    return results


@pytest.fixture(autouse=True)
def own_store(tmp_path, settings):
    """A store of its own: a backup holds all of it, and in the common one lie thousands."""
    here = {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}}
    settings.STORAGES = settings.STORAGES | {"default": here}


@pytest.fixture
def site(own_store):
    """A campaign in the middle of its votes, whose checkpoints have files."""
    campaign = factories.make_draft(prompts=4)
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create(pseudonym=f"p{number}") for number in range(3)]
    factories.judge_everything(campaign, people, lambda each: factories.pick(each, 0))
    for arm in campaign.contenders:
        arm.checkpoint.directory.mkdir(parents=True, exist_ok=True)
        (arm.checkpoint.directory / "model.safetensors").write_bytes(arm.name.encode() * 1000)
    return campaign


@contextmanager
def another_database():
    """Point this process at an empty database of the same server, and back again."""
    name = connection.settings_dict["NAME"] + "_restored"
    admin = connection.get_connection_params() | {"autocommit": True}
    admin = {key: admin[key] for key in ("host", "port", "user", "password") if key in admin}

    def say(statement: str) -> None:
        with psycopg.connect(dbname="postgres", autocommit=True, **admin) as link:
            link.execute(sql.SQL(statement).format(sql.Identifier(name)))

    ours = connection.settings_dict["NAME"]
    say("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    say("CREATE DATABASE {}")
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = ours
        say("DROP DATABASE {} WITH (FORCE)")


def listed(folder: Path) -> set[folders.SavedFile]:
    return set(folders.read_files(folder))


def test_campaign_comes_back_to_the_last_digit_and_votes_go_on(site, bucket, tmp_path, settings):
    """From files into an empty database and an S3-compatible store."""
    before, votes = results_of(site.slug), Vote.objects.count()
    free = Assignment.objects.filter(annotator__isnull=True).count()
    manifest = save(folder=tmp_path / "saved", now=timezone.now(), with_secret=True)
    assert (manifest.rows["annotation.Vote"], manifest.missing_objects) == (votes, [])
    assert manifest.objects > 8
    assert verify(folder=tmp_path / "saved") == manifest
    assert (tmp_path / "saved").stat().st_mode & 0o077 == 0

    settings.STORAGES = settings.STORAGES | {"default": bucket.setting}
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"
    with another_database():
        restored = restore(folder=tmp_path / "saved", replace=False)
        assert restored.rows == manifest.rows
        assert results_of(site.slug) == before
        campaign = Campaign.objects.get(slug=site.slug)
        for arm in campaign.contenders:
            kept = (arm.checkpoint.directory / "model.safetensors").read_bytes()
            assert kept == arm.name.encode() * 1000
        # Leases go to who has not met an item, sequences go on, triggers hold.
        newcomer = Annotator.objects.create(pseudonym="newcomer")
        count = factories.judge_everything(campaign, [newcomer], lambda each: "tie")
        assert count == len({each.item_id for each in Assignment.objects.all()})
        assert Assignment.objects.filter(annotator__isnull=True).count() == free - count
        assert Vote.objects.count() == votes + count
        # And saved from there it is the same again, images and all.
        again = save(folder=tmp_path / "again", now=timezone.now(), with_secret=False)
        assert again.missing_objects == []
        assert listed(tmp_path / "again") == listed(tmp_path / "saved")
        with pytest.raises(BadInputError, match="holds data"):
            restore(folder=tmp_path / "saved", replace=False)
        assert restore(folder=tmp_path / "saved", replace=True).rows["annotation.Vote"] == votes
        assert Enrolment.objects.count() == 3
    assert results_of(site.slug) == before


def test_backup_in_use_damaged_or_cut_short(site, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "no-checkpoints"
    saved = tmp_path / "saved"
    first = save(folder=saved, now=timezone.now(), with_secret=False)
    assert not (saved / "secret_key").exists()

    # A second one copies what is new, and an interrupted one goes on.
    written = []
    default_storage.save("samples/new.png", ContentFile(b"new"))
    victim = next(each for each in sorted(listed(saved), key=str) if each.part == "objects")
    (saved / "objects" / victim.name).unlink()
    with (saved / "files.jsonl").open("a") as file:
        file.write('{"part": "obje')
    second = save(
        folder=saved, now=timezone.now(), with_secret=False, progress=written.append
    )  # fmt: skip
    assert sorted(written) == sorted([3, victim.bytes])
    assert second.objects == first.objects + 1
    assert [each.name for each in saved.glob("database-*")] == [second.database.name]
    default_storage.delete("samples/new.png")

    # Somebody is connected here: the pages' connection would meet half a database.
    with (
        psycopg.connect(postgres_tools.connection_arguments()[0].removeprefix("--dbname=")),
        pytest.raises(BadInputError, match="stop the site"),
    ):
        restore(folder=saved, replace=True)

    (saved / "objects" / victim.name).write_bytes(b"x" * victim.bytes)
    with pytest.raises(DamagedBackupError, match=victim.name):
        verify(folder=saved)
    votes = Vote.objects.count()
    with another_database(), pytest.raises(DamagedBackupError, match="earlier backup"):
        restore(folder=saved, replace=False)
    assert Vote.objects.count() == votes

    (saved / second.database.name).write_bytes(b"no dump")
    with pytest.raises(DamagedBackupError, match=r"database-.*\.dump"):
        verify(folder=saved)


def test_folders_that_are_no_backup_of_ours_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(BadInputError, match=r"thesis\.tex"):
        save(folder=tmp_path, now=timezone.now(), with_secret=True)
    with pytest.raises(BadInputError, match="no whole backup"):
        restore(folder=tmp_path, replace=True)
    with pytest.raises(BadInputError, match="leads out"):
        folders.refuse_outside(folders.SavedFile("objects", "../../etc/passwd", 1, "0"))
    manifest = save(folder=tmp_path / "saved", now=timezone.now(), with_secret=False)
    content = json.loads((tmp_path / "saved/backup.json").read_text())
    newer = content | {"migrations": [*manifest.migrations, "campaigns.9999_later"]}
    (tmp_path / "saved/backup.json").write_text(json.dumps(newer))
    with pytest.raises(BadInputError, match="9999_later"):
        restore(folder=tmp_path / "saved", replace=True)
    shutil.rmtree(tmp_path / "saved")


def test_every_field_that_names_an_object_is_known_to_the_backup():
    fields = {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.Field)
        and ("object storage" in field.help_text or isinstance(field, models.FileField))
    }
    assert fields == set(NAMED)
