"""Uploads over the tus protocol: parts, breaks, refusals, and what becomes of a whole one."""

import base64
import io
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from evalplatform.accounts.members import create_project
from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints import services
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.ticking import tick
from evalplatform.core.errors import BadInputError
from evalplatform.core.locks import session_turn
from evalplatform.uploads.receiving import BusyError
from tests import factories
from tests.checkpoints import hostile

pytestmark = pytest.mark.django_db(transaction=True)
TUS = {"Tus-Resumable": "1.0.0"}
UPLOADS = reverse("checkpoints:uploads")


@pytest.fixture(autouse=True)
def registry(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path / "registry"
    settings.CELERY_TASK_ALWAYS_EAGER = False
    return settings.CHECKPOINT_DIR


@pytest.fixture
def sent(monkeypatch):
    """Identifiers for which a worker was woken."""
    woken = []
    monkeypatch.setattr("evalplatform.checkpoints.services.uploading._wake_worker", woken.append)
    return woken


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def archive(tmp_path):
    return hostile.zipped(tmp_path / "my-model.zip", hostile.members()).read_bytes()


def begin(client, size, file_name="my-model.zip", **told):
    pairs = {"filename": file_name, **told}.items()
    metadata = ",".join(f"{key} {base64.b64encode(each.encode()).decode()}" for key, each in pairs)
    headers = TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata}
    return client.post(UPLOADS, headers=headers)


def part(client, url, offset, content, **headers):
    return client.patch(
        url,
        content,
        content_type="application/offset+octet-stream",
        headers=TUS | {"Upload-Offset": str(offset)} | headers,
    )


def offset(client, url):
    return int(client.head(url, headers=TUS)["Upload-Offset"])


def test_upload_in_parts_becomes_a_checkpoint(researcher, archive, sent, registry):
    url = begin(researcher, len(archive), role="baseline")["Location"]
    for start in range(0, len(archive), 100):
        assert offset(researcher, url) == start
        answer = part(researcher, url, start, archive[start : start + 100])
        assert answer.status_code == 204
    upload = Upload.objects.get()
    assert (upload.status, sent) == ("verifying", [upload.pk])
    services.verify_upload(identifier=str(upload.pk), now=timezone.now())
    checkpoint = Checkpoint.objects.get()
    assert (checkpoint.name, checkpoint.role) == ("my-model", "baseline")
    told = researcher.get(f"{url}status/").json()
    assert (told["status"], told["checkpoint"]) == ("verified", "my-model")
    assert list((registry / "uploads").iterdir()) == []


def test_uploaded_parent_is_linked_to_what_was_tuned_from_it(researcher, archive, sent, tmp_path):
    base, _ = services.register_checkpoint(
        project=default_project(), source=tmp_path / "my-model.zip", name="base"
    )
    sha256 = base.sha256
    base.delete()
    tuned = factories.make_checkpoint("tuned", "quality_tuned", parent_id=sha256)
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive)
    services.verify_upload(identifier=str(sent[0]), now=timezone.now())
    tuned.refresh_from_db()
    assert tuned.registered_parent.name == "my-model"


def test_rejected_upload_says_why_and_leaves_no_file(researcher, tmp_path, sent, registry):
    evil = hostile.zipped(tmp_path / "evil.zip", {"a.py": b"import os"}).read_bytes()
    url = begin(researcher, len(evil), "evil.zip")["Location"]
    part(researcher, url, 0, evil)
    services.verify_upload(identifier=str(sent[0]), now=timezone.now())
    told = researcher.get(f"{url}status/").json()
    assert told["status"] == "rejected"
    assert "program code" in told["reason"]
    assert list(registry.glob("*/*")) == []
    assert not Checkpoint.objects.exists()


def test_part_at_another_place_is_refused_and_changes_nothing(researcher, archive, sent):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive[:10])
    for wrong in (0, 5, 11):
        assert part(researcher, url, wrong, b"xxxx").status_code == 409
    assert part(researcher, url, 10, archive[10:] + b"too much").status_code == 409
    assert offset(researcher, url) == 10


def test_part_that_breaks_off_is_kept_as_far_as_it_came(rania, archive, sent):
    upload = services.begin_upload(
        project=default_project(),
        file_name="a.zip", size_bytes=len(archive), name="", role="", user=rania,
        now=timezone.now(),
    )  # fmt: skip

    class Breaking(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell() >= 40:
                raise OSError("connection reset")
            return super().read(min(size, 40))

    with pytest.raises(OSError, match="reset"):
        services.receive(
            upload=upload, offset=0, body=Breaking(archive), length=len(archive), now=timezone.now()
        )
    assert upload.received_bytes == 40
    rest = io.BytesIO(archive[40:])
    services.receive(
        upload=upload, offset=40, body=rest, length=len(archive) - 40, now=timezone.now()
    )
    assert upload.file.read_bytes() == archive
    assert sent == [upload.pk]


def test_second_writer_has_to_wait(rania, archive, sent):
    upload = services.begin_upload(
        project=default_project(),
        file_name="a.zip",
        size_bytes=100,
        name="",
        role="",
        user=rania,
        now=timezone.now(),
    )

    class Meanwhile(io.BytesIO):
        def read(self, size=-1, /):
            with pytest.raises(BusyError):
                services.receive(
                    upload=upload, offset=0, body=io.BytesIO(b"x"), length=1, now=timezone.now()
                )
            return super().read(size)

    services.receive(
        upload=upload, offset=0, body=Meanwhile(b"a" * 10), length=10, now=timezone.now()
    )
    assert upload.received_bytes == 10


@pytest.mark.parametrize(
    ("name", "size", "told", "reason"),
    [
        ("model.ckpt", 10, {}, "no archive"),
        ("a.zip", 0, {}, "outside 1 to"),
        ("a.zip", 2**50, {}, "outside 1 to"),
        ("a.zip", 10, {"name": "white space"}, "cannot name"),
        ("a.zip", 10, {"role": "king"}, "is not one of"),
    ],
)
def test_what_can_never_be_taken_is_refused_before_the_first_byte(
    researcher, name, size, told, reason
):
    answer = begin(researcher, size, name, **told)
    assert answer.status_code == 400
    assert reason in answer.content.decode()
    assert not Upload.objects.exists()


def test_weights_that_are_known_are_taken_as_what_they_are(researcher, archive, sent):
    for _ in range(2):
        part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
        services.verify_upload(identifier=str(sent[-1]), now=timezone.now())
    assert [each.status for each in Upload.objects.all()] == ["verified", "verified"]
    assert Checkpoint.objects.count() == 1


def test_strangers_can_neither_begin_nor_look(client, rania, archive):
    upload = services.begin_upload(
        project=default_project(),
        file_name="a.zip",
        size_bytes=10,
        name="",
        role="",
        user=rania,
        now=timezone.now(),
    )
    url = reverse("checkpoints:upload", args=[upload.pk])
    assert begin(client, 10).status_code == 401
    assert part(client, url, 0, b"x").status_code == 401
    assert client.get(f"{url}status/").status_code == 401
    assert client.delete(url, headers=TUS).status_code == 401


def test_cancelled_upload_is_forgotten(researcher, archive, registry):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive[:10])
    assert researcher.delete(url, headers=TUS).status_code == 204
    assert researcher.head(url, headers=TUS).status_code == 404
    assert list((registry / "uploads").iterdir()) == []


def test_upload_abandoned_for_a_week_is_forgotten_when_the_next_begins(researcher, rania, registry):
    begin(researcher, 10)
    later = timezone.now() + timedelta(days=8)
    services.begin_upload(
        project=default_project(),
        file_name="b.zip",
        size_bytes=10,
        name="",
        role="",
        user=rania,
        now=later,
    )
    assert [each.file_name for each in Upload.objects.all()] == ["b.zip"]
    assert len(list((registry / "uploads").iterdir())) == 1


def test_worker_is_woken_again_when_nobody_came(researcher, archive, sent):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive)
    services.wake_stalled_uploads(now=timezone.now())
    assert len(sent) == 1
    services.wake_stalled_uploads(now=timezone.now() + timedelta(seconds=90))
    assert len(sent) == 2


def test_whole_upload_whose_web_process_was_killed_is_handed_over_when_asked_for(
    researcher, archive, sent
):
    url = begin(researcher, len(archive))["Location"]
    Upload.objects.get().file.write_bytes(archive)  # the last byte is there, nobody was told
    assert researcher.get(f"{url}status/").json()["status"] == "verifying"
    assert len(sent) == 1


def test_two_workers_with_the_same_message_verify_once(researcher, archive, sent):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive)
    first = services.verify_upload(identifier=str(sent[0]), now=timezone.now())
    assert first is not None
    assert services.verify_upload(identifier=str(sent[0]), now=timezone.now()) is None


def test_verification_is_left_to_a_worker_that_lives_however_long_it_takes(
    researcher, archive, sent
):
    part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
    with session_turn(f"upload {sent[0]}"):
        Upload.objects.update(started_at=timezone.now(), starts=1)
        services.wake_stalled_uploads(now=timezone.now() + timedelta(hours=7))
        assert services.verify_upload(identifier=str(sent[0]), now=timezone.now()) is None
    assert len(sent) == 1
    assert Upload.objects.get().starts == 1


def test_verification_whose_worker_was_killed_is_begun_again_soon(researcher, archive, sent):
    part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
    Upload.objects.update(started_at=timezone.now(), starts=1)  # and then its process was gone
    services.wake_stalled_uploads(now=timezone.now() + timedelta(seconds=90))
    assert len(sent) == 2
    verified = services.verify_upload(identifier=str(sent[1]), now=timezone.now())
    assert (verified.status, verified.starts) == ("verified", 2)


def test_workers_find_an_upload_whose_worker_was_killed_also_while_nobody_reads(
    researcher, archive, sent
):
    part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
    Upload.objects.update(sent_at=timezone.now() - timedelta(minutes=2), starts=1)
    tick()
    assert len(sent) == 2
    tick()
    assert len(sent) == 2  # it was asked for again just now


def test_upload_that_killed_three_workers_is_rejected(researcher, archive, sent):
    part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
    Upload.objects.update(started_at=timezone.now(), starts=3)
    assert services.verify_upload(identifier=str(sent[0]), now=timezone.now()) is None
    services.wake_stalled_uploads(now=timezone.now() + timedelta(seconds=90))
    upload = Upload.objects.get()
    assert upload.status == "rejected"
    assert "Its worker was killed or lost 3 times" in upload.reason
    assert upload.reason.endswith("What was sent is removed, so upload it again then.")
    assert not upload.file.exists()
    assert len(sent) == 1


def test_upload_that_a_worker_took_meanwhile_is_not_taken_from_it(researcher, archive, monkeypatch):
    """Both messages are late; while the first is sent again, a worker comes for the second."""
    woken = []
    now = timezone.now() + timedelta(seconds=90)

    def wake(identifier):
        woken.append(identifier)
        Upload.objects.exclude(pk=identifier).update(started_at=now)

    monkeypatch.setattr("evalplatform.checkpoints.services.uploading._wake_worker", lambda _: None)
    for _ in range(2):
        part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
    monkeypatch.setattr("evalplatform.checkpoints.services.uploading._wake_worker", wake)
    services.wake_stalled_uploads(now=now)
    assert len(woken) == 1
    assert Upload.objects.exclude(pk=woken[0]).get().started_at == now


def test_worker_taken_for_dead_does_not_overrule_the_next_one(
    researcher, archive, sent, monkeypatch
):
    part(researcher, begin(researcher, len(archive))["Location"], 0, archive)
    later = timezone.now() + timedelta(hours=7)

    def slow(**_):
        services.wake_stalled_uploads(now=later)
        Upload.objects.update(started_at=later)
        raise BadInputError("the file is gone.")

    monkeypatch.setattr("evalplatform.checkpoints.services.uploading.register_checkpoint", slow)
    assert services.verify_upload(identifier=str(sent[0]), now=timezone.now()) is None
    upload = Upload.objects.get()
    assert (upload.status, upload.reason) == ("verifying", "")
    assert upload.file.exists()


def test_upload_whose_last_byte_has_just_come_is_not_cancelled(researcher, archive, sent):
    url = begin(researcher, len(archive))["Location"]
    before = Upload.objects.get()
    part(researcher, url, 0, archive)
    with pytest.raises(BadInputError, match="is being verified"):
        services.cancel_upload(upload=before)
    assert Upload.objects.get().file.exists()


def test_upload_that_cannot_be_stored_leaves_no_folder(rania, registry, monkeypatch):
    def fail(*_, **__):
        raise IntegrityError("the project is gone")

    monkeypatch.setattr(Upload, "save", fail)
    with pytest.raises(IntegrityError):
        promise(rania, 10)
    assert list((registry / "uploads").iterdir()) == []


def test_fault_of_ours_is_said_to_the_person_too(researcher, archive, sent, monkeypatch):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive)

    def fail(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evalplatform.checkpoints.services.uploading.register_checkpoint", fail)
    with pytest.raises(OSError, match="No space"):
        services.verify_upload(identifier=str(sent[0]), now=timezone.now())
    told = researcher.get(f"{url}status/").json()
    assert told["status"] == "rejected"
    assert "No space left" in told["reason"]
    assert told["reason"].endswith("What was sent is removed, so upload it again then.")
    shown = researcher.get(reverse("registry:list")).content.decode()
    assert "Of an upload that is rejected nothing is kept here" in shown


def test_upload_that_breaks_the_verification_is_rejected(
    researcher, archive, sent, registry, monkeypatch
):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive)

    def fail(*_):
        # No half a character: it would be logged, and what is logged passes between test processes.
        raise TypeError("unhashable type: \0")

    monkeypatch.setattr("evalplatform.checkpoints.services.registering.inspect", fail)
    services.verify_upload(identifier=str(sent[0]), now=timezone.now())
    told = researcher.get(f"{url}status/").json()
    assert told["status"] == "rejected"
    assert "could not be verified (TypeError: unhashable type:" in told["reason"]
    assert [path.name for path in registry.iterdir()] == ["uploads"]


def test_reason_with_half_a_character_can_be_stored(researcher, archive, sent, monkeypatch):
    url = begin(researcher, len(archive))["Location"]
    part(researcher, url, 0, archive)

    def fail(**_):
        raise BadInputError("a\0b\ud800c")

    monkeypatch.setattr("evalplatform.checkpoints.services.uploading.register_checkpoint", fail)
    services.verify_upload(identifier=str(sent[0]), now=timezone.now())
    assert researcher.get(f"{url}status/").json()["reason"] == "a?b?c"


@pytest.mark.parametrize("told", [{"file_name": "a\0.zip"}, {"name": "a" * 3000}])
def test_names_that_cannot_be_stored_are_refused_before_the_first_byte(researcher, told):
    assert begin(researcher, 100, **told).status_code == 400
    assert not Upload.objects.exists()


def test_rejection_without_a_reason_cannot_be_stored():
    with pytest.raises(IntegrityError), transaction.atomic():
        Upload.objects.create(
            project=default_project(), file_name="a.zip", size_bytes=1, status="rejected"
        )


def test_another_protocol_is_refused_and_ours_is_told(researcher):
    assert researcher.post(UPLOADS).status_code == 412
    answer = researcher.options(UPLOADS)
    assert (answer.status_code, answer["Tus-Version"]) == (204, "1.0.0")
    assert answer["Tus-Extension"] == "creation,termination"


def test_last_part_is_kept_while_the_broker_is_away(researcher, archive, monkeypatch, settings):
    """The client hears 503 and asks again: all has arrived, and a worker is woken later."""

    def away(identifier):
        raise BrokerError("[Errno 111] Connection refused")

    monkeypatch.setattr("evalplatform.checkpoints.services.uploading._wake_worker", away)
    url = begin(researcher, len(archive))["Location"]
    answer = part(researcher, url, 0, archive)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert offset(researcher, url) == len(archive)
    woken = []
    monkeypatch.setattr("evalplatform.checkpoints.services.uploading._wake_worker", woken.append)
    upload = Upload.objects.get()
    services.wake_stalled_uploads(now=timezone.now() + timedelta(minutes=5))
    assert woken == [upload.pk]


def promise(user, size_bytes, project=None):
    return services.begin_upload(
        project=project or default_project(), file_name="a.zip", size_bytes=size_bytes, name="",
        role="", user=user, now=timezone.now(),
    )  # fmt: skip


def test_what_is_promised_counts_against_the_quota_of_its_project(rania, settings):
    settings.PROJECT_UPLOAD_BYTES = 100
    first = promise(rania, 60)
    with pytest.raises(BadInputError, match="come to 60 bytes, and with these 50 to more than its"):
        promise(rania, 50)
    promise(rania, 50, create_project(name="other", owner=None))
    promise(rania, 40)
    services.cancel_upload(upload=first)
    promise(rania, 60)
    Project.objects.filter(name="default").update(upload_quota_bytes=1000)
    promise(rania, 60)
    assert len(list((Path(settings.CHECKPOINT_DIR) / "uploads").iterdir())) == 4


def test_sixty_uploads_at_once_do_not_promise_more_than_the_disk_has(rania, monkeypatch):
    monkeypatch.setattr(
        "evalplatform.uploads.room.shutil.disk_usage",
        lambda path: SimpleNamespace(free=75 * 2**30),
    )
    promise(rania, 30 * 2**30)
    for _ in range(59):
        with pytest.raises(BadInputError, match="left beside what unfinished uploads will take"):
            promise(rania, 30 * 2**30)
    assert Upload.objects.count() == 1
