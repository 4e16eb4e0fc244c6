"""What people kept leaves as a folder the trainer reads, with the way back to each judgement."""

import json

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.core.errors import BadInputError
from evalplatform.curation.exporting import export_pool
from evalplatform.curation.services import StagePlan, close_stage, open_stage
from models_backend.data.manifest import read_mark, read_records
from tests.curation.pools import make_pool

pytestmark = pytest.mark.django_db(transaction=True)


def decide(pool, judge, *, rejected=(5,)):
    opened = open_stage(pool=pool, plan=StagePlan("generalists"), now=timezone.now())
    judge(
        opened.stage, "gina",
        lambda image, expected: ["reject" if image.position in rejected else "keep"],
    )  # fmt: skip
    return close_stage(stage=opened.stage, now=timezone.now())


def test_trainer_reads_the_folder_and_finds_every_judgement(needles, judge, tmp_path):
    stage = decide(needles, judge)
    out = tmp_path / "out"
    out.mkdir()
    export_pool(pool=needles, out=out)
    records = read_records(out)
    assert len(records) == 5
    assert {each.licence for each in records} == {"CC0-1.0"}
    for each in records:
        assert (out / each.file).stat().st_size > 0
    told = read_mark(out)["curation"]
    assert told["stages"][0]["protocol_sha256"] == stage.campaign.protocol_sha256
    assert told["stages"][0]["decisions_sha256"] == stage.decisions_sha256
    assert told["simulated"] is False
    rows = [json.loads(line) for line in (out / "curation.jsonl").read_text().splitlines()]
    assert [row["exported"] for row in rows] == [True] * 5 + [False]
    assert rows[5]["decisions"][0] == {
        "stage": "generalists", "kept": False, "why": "rejected by 1 of 1",
        "judgements": [
            {"person": "gina", "answer": "reject", "failed": [], "is_simulated": False}
        ],
    }  # fmt: skip
    with pytest.raises(BadInputError, match="holds something already"):
        export_pool(pool=needles, out=out)


def test_export_refuses_what_it_cannot_stand_for(judge, tmp_path, db):
    pool = make_pool(tmp_path / "pool", 6, image_0={"licence": "unknown"}, image_1={"caption": ""})
    out = tmp_path / "out"
    with pytest.raises(BadInputError, match="no stage of needles has decided"):
        export_pool(pool=pool, out=out)
    decide(pool, judge)
    with pytest.raises(BadInputError, match="licence of 1 of 5 images is unknown"):
        export_pool(pool=pool, out=out)
    with pytest.raises(CommandError, match="1 of 5 images have no caption"):
        call_command("curation", "export", "needles", "--out", out, "--allow-unknown-licence")
    assert not out.exists()


def test_image_that_is_gone_from_storage_is_named_and_nothing_is_written(needles, judge, tmp_path):
    decide(needles, judge)
    gone = needles.images.first()
    default_storage.delete(gone.image.image)
    with pytest.raises(BadInputError, match=gone.image.source_sha256[:12]):
        export_pool(pool=needles, out=tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["pool"]


def test_stage_that_closes_while_images_are_copied_is_in_none_of_it(needles, judge, tmp_path):
    decide(needles, judge)
    plan = StagePlan("specialists", k=1, people=("anna",))
    second = open_stage(pool=needles, plan=plan, now=timezone.now()).stage
    judge(second, "anna", lambda image, expected: ["keep" if image.position < 2 else "reject"])

    def close_meanwhile(done, count):
        if done == 1:
            close_stage(stage=second, now=timezone.now())

    export_pool(pool=needles, out=tmp_path / "out", progress=close_meanwhile)
    stages = read_mark(tmp_path / "out")["curation"]["stages"]
    assert [(each["kind"], each["kept"]) for each in stages] == [("generalists", 5)]
    assert len(read_records(tmp_path / "out")) == 5


def test_command_goes_the_whole_way(judge, tmp_path, db, capsys):
    from evalplatform.curation.selectors import pool_named, stage_named
    from tests.curation.pools import write_pool

    write_pool(tmp_path / "pool", 4)
    call_command("curation", "import", tmp_path / "pool", "--name", "needles", "--processes", "1")
    call_command("curation", "open", "needles", "--stage", "specialists", "--k", "1",
                 "--people", "anna,ben", "--heads", "emu", "--target", "2")  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.count("?invite=") == 2
    stage = stage_named(pool_named("needles"), "specialists")
    judge(stage, "gina", lambda image, expected: ["keep"])
    call_command("curation", "close", "needles")
    call_command("curation", "check", "needles")
    call_command("curation", "status")
    call_command("curation", "export", "needles", "--out", tmp_path / "out")
    printed = capsys.readouterr().out
    assert "kept 4 of 4 images, 2 were wanted" in printed
    assert "every decision is what its votes say" in printed
    assert len(read_records(tmp_path / "out")) == 4
