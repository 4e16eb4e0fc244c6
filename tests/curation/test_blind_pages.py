"""What a reviewer, a writer and an approver get holds nothing of scores, concepts or file names."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import ShownImage
from evalplatform.curation.services import StagePlan, close_stage, open_stage, step_captions
from tests.annotation.test_views import everything
from tests.curation.pools import make_pool, write_gold

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}
HEADS = ("Lighting", "Story")


class Reader:
    """A browser that keeps all that it gets, and judges whatever it is given."""

    def __init__(self, campaign, secret=""):
        self.client = Client()
        self.got = []  # (address, every byte of the answer)
        self.shown = []  # sets
        self.page = reverse("annotation:work", args=[campaign.invitation])
        invited = {"invite": secret} if secret else {}
        self._keep(self.client.get(self.page, invited, follow=True))
        self.html = self._keep(self.client.post(f"{self.page}begin/", follow=True)).content.decode()

    def judge_all(self, says):
        """Answer everything, as `says` (a set) tells; return how much that was."""
        count = 0
        while (state := self._state())["state"] == "judge":
            for each in state["sets"]:
                self.shown.append(each)
                for url in each["images"]:
                    self._keep(self.client.get(url))
            shown = state["sets"][0]
            self._keep(self.client.get(self.page))
            fields = {name: shown[name] for name in ("assignment", "idempotency_key")}
            fields |= {"answer": says(shown), "want": 4}
            assert (
                self._keep(self.client.post(f"{self.page}vote/", fields, **JSON)).status_code == 200
            )
            count += 1
        self._keep(self.client.get(self.page))
        return count

    def _state(self):
        return self._keep(self.client.get(f"{self.page}next/", {"want": 4}, **JSON)).json()

    def _keep(self, response):
        self.got.append((response.request["PATH_INFO"], everything(response)))
        return response


def secrets_of(pool, *campaigns):
    """What nobody who judges may read anywhere."""
    found = [
        "needles", "secret-concept", "ocr/words", "popularity", "CC0-1.0", "gold", "concept",
        "score",
        "checkpoint", "drawings", "a thing number", pool.rules_sha256, pool.scores_sha256,
        pool.collection.sha256, pool.collection.model,
    ]  # fmt: skip
    for each in pool.images.select_related("image"):
        found += [each.image.source_sha256, each.image.image_sha256, each.image.image]
    for image in ShownImage.objects.filter(image_set__campaign__in=campaigns):
        found += image.copies
    found += [each.slug for each in campaigns]
    return [each for each in found if each]


def assert_blind(reader, secrets):
    assert len(reader.got) > 8
    for path, content in reader.got:
        for secret in secrets:
            assert secret.encode() not in content, f"{secret} in {path}: {_around(content, secret)}"


def _around(content, secret):
    at = content.index(secret.encode())
    return content[max(0, at - 60) : at + 60]


def test_reviewers_writers_and_approvers_read_nothing_that_would_sway_them(
    db, early_gold, tmp_path
):
    now = timezone.now()
    pool = make_pool(tmp_path / "pool", 8)
    gold = write_gold(tmp_path / "known", excellent=2, bad=2, accepted=1, rejected=1)
    plan = StagePlan("generalists", gold=gold, gold_rate=0.3, grid=4)
    stage = open_stage(pool=pool, plan=plan, now=now).stage
    generalist = Reader(stage.campaign)
    assert generalist.judge_all(lambda shown: "keep") > 8  # gold too
    assert_blind(generalist, secrets_of(pool, stage.campaign))
    assert (
        generalist.html.count("data-good") == 4
    )  # the examples, beside the image and with the instructions

    close_stage(stage=stage, now=now)
    plan = StagePlan("specialists", k=1, people=("anna",), heads=HEADS)
    opened = open_stage(pool=pool, plan=plan, now=now)
    specialist = Reader(opened.stage.campaign, opened.invitations[0][1])
    assert specialist.judge_all(lambda shown: "keep") == 8
    assert_blind(specialist, secrets_of(pool, opened.stage.campaign))
    close_stage(stage=opened.stage, now=now)

    writing = step_captions(pool=pool, people=("anna",), now=now)
    writer = Reader(writing.campaign, writing.invitations[0][1])
    assert writer.judge_all(lambda shown: f"A picture, {shown['assignment']}.") == 8
    assert_blind(writer, secrets_of(pool, writing.campaign))
    known = write_gold(tmp_path / "captions", right=2, wrong=2)
    approval = step_captions(pool=pool, people=("ben",), now=now, gold=known, gold_rate=0.3)
    approver = Reader(approval.campaign, approval.invitations[0][1])
    assert approver.judge_all(lambda shown: "approve") > 8  # gold too
    wrote = Vote.objects.filter(form="caption").first().annotator
    assert_blind(approver, [*secrets_of(pool, approval.campaign), wrote.pseudonym])
    texts = {each["prompt"] for each in approver.shown}
    written = set(Vote.objects.filter(form="caption").values_list("answer", flat=True))
    assert written < texts <= written | {"It is right.", "It is wrong."}
    assert len({tuple(sorted(each)) for each in approver.shown}) == 1  # gold has no other field


def test_hunt_would_find_a_concept(db, tmp_path):
    pool = make_pool(tmp_path / "pool", 2)
    stage = open_stage(pool=pool, plan=StagePlan("alignment"), now=timezone.now()).stage
    reader = Reader(stage.campaign)  # this stage shows the caption
    reader.judge_all(lambda shown: "keep")
    with pytest.raises(AssertionError, match="a thing number"):
        assert_blind(reader, secrets_of(pool, stage.campaign))
