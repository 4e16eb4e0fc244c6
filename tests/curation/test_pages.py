"""The pages of pools: figures as they are worked out, stages opened and closed."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.curation.figures import agreement_of, concepts_of, funnel_of, pace_of
from evalplatform.curation.people import people_of
from evalplatform.curation.scoring_progress import scoring_progress
from evalplatform.curation.services import StagePlan, close_stage, open_stage
from evalplatform.curation.services.scoring import ScoringPlan, request_scoring
from evalplatform.curation.tasks import score_shards
from tests.curation.pools import write_gold

pytestmark = pytest.mark.django_db(transaction=True)


def test_figures_of_two_stages(needles, judge, tmp_path):
    gold = write_gold(tmp_path / "gold", excellent=1, bad=1)
    plan = StagePlan("generalists", gold=gold, gold_rate=0.5)
    first = open_stage(pool=needles, plan=plan, now=timezone.now()).stage
    judge(
        first,
        "gina",
        lambda image, known: ["keep" if image is None or image.position else "reject"],
    )
    (gina,) = people_of(first)
    assert (gina.kept.hits, gina.kept.total) == (5, 6)
    assert (gina.excellent.hits, gina.bad.hits) == (gina.excellent.total, gina.bad.total)
    assert pace_of(first, timezone.now()).done == 6
    close_stage(stage=first, now=timezone.now())
    plan = StagePlan("specialists", k=2, people=("anna", "ben"), heads=("Light", "Story"))
    second = open_stage(pool=needles, plan=plan, now=timezone.now()).stage
    for person in ("anna", "ben"):
        judge(
            second,
            person,
            lambda image, known: ["keep", "Light"] if image.position == 1 else ["keep"],
        )
    by_head = {each.head: each for each in agreement_of(second)}
    assert by_head["Light"].alpha.value == pytest.approx(1.0)
    assert (by_head["Light"].failed, by_head["Light"].judgements) == (2, 10)
    assert by_head["Story"].alpha.value is None  # nobody marked it
    close_stage(stage=second, now=timezone.now())
    assert [(each.before, each.left) for each in funnel_of(needles)] == [(12, 6), (6, 5), (5, 4)]
    assert sum(each.left for each in concepts_of(needles)) == 4


def test_editor_opens_and_closes_a_stage_on_the_page(needles, judge, rania, client):
    client.force_login(rania)
    page = reverse("curation:pool", args=["needles"])
    listed = client.get(reverse("curation:list")).content.decode()
    assert page in listed
    opening = reverse("curation:open", args=["needles"])
    answer = client.post(opening, {"kind": "specialists", "k": "3", "people": "anna\nben"})
    assert answer.status_code == 400
    assert "k 3 is above the 2 people" in answer.content.decode()
    answer = client.post(opening, {"kind": "specialists", "k": "2", "people": "anna\nben",
                                   "heads": "emu"})  # fmt: skip
    assert answer.content.decode().count("?invite=") == 2
    stage = needles.stages.get()
    judge(stage, "anna", lambda image, known: ["keep"])
    closing = reverse("curation:close", args=["needles", "specialists"])
    shown = client.post(closing, {"action": "finished"}, follow=True).content.decode()
    assert "6 judgements are missing" in shown
    shown = client.post(closing, {"action": "unfinished"}, follow=True).content.decode()
    assert "curation export needles" in shown
    needles.stages.get(closed_at__isnull=False)
    assert "secret-concept-0" in shown


def test_scoring_is_shown_and_steered_on_the_page(needles, rania, client, tmp_path, monkeypatch):
    monkeypatch.setattr("evalplatform.curation.tasks.close_old_connections", lambda: None)
    plan = ScoringPlan(("size",), tmp_path, collection=needles.collection, options={"ocr": "x"})
    scoring = request_scoring(project=needles.project, name="again", plan=plan)
    score_shards()
    client.force_login(rania)
    shown = client.get(reverse("curation:pool", args=["needles"])).content.decode()
    assert "collection needles: size" in shown
    assert "for ocr, which is not among the scorers" in shown
    steer = reverse("curation:steer", args=["again"])
    for action, said in (("retry", "1 failed job of again queued again"),
                         ("pause", "again is paused"), ("resume", "again goes on"),
                         ("burn", "not something that can be done"),
                         ("cancel", "1 job dropped"), ("resume", "was cancelled")):  # fmt: skip
        assert said in client.post(steer, {"action": action}, follow=True).content.decode()
    part = client.get(reverse("curation:list") + "?part").content.decode()
    assert 'data-active="0"' in part
    assert scoring_progress(scoring).jobs == 1
