"""Exports that are cut short, and folders that they do not go into."""

import errno
import json
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from pyarrow import parquet

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Vote
from evalplatform.annotation.services import enrol
from evalplatform.exports import building
from evalplatform.exports.kinds import Images
from evalplatform.exports.parts import PartFiles
from tests import factories
from tests.exports.campaigns import duel

pytestmark = pytest.mark.django_db(transaction=True)


def export(campaign, folder, *options):
    out = StringIO()
    call_command("export", campaign.slug, f"--out={folder}", *options, stdout=out)
    return out.getvalue()


def numbers(folder):
    files = sorted(folder.glob("data/*.parquet"))
    return [row["vote_id"] for file in files for row in parquet.read_table(file).to_pylist()]


def test_killed_export_goes_on_and_one_of_older_votes_begins_anew(tmp_path, monkeypatch):
    campaign = duel(prompts=6)
    monkeypatch.setattr(building, "_PART", dict.fromkeys(Images, 10))
    monkeypatch.setattr(building, "_ROWS", dict.fromkeys(Images, 5))
    finish, parts = PartFiles.finish, []

    def killed(self):
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(self)
        return finish(self)

    with monkeypatch.context() as patch:
        patch.setattr(PartFiles, "finish", killed)
        with pytest.raises(CommandError):
            export(campaign, tmp_path / "out", "--as=parquet")
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("data/*.parquet")}
    assert len(first) == 2
    assert not list((tmp_path / "out").rglob("*.part"))
    left = tmp_path / "out" / "replay" / ".items.jsonl.a1_b2c3d"  # as a kill leaves it
    left.write_text("half a li")
    export(campaign, tmp_path / "out", "--as=parquet")
    assert not left.exists()
    assert {path: path.stat().st_mtime_ns for path in first} == first
    votes = list(Vote.objects.filter(retracted_at=None).order_by("pk").values_list("pk", flat=True))
    assert numbers(tmp_path / "out") == votes
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "out", check=False
    )
    assert done.returncode == 0
    parts.clear()
    with monkeypatch.context() as patch:
        patch.setattr(PartFiles, "finish", killed)
        with pytest.raises(CommandError):
            export(campaign, tmp_path / "again", "--as=parquet")
    enrolment = enrol(campaign=campaign, annotator=Annotator.objects.create())
    factories.vote(enrolment, factories.lease(enrolment), "tie")
    export(campaign, tmp_path / "again", "--as=parquet")
    assert numbers(tmp_path / "again")[:-1] == votes


def test_full_disk_says_so_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    campaign = duel(prompts=2, people=4)

    def full(self, name, table):
        raise OSError(errno.ENOSPC, "No space left on device", name)

    with monkeypatch.context() as patch:
        patch.setattr(PartFiles, "write", full)
        with pytest.raises(CommandError, match="No space left on device"):
            export(campaign, tmp_path / "out", "--as=jsonl")
    assert not list((tmp_path / "out").glob("data/*"))
    assert "wrote" in export(campaign, tmp_path / "out", "--as=jsonl")


def test_folder_in_use_is_refused_and_kept(tmp_path):
    campaign = factories.make_draft(prompts=1, slug="draft")
    with pytest.raises(CommandError, match="has not opened yet"):
        export(campaign, tmp_path / "draft", "--as=csv")
    assert not (tmp_path / "draft").exists()
    campaign = duel(prompts=2, people=4)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="is not empty"):
        export(campaign, tmp_path, "--as=csv")
    export(campaign, tmp_path / "out", "--as=arena")
    with pytest.raises(CommandError, match="finished export already"):
        export(campaign, tmp_path / "out", "--as=arena")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "out"]


def test_lost_image_is_named_or_left_empty(tmp_path):
    campaign = duel(prompts=2, people=4)
    lost = campaign.image_sets.main().first().images.first().picture.image
    default_storage.delete(str(lost))
    with pytest.raises(CommandError, match="is not in the object store"):
        export(campaign, tmp_path / "out", "--as=trl", "--ties=keep")
    told = export(campaign, tmp_path / "marked", "--as=trl", "--ties=keep", "--missing-images=mark")
    assert "1 image is lost" in told
    rows = [
        row
        for file in (tmp_path / "marked").rglob("*.parquet")
        for row in parquet.read_table(file).to_pylist()
    ]
    assert any(row["chosen"] is None or row["rejected"] is None for row in rows)
    assert json.loads((tmp_path / "marked" / "export.json").read_text())["images_lost"] == [lost]


def test_csv_for_excel_runs_no_formula(tmp_path):
    campaign = duel(prompts=2, people=4)
    prompt = campaign.prompt_sets.get().prompts.first()
    with factories.thawed():
        type(prompt).objects.filter(pk=prompt.pk).update(text='=HYPERLINK("x")')
    export(campaign, tmp_path / "plain", "--as=csv")
    export(campaign, tmp_path / "excel", "--as=csv", "--for=excel")
    plain, excel = (
        next(Path(tmp_path / name).glob("data/*.csv")).read_text(encoding="utf-8")
        for name in ("plain", "excel")
    )
    assert '"=HYPERLINK(""x"")"' in plain
    assert '"\'=HYPERLINK(""x"")"' in excel
    assert excel.startswith("\ufeff")
