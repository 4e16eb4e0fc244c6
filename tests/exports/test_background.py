"""Exports made in the background: asked for once, made by whoever is there, kept for a while."""

import hashlib
import io
import os
import zipfile
from datetime import timedelta

import pytest
import requests
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from evalplatform.accounts.tokens import create_api_token
from evalplatform.core.errors import BadInputError
from evalplatform.exports import building, services
from evalplatform.exports.kinds import Images
from evalplatform.exports.models import Export
from evalplatform.exports.options import checked_options
from evalplatform.exports.parts import sha256_of
from evalplatform.webhooks.services import create_webhook
from tests import factories
from tests.exports.campaigns import duel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch):
    """The messages that were sent to workers."""
    keys = []
    monkeypatch.setattr(services, "wake", lambda export: keys.append(export.pk))
    return keys


def stored_files(export):
    names = default_storage.listdir("exports")[1] if default_storage.exists("exports") else []
    return [each for each in names if each.startswith(str(export.public_id))]


def ask(campaign, kind="arena", **asked):
    options = checked_options(campaign, {"kind": kind} | asked)
    return services.request_export(campaign=campaign, options=options, user=None)


def test_export_is_made_downloaded_and_removed_when_its_time_is_over(client, rania, sent):
    campaign = duel(prompts=2, people=4, simulated=range(4), slug="sim")
    client.force_login(rania)
    asked = client.post("/campaigns/sim/export/new/", {"kind": "csv"})
    assert asked.status_code == 302
    export = Export.objects.get()
    assert sent == [export.pk]
    assert export.rows_expected == 2 * 2 * 3
    assert ask(campaign, "csv") == export  # the same is not made twice
    page = client.get("/campaigns/sim/export/").content.decode()
    assert 'hx-trigger="every 3s"' in page
    now = timezone.now()
    services.make_export(key=export.pk, now=now)
    assert services.make_export(key=export.pk, now=now) is None  # it is made
    export.refresh_from_db()
    assert (export.state, export.error) == ("done", "")
    assert export.file_name == "sim-csv-simulated.zip"
    page = client.get("/campaigns/sim/export/").content.decode()
    assert export.sha256 in page
    assert "every 3s" not in page
    got = client.get(f"/campaigns/sim/export/{export.public_id}/file/")
    content = b"".join(got.streaming_content)
    assert len(content) == int(got["Content-Length"]) == export.size_bytes
    assert hashlib.sha256(content).hexdigest() == export.sha256
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert "sim-csv-simulated/SHA256SUMS" in names
    assert services.remove_expired(now=now + timedelta(days=1)) == 0
    assert services.remove_expired(now=now + services.KEEP + timedelta(days=1)) == 1
    assert not default_storage.exists(export.file)
    assert client.get(f"/campaigns/sim/export/{export.public_id}/file/").status_code == 404


def test_script_asks_by_the_client_is_told_by_a_webhook_and_downloads(
    live_server, rania, sent, monkeypatch, tmp_path
):
    monkeypatch.syspath_prepend(settings.BASE_DIR / "clients/python")
    from evalplatform_client import ApiError, Client

    campaign = duel(prompts=2, people=4)
    endpoint, _ = create_webhook(
        project=campaign.project, url="https://1.1.1.1/hook", user=None, description="",
        events=["export.ready", "export.failed"],
    )  # fmt: skip
    _, secret = create_api_token(
        user=rania, label="x", scopes=["read", "votes", "campaigns"], project=None,
        now=timezone.now(),
    )  # fmt: skip
    client, slug = Client(live_server.url, secret), campaign.slug
    with pytest.raises(ApiError, match="rows 'vote' is not for an export as arena"):
        client.create_export(slug, {"kind": "arena", "rows": "vote"})
    asked = client.create_export(slug, {"kind": "arena"}, idempotency_key="once")
    assert client.create_export(slug, {"kind": "arena"}, idempotency_key="once") == asked
    assert (asked["state"], len(sent)) == ("queued", 1)
    services.make_export(key=sent[0], now=timezone.now())
    made = client.wait_for_export(asked)
    file = client.download_export(slug, made["id"], tmp_path / "arena.zip")
    content = file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == made["sha256"]

    told = endpoint.deliveries.get()
    assert (told.event, told.subject) == ("export.ready", slug)
    assert told.payload["data"]["export"] == made["id"]
    assert told.payload["data"]["sha256"] == made["sha256"]

    address = f"{live_server.url}/api/v1/campaigns/{slug}/exports/{made['id']}/file"
    bearer, etag = {"Authorization": f"Bearer {secret}"}, f'"{made["sha256"]}"'

    def got(**headers):
        return requests.get(address, headers=bearer | headers, timeout=20)

    rest = got(**{"Range": "bytes=100-", "If-Range": etag})
    assert (rest.status_code, rest.content) == (206, content[100:])
    assert rest.headers["Content-Range"] == f"bytes 100-{len(content) - 1}/{len(content)}"
    assert got(**{"Range": "bytes=-7"}).content == content[-7:]
    assert got(**{"Range": "bytes=100-", "If-Range": '"another"'}).content == content
    assert got(**{"If-None-Match": etag}).status_code == 304
    assert got(**{"Range": f"bytes={len(content)}-"}).status_code == 416

    assert [each["id"] for each in client.each(client.list_exports, slug)] == [made["id"]]
    client.delete_export(slug, made["id"])
    with pytest.raises(ApiError) as gone:
        client.get_export(slug, made["id"])
    assert gone.value.code == "not-found"


def test_export_goes_on_where_its_worker_was_killed(sent, monkeypatch):
    campaign = duel(prompts=4, people=4)
    monkeypatch.setattr(building, "_PART", dict.fromkeys(Images, 5))
    monkeypatch.setattr(building, "_ROWS", dict.fromkeys(Images, 5))
    export = ask(campaign, "parquet")
    began = timezone.now()
    seen = []

    def killed(*args, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(services, "_store", killed)
        with pytest.raises(SystemExit):
            services.make_export(key=export.pk, now=began)
    assert Export.objects.get().state == "running"
    Export.objects.update(beaten_at=began)
    assert services.make_export(key=export.pk, now=began + timedelta(minutes=1)) is None
    later = began + services.SILENT + timedelta(minutes=1)
    assert services.wake_silent(campaign=campaign, now=later) == 1
    assert services.wake_silent(campaign=campaign, now=later) == 0  # a page that asks again
    monkeypatch.setattr(services, "_beat", lambda export, rows: seen.append(rows))
    services.make_export(key=export.pk, now=later)
    assert Export.objects.get().state == "done"


def test_what_fails_says_why_and_what_is_stopped_stays_removed(sent, monkeypatch):
    campaign = duel(prompts=2, people=4)
    lost = campaign.image_sets.main().first().images.first().picture.image
    default_storage.delete(str(lost))
    failed = ask(campaign, "trl", ties="keep")
    services.make_export(key=failed.pk, now=timezone.now())
    failed.refresh_from_db()
    assert failed.state == "failed"
    assert "is not in the object store; restore it" in failed.error
    stopped = ask(campaign, "arena")
    beat = services._beat

    def removed_meanwhile(export, rows):
        services.remove_export(export=export)
        beat(export, rows)

    monkeypatch.setattr(services, "_beat", removed_meanwhile)
    services.make_export(key=stopped.pk, now=timezone.now())
    stopped.refresh_from_db()
    assert stopped.state == "removed"
    assert stored_files(stopped) == []


def test_worker_that_was_given_up_and_comes_late_takes_nothing_away(sent, monkeypatch):
    """Its archive may be another's to the last byte, or not: dates of files stand in it."""
    export = ask(duel(prompts=2, people=4), "csv")
    store = services._store

    def first_one_then_late_ones(export, built, folder):
        with monkeypatch.context() as patch:
            patch.setattr(services, "_beat", lambda export, rows: None)
            store(export, built, folder)
            store(export, built, folder)
            os.utime(folder / "export/README.md", (10**9, 10**9))
            store(export, built, folder)

    monkeypatch.setattr(services, "_store", first_one_then_late_ones)
    services.make_export(key=export.pk, now=timezone.now())
    export.refresh_from_db()
    assert export.state == "done"
    assert [f"exports/{each}" for each in stored_files(export)] == [export.file]
    with default_storage.open(export.file) as file:
        assert hashlib.sha256(file.read()).hexdigest() == export.sha256


def test_export_that_is_long_in_storing_stays_with_its_worker(sent, monkeypatch):
    campaign = duel(prompts=2, people=4)
    export = ask(campaign, "csv")
    others = []

    def slow(archive):
        Export.objects.update(beaten_at=timezone.now() - services.SILENT - timedelta(minutes=1))
        others.append(services.make_export(key=export.pk, now=timezone.now()))
        return sha256_of(archive)

    monkeypatch.setattr(services, "sha256_of", slow)
    made = services.make_export(key=export.pk, now=timezone.now())
    assert others == [None]
    assert (made.state, made.error) == ("done", "")


def test_what_a_killed_worker_left_of_an_export_goes_once_it_is_removed(
    sent, monkeypatch, tmp_path
):
    monkeypatch.setattr(services, "_folders", lambda: tmp_path)
    (tmp_path / "README").touch()  # not ours
    campaign = duel(prompts=2, people=4)
    left, other = ask(campaign, "csv"), ask(campaign, "html")

    def killed(*args, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(services, "_store", killed)
        with pytest.raises(SystemExit):
            services.make_export(key=left.pk, now=timezone.now())
    services.make_export(key=other.pk, now=timezone.now())
    assert {each.name for each in tmp_path.iterdir()} == {str(left.public_id), "README"}
    services.remove_export(export=left)
    services.make_export(key=ask(campaign, "html").pk, now=timezone.now())
    assert [each.name for each in tmp_path.iterdir()] == ["README"]


def test_too_many_at_once_and_drafts_are_refused(sent):
    draft = factories.make_draft(prompts=1, slug="draft")
    with pytest.raises(BadInputError, match="has not opened yet"):
        ask(draft)
    campaign = duel(prompts=2, people=4)
    for kind in ("csv", "jsonl", "parquet", "arena", "html"):
        ask(campaign, kind)
    with pytest.raises(BadInputError, match="5 exports of this campaign are being made"):
        ask(campaign, "paper")
