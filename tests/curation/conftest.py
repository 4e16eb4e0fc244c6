"""A pool of six images, and people who judge it through the services that pages use."""

import shutil
import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import Answer, enrol, lease_items, record_vote
from evalplatform.campaigns.models import ImageSet
from evalplatform.curation.services import StagePlan, close_stage, open_stage
from tests.curation.pools import make_pool


@pytest.fixture(autouse=True)
def _empty_imports():
    yield
    for folder in ("imports", "objects/collections"):
        shutil.rmtree(Path(settings.VAR_DIR) / folder, ignore_errors=True)


@pytest.fixture
def needles(db, tmp_path):
    return make_pool(tmp_path / "pool", 6)


@pytest.fixture
def early_gold(monkeypatch):
    """Let everybody who begins draw the same turns, with gold among the first of them."""
    seed = Enrolment._meta.get_field("check_seed")
    monkeypatch.setattr(seed, "_get_default", lambda: 2)


@pytest.fixture
def judge():
    """Let somebody judge all that a stage offers them.

    `says` is given the image (a collected one; None for gold) and the grade that is expected of
    gold, and returns the answer and the heads marked. Where hidden gold comes is the same each
    time: at a rate of one half, three of the first four turns are it.
    """

    def run(stage, pseudonym, says):
        annotator, _ = Annotator.objects.get_or_create(pseudonym=pseudonym)
        enrolment = enrol(campaign=stage.campaign, annotator=annotator)
        enrolment.check_seed = 0
        enrolment.save(update_fields=["check_seed"])
        count = 0
        while held := lease_items(enrolment=enrolment, want=1, now=timezone.now()):
            shown = ImageSet.objects.get(items__assignments=held[0])
            answer, *heads = says(shown.images.get().collected, shown.expected)
            record_vote(
                enrolment=enrolment, now=timezone.now(),
                answer=Answer(held[0].public_id, answer, uuid.uuid4(), marks=tuple(heads)),
            )  # fmt: skip
            enrolment.refresh_from_db()
            count += 1
        return count

    return run


@pytest.fixture
def kept(needles, judge):
    """The pool of six images, of which people kept the first four."""
    stage = open_stage(pool=needles, plan=StagePlan("generalists"), now=timezone.now()).stage
    judge(stage, "gina", lambda image, _: ["keep" if image.position < 4 else "reject"])
    close_stage(stage=stage, now=timezone.now())
    return needles
