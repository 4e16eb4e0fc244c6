"""Files that are sent in parts: they go on where they broke off, and go to who sent them alone."""

import shutil
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import default_project
from evalplatform.core.errors import BadInputError
from evalplatform.uploads import room, services
from evalplatform.uploads.models import SentFile
from tests.uploads.sending import TUS, begin, offset, part, send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept(tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    return tmp_path / "sent"


@pytest.fixture
def sender(client, rania):
    client.force_login(rania)
    return client


def whole(*identifiers, user):
    with transaction.atomic():
        return services.whole_files(identifiers=identifiers, project=default_project(), user=user)


def test_file_goes_on_where_it_broke_off(sender, rania, kept):
    url = begin(sender, "12/0.png", 6)["Location"]
    assert part(sender, url, 0, b"abc").status_code == 204
    assert part(sender, url, 2, b"cd").status_code == 409
    with pytest.raises(BadInputError, match="3 of 6 bytes"):
        whole(url.split("/")[-2], user=rania)
    assert offset(sender, url) == 3
    part(sender, url, 3, b"def")
    (file,) = whole(url.split("/")[-2], user=rania)
    assert (file.file_name, file.path.read_bytes()) == ("12/0.png", b"abcdef")
    assert file.path.parent == kept


def test_file_that_is_gone_is_begun_anew(sender, kept):
    url = begin(sender, "a.png", 6)["Location"]
    shutil.rmtree(kept)
    assert sender.head(url, headers=TUS).status_code == 410
    assert part(sender, url, 0, b"abc").status_code == 410
    assert not kept.exists()
    assert sender.delete(url, headers=TUS).status_code == 204


def test_files_are_taken_up_once(sender, rania, tmp_path):
    sent = [send(sender, "a/0.png", b"one"), send(sender, "a/1.png", b"")]
    services.take_up(files=whole(*sent, user=rania), into=tmp_path / "there")
    assert (tmp_path / "there/a/0.png").read_bytes() == b"one"
    assert (tmp_path / "there/a/1.png").exists()
    assert not SentFile.objects.exists()
    with pytest.raises(BadInputError, match="2 of 2 files are not known"):
        whole(*sent, user=rania)


def test_another_persons_file_does_not_exist(sender, rania):
    sent = send(sender, "log.csv", b"said\n")
    assert whole(sent, user=rania)
    other = User.objects.create_user("oscar")
    SentFile.objects.update(created_by=other)
    with pytest.raises(BadInputError, match="another person's"):
        whole(sent, user=rania)
    assert part(sender, f"/uploads/files/{sent}/", 5, b"").status_code == 403


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a.png", "a/../b.png", "a//b", "a\\b.png", "a\0b", "x" * 300,
             "/".join("abcdefgh") + "/i.png"],
)  # fmt: skip
def test_name_that_could_land_elsewhere_is_refused(sender, name, kept):
    answer = begin(sender, name, 3)
    assert (answer.status_code, SentFile.objects.count()) == (400, 0)
    assert "accepted are plain names" in answer.content.decode()
    assert not kept.exists() or not list(kept.iterdir())


def test_two_of_one_name_are_refused(sender, rania, tmp_path):
    sent = [send(sender, "a.png", b"one"), send(sender, "a.png", b"two")]
    with pytest.raises(BadInputError, match="sent twice"):
        services.take_up(files=whole(*sent, user=rania), into=tmp_path / "there")


def test_room_is_counted_with_what_other_uploads_promise(sender, monkeypatch, settings):
    settings.PROJECT_UPLOAD_BYTES = 10
    assert begin(sender, "a.png", 8).status_code == 201
    answer = begin(sender, "b.png", 8)
    assert answer.status_code == 400
    assert "finish or cancel some first" in answer.content.decode()
    assert sum(each.size_bytes for found in room._promised for each in found()) == 8


def test_what_nobody_went_on_with_is_forgotten(sender, kept):
    send(sender, "a.png", b"one")
    SentFile.objects.update(created_at=timezone.now() - timedelta(days=9))
    begin(sender, "b.png", 3)
    assert SentFile.objects.count() == 2  # a byte came lately
    old = SentFile.objects.get(file_name="a.png")
    (kept / str(old.pk)).unlink()
    begin(sender, "c.png", 3)
    assert not SentFile.objects.filter(pk=old.pk).exists()
