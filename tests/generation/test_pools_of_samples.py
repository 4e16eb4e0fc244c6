"""Pools of a checkpoint's own samples, made by a real worker, and judged as Style Tailoring needs.

Sinha et al. 2023: one set whose images match their prompts, judged with the prompt shown; one whose
images are in the style, judged by experts who do not see it.
"""

import json
import time
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.presentation import set_shown
from evalplatform.annotation.services import Answer, enrol, lease_items, record_vote
from evalplatform.curation.models import Pool
from evalplatform.curation.selectors import pool_named, stage_named
from evalplatform.generation.models import Sample
from evalplatform.promptsets.services import import_content
from models_backend.data.manifest import read_records
from tests import live

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]
PATIENCE = 120  # seconds


@pytest.fixture
def stickers(two_checkpoints):
    rows = [
        {"prompt": f"a sticker of thing {number}", "tags": [f"emotion-{number}"]}
        for number in range(3)
    ]
    return import_content(
        project=default_project(), name="stickers", source="stickers.jsonl", licence="CC0-1.0",
        content="\n".join(json.dumps(row) for row in rows).encode(),
    ).prompt_set  # fmt: skip


def bring(name):
    call_command(
        "curation", "import", checkpoint="one", prompts="stickers", seeds=2, steps=2, name=name,
        licence="CC0-1.0", processes=1,
    )  # fmt: skip


def judge(stage, says):
    """Let somebody judge all of a stage; return what they were shown."""
    enrolment = enrol(campaign=stage.campaign, annotator=Annotator.objects.create())
    shown = []
    while held := lease_items(enrolment=enrolment, want=1, now=timezone.now()):
        image = held[0].item.image_set.images.get().collected
        shown.append((image, set_shown(held[0])))
        record_vote(
            enrolment=enrolment, now=timezone.now(),
            answer=Answer(held[0].public_id, says(image), uuid.uuid4()),
        )  # fmt: skip
        enrolment.refresh_from_db()
    return shown


def test_samples_become_pools_judged_for_alignment_and_for_style(stickers, tmp_path, capsys):
    with pytest.raises(CommandError, match="0 of 6 samples are made; the workers are asked"):
        bring("stickers-content")
    assert not Pool.objects.exists()
    with live.worker():
        until = time.monotonic() + PATIENCE
        while Sample.objects.exclude(status="ready").exists():
            assert time.monotonic() < until, "the worker made no samples"
            time.sleep(0.1)
    bring("stickers-content")
    bring("stickers-style")  # no worker is needed: they are there
    assert Sample.objects.count() == 6

    content = pool_named("stickers-content")
    assert content.images.count() == 6
    assert set(content.images.values_list("concept", flat=True)) == {
        "emotion-0", "emotion-1", "emotion-2"
    }  # fmt: skip
    call_command("curation", "open", "stickers-content", stage="alignment")
    shown = judge(stage_named(content, "alignment"), lambda image: "keep")
    assert len(shown) == 6
    for image, told in shown:
        assert told["prompt"] == image.prompt.text == image.caption
    call_command("curation", "close", "stickers-content")
    call_command("curation", "export", "stickers-content", out=tmp_path / "content")
    records = read_records(tmp_path / "content")
    texts = [each.text for each in stickers.prompts.all()]
    assert sorted(each.caption for each in records) == sorted(texts * 2)

    call_command("curation", "open", "stickers-style", stage="style", people="dora", k=1)
    style = pool_named("stickers-style")
    shown = judge(
        stage_named(style, "style"), lambda image: "reject" if image.position % 2 else "keep"
    )
    assert len(shown) == 6
    assert not any("prompt" in told for _, told in shown)
    call_command("curation", "close", "stickers-style")
    call_command("curation", "export", "stickers-style", out=tmp_path / "style")
    assert len(read_records(tmp_path / "style")) == 3
    mark = json.loads((tmp_path / "style" / "dataset.json").read_text())["curation"]
    assert mark["source"] == "samples of one for stickers@1, 2 a prompt"
