"""Who changed what: written down by the database, whoever changes it, and for good."""

import os
import pwd
from datetime import timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator, ApiToken, AuditEntry, User
from evalplatform.accounts.projects import default_project
from evalplatform.accounts.tokens import create_api_token
from evalplatform.annotation.services import enrol, exclude
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.tasks import verify_upload
from evalplatform.core.acting import acting, audited_tables
from evalplatform.generation.models import GenerationRequest
from evalplatform.generation.services import steer_request
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client, rania):
    client.force_login(rania)
    return client


def last(**lookup):
    return AuditEntry.objects.filter(**lookup).first()


def test_a_page_says_who_from_where_and_what(client, campaign, rania):
    steer = reverse("reports:steer", args=[campaign.slug])
    client.post(steer, {"action": "pause"}, REMOTE_ADDR="192.0.2.7")
    entry = last(kind="campaign")
    assert (entry.actor, entry.user_id, entry.via, entry.address) == (
        "rania", rania.pk, "page", "192.0.2.7",
    )  # fmt: skip
    assert (entry.action, entry.label, entry.project) == (
        "changed", campaign.slug, default_project(),
    )  # fmt: skip
    assert entry.changes == [("status", "open", "paused")]


def test_a_token_is_told_from_a_page_that_claims_one(client, campaign, rania, tmp_path, settings):
    _, secret = create_api_token(
        user=rania, label="nightly", scopes=["read", "models"], now=timezone.now()
    )
    claimed = {"Authorization": "Bearer nonsense"}
    steer = reverse("reports:steer", args=[campaign.slug])
    client.post(steer, {"action": "pause"}, headers=claimed)
    assert (last(kind="campaign").actor, last(kind="campaign").via) == ("rania", "page")
    begin = {"Tus-Resumable": "1.0.0", "Upload-Length": "4", "Upload-Metadata": "filename YS56aXA="}
    settings.CHECKPOINT_DIR = tmp_path
    bearer = {"Authorization": f"Bearer {secret}"}
    answer = Client().post(reverse("checkpoints:uploads"), headers=begin | bearer)
    assert answer.status_code == 201
    assert (last(kind="upload").actor, last(kind="upload").via) == ("rania", "API token")


def test_a_bulk_update_past_every_service_is_written_down_too(client):
    for name in ("one", "two"):
        factories.make_checkpoint(name)
    Checkpoint.objects.update(is_shared=True)
    entries = AuditEntry.objects.filter(kind="checkpoint", action="changed")
    assert {(each.label, each.actor) for each in entries} == {
        ("one", "the site"), ("two", "the site"),
    }  # fmt: skip
    assert entries[0].changes == [("is_shared", False, True)]


def test_a_command_acts_as_itself(campaign):
    call_command("close_campaign", campaign.slug)
    entry = last(kind="campaign")
    shell = pwd.getpwuid(os.getuid()).pw_name
    assert entry.actor == f"command close_campaign by {shell}"
    assert (entry.via, entry.user_id) == ("command", None)
    assert ("status", "open", "closed") in entry.changes


def test_nobody_inherits_the_actor_of_the_request_before(client, campaign):
    client.post(reverse("reports:steer", args=[campaign.slug]), {"action": "pause"})
    factories.make_checkpoint("later")
    assert last(kind="checkpoint").actor == "the site"


def test_a_rolled_back_change_before_leaves_the_actor_of_the_next(client, rania):
    project = default_project()
    members = reverse("projects:member", args=[project.name])
    client.post(members, {"username": "rania", "role": "viewer"})  # the last owner: refused
    User.objects.create_user("vera")
    client.post(members, {"username": "vera", "role": "viewer"})
    assert (last(kind="membership").actor, last(kind="membership").label) == ("rania", "vera")


def test_secrets_are_not_written_down(client, rania):
    rania.set_password("another long password")
    rania.save()
    assert last(kind="user").changes == [("password", "hidden", "hidden")]
    create_api_token(user=rania, label="nightly", scopes=["read", "models"], now=timezone.now())
    written = {"user_id", "label", "scopes", "project_id", "expires_at", "revoked_at"}
    assert set(last(kind="API token").after) == written


def test_what_only_tells_of_use_is_not_written_down(client, rania):
    token, _ = create_api_token(
        user=rania, label="nightly", scopes=["read", "models"], now=timezone.now()
    )
    request = factories.make_request()
    before = AuditEntry.objects.count()
    rania.last_login = timezone.now()
    rania.save()
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
    GenerationRequest.objects.filter(pk=request.pk).update(spent_seconds=7)
    assert AuditEntry.objects.count() == before
    steer_request(request=request, priority=3)
    assert last(kind="generation").changes == [("priority", 0, 3)]


def test_exclusions_tell_nothing_of_the_annotator(campaign):
    person = Annotator.objects.create(pseudonym="ann-told")
    enrolment = enrol(campaign=campaign, annotator=person)
    exclude(enrolment=enrolment, rule="gold", detail="ann-told was wrong", now=timezone.now())
    entry = last(kind="exclusion")
    assert entry.label == f"{campaign.slug} #{enrolment.pk}"
    assert entry.project == campaign.project
    row = AuditEntry.objects.filter(pk=entry.pk).values().get()
    assert "ann-told" not in str(row)


@pytest.mark.parametrize("change", ["UPDATE accounts_auditentry SET actor = 'nobody'",
                                    "DELETE FROM accounts_auditentry"])  # fmt: skip
def test_nothing_written_down_is_changed_or_removed(rania, change):
    assert AuditEntry.objects.exists()
    with pytest.raises(IntegrityError, match="neither changed nor removed"), transaction.atomic():
        connection.cursor().execute(change)


def test_a_vote_costs_no_statement_more(campaign):
    assert "annotation_vote" not in audited_tables()
    assert "annotation_assignment" not in audited_tables()
    assert {"campaigns_campaign", "accounts_user", "annotation_exclusion"} <= audited_tables()


def test_an_owner_reads_their_project_and_an_operator_all(client, campaign):
    page = client.get(reverse("projects:audit", args=["default"])).content.decode()
    assert campaign.slug in page
    assert client.get(reverse("projects:audit_of_all")).status_code == 403
    client.force_login(User.objects.create_superuser("olga"))
    page = client.get(reverse("projects:audit_of_all")).content.decode()
    assert "olga" in page
    assert campaign.slug in page


def test_it_is_filtered_and_saved_as_csv(client, campaign):
    factories.make_checkpoint("=cmd", sha256="a" * 64)
    address = reverse("projects:audit_csv", args=["default"])
    answer = client.get(address, {"kind": "checkpoint", "actor": "the site", "label": "cmd"})
    lines = answer.content.decode().splitlines()
    assert lines[0].startswith("at,actor,via,address,action,kind,label")
    assert len(lines) == 2
    assert ',"=cmd",' in lines[1]
    later = (timezone.now() + timedelta(days=1)).date().isoformat()
    assert len(client.get(address, {"since": later}).content.decode().splitlines()) == 1
    assert client.get(address, {"since": "yesterday"}).status_code == 400


def test_a_worker_acts_for_whoever_sent_the_upload(rania, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    upload = Upload.objects.create(
        project=default_project(), file_name="a.zip", size_bytes=1, checkpoint_name="a",
        status="verifying", created_by=rania,
    )  # fmt: skip
    upload.folder.mkdir(parents=True)
    upload.file.write_bytes(b"x")
    assert verify_upload(str(upload.pk)) == "rejected"
    entry = last(kind="upload")
    assert (entry.actor, entry.via, entry.changes[0]) == (
        "rania", "upload", ("reason", "", upload_reason(upload)),
    )  # fmt: skip


def upload_reason(upload):
    upload.refresh_from_db()
    return upload.reason


@pytest.mark.django_db(transaction=True)
def test_work_ends_well_where_its_connection_broke_after_the_change(rania):
    """As with a command that stops the database in the end."""
    with acting(lambda: {"who": "rania", "via": "command"}):
        User.objects.filter(pk=rania.pk).update(role=User.Role.OPERATOR)
        connection.connection.commit()
        with psycopg.connect(connection.connection.info.dsn) as other:
            other.execute(
                "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
            )
    connection.close()
    assert last(kind="user").actor == "rania"
