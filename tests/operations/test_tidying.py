"""What may go from the disk, and what never does."""

import io
import os

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.api.models import Job
from evalplatform.core import thumbnails
from evalplatform.uploads.models import SentFile
from tests import factories


def tidy(*options: str) -> str:
    said = io.StringIO()
    call_command("tidy", *options, stdout=said)
    return said.getvalue()


def test_only_what_is_made_anew_or_left_behind_goes(db, tmp_path, settings):
    settings.VAR_DIR, settings.CHECKPOINT_DIR = tmp_path, tmp_path / "checkpoints"
    name = factories._stored_image()
    small = thumbnails.thumbnail(name)
    old, new = (tmp_path / "checkpoints/hub" / each for each in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x" * 2**20)
    for each in (old / "part", old):
        os.utime(each, (0, 0))
    weights = tmp_path / "checkpoints" / ("a" * 64) / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")

    assert "1.0 MiB" in tidy()
    assert old.exists()
    assert default_storage.exists(small)
    said = tidy("--yes")
    assert (str(old) in said, str(new) in said) == (True, False)
    assert not old.exists()
    assert not default_storage.exists(small)
    assert new.exists()
    assert weights.exists()
    assert default_storage.exists(name)
    default_storage.save("thumbnails/a", ContentFile(b""))  # the folder is made again


def test_what_was_sent_and_nothing_knows_of_goes(db, tmp_path, settings, rania):
    settings.VAR_DIR, settings.CHECKPOINT_DIR = tmp_path, tmp_path
    kept = SentFile.objects.create(
        project=default_project(), file_name="0.png", size_bytes=1, created_by=rania
    )
    lost = [
        tmp_path / "sent/1234", tmp_path / "image-imports/99/0.png",
        tmp_path / "job-files/0c6c/votes.csv",
    ]  # fmt: skip
    young = tmp_path / "sent/5678"
    for path in (kept.path, *lost, young):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 2**20)
    for path in (kept.path, *lost, lost[1].parent, lost[2].parent):
        os.utime(path, (0, 0))
    assert "3.0 MiB" in tidy("--yes")
    assert (kept.path.exists(), young.exists()) == (True, True)
    assert not any(path.exists() for path in (*lost, lost[1].parent, lost[2].parent))


def test_what_was_sent_for_a_job_stays_until_it_has_ended(db, tmp_path, settings):
    settings.VAR_DIR, settings.CHECKPOINT_DIR = tmp_path, tmp_path
    ends = {"queued": None, "running": None, "done": timezone.now(), "failed": timezone.now()}
    folders = {}
    for status, end in ends.items():
        job = Job.objects.create(
            project=default_project(), kind=Job.Kind.VOTES, asked={}, status=status,
            reason="lost" if status == "failed" else "", finished_at=end,
        )  # fmt: skip
        folders[status] = tmp_path / "job-files" / str(job.public_id)
        folders[status].mkdir(parents=True)
        (folders[status] / "votes.csv").write_bytes(b"x")
        for path in (folders[status] / "votes.csv", folders[status]):
            os.utime(path, (0, 0))
    tidy("--yes")
    assert [status for status, folder in folders.items() if folder.exists()] == [
        "queued", "running",
    ]  # fmt: skip
