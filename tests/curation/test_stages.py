"""Two stages of people: who is asked what, what each keeps, and what is refused."""

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from evalplatform.annotation.models import Assignment
from evalplatform.core.errors import BadInputError
from evalplatform.curation.figures import kept_counts
from evalplatform.curation.guideline import HEADS, WORDS, plan_stage
from evalplatform.curation.models import Pool, Promotion, Stage
from evalplatform.curation.selectors import differing_decisions, kept_so_far
from evalplatform.curation.services import StagePlan, close_stage, open_stage
from tests.curation.pools import png, write_gold

pytestmark = pytest.mark.django_db(transaction=True)
EMU = ("Composition", "Lighting", "Colour and contrast", "Subject and background", "Story")


def start(pool, kind, **options):
    return open_stage(pool=pool, plan=StagePlan(kind, **options), now=timezone.now()).stage


def close(stage, **options):
    return close_stage(stage=stage, now=timezone.now(), **options)


def by_position(*answers):
    """Judge each image of the pool by its place in the collection; gold as it is known."""

    def says(image, expected):
        if image is None:
            return ["keep" if expected == [2] else "reject"]
        return answers[image.position].split("+")

    return says


def test_generalists_spare_what_specialists_then_choose_from(needles, judge):
    stage = start(needles, "generalists")
    judge(stage, "gina", by_position("keep", "unsure", "reject", "keep", "reject", "keep"))
    close(stage)
    assert [each.image.position for each in kept_so_far(needles)] == [0, 1, 3, 5]

    experts = ("anna", "ben", "cleo")
    stage = start(needles, "specialists", heads=EMU, people=experts, target=2)
    assert stage.campaign.chosen.count() == stage.campaign.item_count == 4
    every = by_position("keep", "keep", "", "keep", "", "keep")
    judge(stage, "anna", every)
    judge(stage, "ben", by_position("keep", "unsure", "", "keep+Lighting", "", "keep"))
    with pytest.raises(BadInputError, match="4 judgements are missing"):
        close(stage)
    judge(stage, "cleo", every)
    stage = close(stage)
    why = {each.pool_image.image.position: (each.kept, each.why) for each in
           stage.promotions.select_related("pool_image__image")}  # fmt: skip
    assert why == {
        0: (True, "kept by 3 of 3"), 1: (False, "1 of 3 unsure"),
        3: (False, "failed: Lighting (1 of 3)"), 5: (True, "kept by 3 of 3"),
    }  # fmt: skip
    assert not Assignment.objects.filter(completed_at=None).exists()  # exactly k
    protocol = stage.campaign.protocol
    assert protocol["chosen_images"]["count"] == 4
    assert protocol["criteria"][0]["heads"] == list(EMU)
    assert not differing_decisions(stage)
    with pytest.raises(BadInputError, match="was closed before"):
        close(stage)


def test_vote_that_no_longer_counts_is_told_beside_the_decision_that_stays(needles, judge):
    from evalplatform.quality.services import exclude_by_hand

    stage = start(needles, "generalists")
    judge(stage, "gina", lambda image, expected: ["keep"])
    stage = close(stage)
    exclude_by_hand(enrolment=stage.campaign.enrolments.get(), reason="a test", now=timezone.now())
    assert len(differing_decisions(stage)) == 6
    assert stage.promotions.filter(kept=True).count() == 6


def test_unfinished_stage_keeps_only_what_it_has_judgements_for(needles, judge):
    stage = start(needles, "specialists", k=2, people=("anna", "ben"))
    judge(stage, "anna", lambda image, expected: ["keep"])
    stage = close(stage, unfinished=True)
    assert set(stage.promotions.values_list("kept", "why")) == {(False, "judged by 1 of 2")}
    with pytest.raises(BadInputError, match="kept no image"):
        start(needles, "generalists")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"kind": "specialists", "people": ("anna", "ben")}, r"^k 3 is above the 2 people"),
        ({"kind": "specialists"}, r"^k 3 is above the 0 people"),
        ({"kind": "generalists", "target": 7}, "above the 6 images"),
        ({"kind": "generalists", "target": 0}, "at least 1"),
        ({"kind": "generalists", "keep": "most"}, "accepted are any, all"),
        ({"kind": "generalists", "k": 0}, "k = 0"),
        ({"kind": "captains"}, "no stage 'captains'"),
        ({"kind": "generalists", "people": ("anna", "anna")}, "somebody twice"),
        ({"kind": "generalists", "gold_rate": 0.0}, "rate of gold"),
        ({"kind": "generalists", "grid": 12, "heads": EMU}, "speak of one image alone"),
        ({"kind": "alignment", "grid": 12}, "speak of one image alone"),
        ({"kind": "generalists", "grid": 13}, "grid"),
    ],
)
def test_stage_that_cannot_be_is_refused(needles, plan, words):
    with pytest.raises(BadInputError, match=words):
        start(needles, **plan)
    assert not Stage.objects.exists()


def test_stage_that_kept_nothing_leaves_no_image(needles, judge):
    stage = start(needles, "generalists")
    judge(stage, "gina", lambda image, expected: ["keep"])
    close(stage)
    assert kept_counts([needles]) == {needles.pk: 6}
    stage = start(needles, "specialists", k=1, people=("anna",))
    judge(stage, "anna", lambda image, expected: ["reject"])
    close(stage)
    assert kept_counts([needles]) == {needles.pk: 0}


def test_stage_waits_for_the_one_before_and_is_once(needles, judge):
    stage = start(needles, "generalists")
    with pytest.raises(BadInputError, match="is still open; close it first"):
        start(needles, "specialists", k=1, people=("anna",))
    judge(stage, "gina", lambda image, expected: ["keep"])
    close(stage)
    with pytest.raises(BadInputError, match="was opened before"):
        start(needles, "generalists")


def test_gold_is_mixed_in_unseen_and_none_of_it_may_be_in_the_pool(
    needles, judge, tmp_path, steady_turns
):
    gold = write_gold(tmp_path / "gold", excellent=2, bad=1, accepted=1, rejected=1)
    (gold / "bad" / "own.png").write_bytes(png(0))
    with pytest.raises(BadInputError, match=r"own\.png is an image of the pool too"):
        start(needles, "generalists", gold=gold)
    assert not needles.stages.exists()
    (gold / "bad" / "own.png").unlink()
    stage = start(needles, "generalists", gold=gold, gold_rate=0.5)
    checks = stage.campaign.image_sets.filter(purpose="check")
    assert sorted(each.expected[0] for each in checks) == [0, 2, 2]
    examples = stage.campaign.image_sets.filter(purpose="example").order_by("expected")
    assert [(each.expected, each.why) for each in examples] == [
        ([0], "It is rejected."), ([2], "It is accepted."),
    ]  # fmt: skip
    met = judge(stage, "gina", by_position(*["keep"] * 6))
    assert met > 6  # the images and some gold
    assert close(stage).promotions.count() == 6


def test_database_refuses_what_no_stage_could_decide(needles, judge):
    stage = start(needles, "generalists")
    judge(stage, "gina", by_position(*["keep"] * 5, "reject"))
    stage = close(stage)
    dropped = needles.images.get(image__position=5)
    with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
        Promotion.objects.filter(pool_image=dropped).update(kept=True)
    later = start(needles, "specialists", k=1, people=("anna",))
    with pytest.raises(IntegrityError, match="did not keep it"), transaction.atomic():
        Promotion.objects.create(stage=later, pool_image=dropped, kept=True, why="smuggled")
    chosen = later.campaign.chosen
    with pytest.raises(IntegrityError, match="or this has opened"), transaction.atomic():
        chosen.create(image=dropped.image)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        chosen.update(text="another")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        chosen.all().delete()
    with pytest.raises(IntegrityError, match="stage_one_open"), transaction.atomic():
        Stage.objects.filter(pk=stage.pk).update(closed_at=None, decisions_sha256="")
    assert Pool.objects.count() == 1


def test_stage_asks_in_every_language_and_own_words_stay(needles):
    plan = StagePlan("specialists", heads=(*HEADS["emu"][:2], "Mood"), people=("a", "b", "c"))
    stage = open_stage(pool=needles, plan=plan, now=timezone.now()).stage
    criterion = stage.campaign.criteria.get()
    assert set(criterion.translations) == {code for code, _ in settings.LANGUAGES} - {"en"}
    german = criterion.translations["de"]
    assert german["question"] == "Gehört dieses Bild zu den allerbesten?"
    assert german["heads"] == ["Komposition", "Beleuchtung", "Mood"]
    assert "5 Geschichte:" in german["instructions"]
    own = plan_stage("generalists", k=1, heads=(), question="Is it blue?")
    assert own.translations == {}
    for kind in WORDS:
        for code, words in plan_stage(kind, k=1, heads=HEADS["emu"]).translations.items():
            assert words["question"] != WORDS[kind].question, (kind, code)
            lines = words["instructions"].split("\n")
            assert not set(lines) & set(WORDS[kind].instructions), (kind, code)
            assert not set(words["heads"]) & set(HEADS["emu"]) - {"Composition"}, code
