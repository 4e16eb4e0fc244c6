"""Reports show early votes beside late ones, and places of showing beside each other."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from evalplatform.reports.serve_order import (
    halves_rows,
    order_records,
    places_in_words,
    serve_order_in_words,
)
from evalplatform.reports.table import results_table
from tests import factories
from tests.reports.test_galleries import liking, rows_of, voted, words

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.own_start]


def judged(say, *, start="own"):
    """A campaign that ten annotators judge in turn; `say(nth, slot, who)` is what they press."""
    draft = factories.make_draft(prompts=12, k=10, criteria=["visual_appeal"])
    Campaign.objects.filter(pk=draft.pk).update(rules={"annotation": {"start": start}})
    draft.refresh_from_db()
    open_campaign(campaign=draft)
    people = [enrol(campaign=draft, annotator=Annotator.objects.create()) for _ in range(10)]
    for number, each in enumerate(people):
        each.check_seed = 100_000 * number  # a tenth of the campaign further for each
        each.save()
    for nth in range(12):
        for number, each in enumerate(people):
            slot = factories.lease(each)
            factories.vote(each, slot, say(nth, slot, number))
    return campaign_results(Campaign.objects.get(pk=draft.pk))


def drifting(nth, slot, who):
    """A at first, B later; and ties late."""
    if nth == 11:
        return "tie"
    return factories.pick(slot, int(nth >= 6) if nth % 6 else 1 - int(nth >= 6))


def steady(nth, slot, who):
    return factories.pick(slot, (5 * slot.item.position + 3 * who) % 7 % 2)


def text_of(results):
    html = offline_dashboard(results)
    assert 'id="order-effect"' in html
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_planted_drift_stands_in_json_and_on_the_dashboard():
    results = judged(drifting)
    (found,) = json.loads(json.dumps(results_json(results)))["order_effect"]
    assert found["criterion"] == "visual_appeal"
    net = found["net"]
    assert (net["first"]["value"], net["second"]["value"]) == (pytest.approx(2 / 3), -0.5)
    assert net["low"] > 0
    assert net["p_value"] < 0.01
    assert (found["ties_first"]["value"], found["ties_second"]["value"]) == (
        0,
        pytest.approx(1 / 6),
    )
    assert "Early and late votes" in text_of(results)
    assert "+66.7 [" in text_of(results)
    assert "place of their own" in text_of(results)


def test_without_drift_the_interval_holds_nothing():
    (found,) = judged(steady).order_effects
    assert found.effect.net.low <= 0 <= found.effect.net.high
    assert found.effect.net.p_value > 0.05


def test_page_warns_where_all_begin_at_the_same_item():
    results = judged(drifting, start="first")
    assert "cannot be told apart" in text_of(results)
    assert "cannot be told apart" in words(results_table(results))


def test_drift_on_one_of_many_criteria_is_held_against_all_of_them():
    results = judged(steady)
    (one,) = results.order_effects
    effects = [
        replace(one, criterion=name, criterion_label=name, effect=replace(
            one.effect, net=replace(one.effect.net, p_value=p)))
        for name, p in (("appeal", 0.03), ("text", 0.001), ("hands", 0.6))
    ]  # fmt: skip
    results = replace(results, order_effects=effects)
    appeal, text, hands = serve_order_in_words(results)
    assert appeal.startswith("appeal: preferences do not move beyond chance")
    assert appeal.endswith("Holm p 0.060."), "an interval of this one alone would not say why"
    assert text.startswith("text: people prefer otherwise later")
    assert text.endswith("Holm p 0.003.")
    assert hands.startswith("hands: preferences do not move")
    nets = [each.p for each in halves_rows(results) if each.p != "–"]
    assert nets == ["0.060", "0.003", "0.600"]
    rows = {row["criterion"]: row for row in order_records(results)}
    assert [rows[name]["p_holm"] for name in ("appeal", "text")] == pytest.approx([0.06, 0.003])
    assert rows["appeal"]["p_value"] == 0.03


def moved(share, n_sets=90, p_value=0.001):
    """A place that helps, where arm A stood first so often."""
    net = stats.MeanContrast(value=0.4, low=0.2, high=0.6, p_value=0.001, p_holm=0.001,
                             n_prompts=9, n_annotators=9)  # fmt: skip
    place = stats.PlaceNet(images=4, place=1, n_votes=90, net=net)
    uneven = stats.PlaceShare(
        arm="A", images=4, place=1, share=share, n_sets=n_sets, p_value=p_value
    )
    return stats.PlaceEffect(places=(place,), least_even=uneven, level=0.95)


def test_place_that_helps_is_said_to_favour_nobody_only_where_arms_stand_everywhere_alike():
    assert places_in_words(moved(0.28)).endswith(
        "Every arm stands at every place about equally often, so this favours none."
    )
    assert places_in_words(moved(0.61)).endswith(
        "so it favours some: A is 1 of 4 in 61 % of its 90 sets of 4, where 25 % would be even."
    )


def test_place_is_not_said_to_favour_an_arm_that_few_sets_have_shown_so_far():
    said = places_in_words(moved(1.0, n_sets=1, p_value=1.0))
    assert "favours some:" not in said
    assert said.endswith(
        "Whether it favours some arms cannot be told yet from so few sets: A is 1 of 4 in 100 % of "
        "its 1 set of 4, where 25 % would be even."
    )


def test_campaign_without_votes_has_no_order_effect(campaign):
    results = campaign_results(campaign)
    assert results_json(results)["order_effect"] == []
    assert 'id="order-effect"' not in offline_dashboard(results)


# ---- more than two arms, and single images ------------------------------------------------------


def told(results, kind="galleries"):
    found, *_ = json.loads(json.dumps(results_json(results), allow_nan=False))[kind]
    return found["order_effect"]


def first_shown_best(slot):
    if slot.item.criterion.form == "pair":
        return "left"
    return ">".join(str(at) for at in range(len(slot.order)))


@pytest.mark.parametrize(("form", "places"), [("ranking", 4), ("pair", 1)])
def test_place_that_people_prefer_stands_in_every_report(monkeypatch, form, places):
    monkeypatch.setattr("tests.reports.test_galleries.liking", lambda *_: first_shown_best)
    design = "together" if form == "ranking" else "all-pairs"
    results = campaign_results(voted(form, design=design, prompts=6))
    found = told(results)["places"]["places"]
    assert [each["place"] for each in found] == list(range(1, places + 1))
    assert found[0]["net"]["value"] == pytest.approx(1.0)
    assert found[0]["net"]["p_holm"] < 0.01
    name = "1 of 4" if form == "ranking" else "left of two"
    sentence = f"where an image stands moves what people say of it: {name}, net +100.0 ["
    html = offline_dashboard(results)
    assert 'id="places"' in html
    assert sentence in words(html)
    assert sentence in words(results_table(results))
    rows = {each["measure"]: each for each in rows_of(results)}
    row = rows[f"net_of_place_1_of_{4 if form == 'ranking' else 2}"]
    assert (float(row["value"]), float(row["p_holm"])) == (
        pytest.approx(1.0),
        found[0]["net"]["p_holm"],
    )


def test_place_is_that_of_the_image_shown_there_and_not_of_its_arm():
    """People who see nothing but images: arms differ much, and no place is told to matter."""
    results = campaign_results(voted("ranking", design="together", prompts=8))
    places = told(results)["places"]["places"]
    assert min(each["net"]["p_holm"] for each in places) > 0.05
    assert "does not move what people say of it beyond chance" in words(results_table(results))


def graded_later_lower(nth, choose):
    return lambda slot: str(max(1, int(choose(slot)) - 2 * (nth >= 8)))


def test_grades_that_fall_in_the_course_of_the_work_are_told_and_change_no_order():
    draft = factories.make_draft(
        arms=2, form="rating", prompts=8, k=8, criteria=["visual_appeal"],
        rules={"annotation": {"start": "own"}},
    )  # fmt: skip
    open_campaign(campaign=draft)
    people = [enrol(campaign=draft, annotator=Annotator.objects.create()) for _ in range(8)]
    for number, each in enumerate(people):
        each.check_seed = 125_000 * number
        each.save()
    choose = liking(np.random.default_rng(1), (1.2, 0.8))
    for nth in range(16):
        for each in people:
            slot = factories.lease(each)
            factories.vote(each, slot, graded_later_lower(nth, choose)(slot))
    results = campaign_results(Campaign.objects.get(pk=draft.pk))
    found = told(results, "gradings")["halves"]
    assert found["grades"]["difference"]["low"] > 1
    assert "grades fall by" in text_of(results)
    assert "for all arms alike" in words(results_table(results))
    (row,) = [each for each in rows_of(results) if each["measure"] == "mean_grade_drift"]
    assert float(row["value"]) == found["grades"]["difference"]["value"]


def test_gallery_says_that_answers_do_not_move_where_they_do_not():
    results = campaign_results(voted("pair", design="all-pairs", prompts=6))
    halves = told(results)["halves"]
    assert [each["arm"] for each in halves["arms"]] == ["A", "B", "C", "D"]
    assert "answers do not move beyond chance" in text_of(results)
    assert {"net_drift", "tie_drift"} <= {each["measure"] for each in rows_of(results)}
