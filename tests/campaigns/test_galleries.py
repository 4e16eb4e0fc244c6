"""A gallery of three arms and more: faults, withheld images and several images of each prompt."""

import pytest

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns import walking
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.safety import filter_counts
from evalplatform.campaigns.sample_faults import frozen_faults
from evalplatform.campaigns.selectors import sample_seed
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.quality.services import make_gold
from evalplatform.runs.checking import filter_summary
from tests import factories, faulty, safety
from tests.running import AS_USUAL, run_eval

pytestmark = pytest.mark.django_db
APPEAL = {"criteria": ["visual_appeal"]}
# Prompt 0 is unsafe for A, 1 for B, 2 for A and C, 3 for all.
UNSAFE = {
    (0, "a"): 0.9, (1, "b"): 0.5, (2, "a"): 0.6, (2, "c"): 1.0,
    (3, "a"): 0.8, (3, "b"): 0.8, (3, "c"): 0.8,
}  # fmt: skip


def shown(campaign):
    """Return for each set the text of its prompt and the letters of its arms, sorted."""
    return sorted(
        (each.prompt.text, "".join(image.arm.letter for image in each.images.all()))
        for each in campaign.image_sets.main().select_related("prompt")
    )


def opened(**options):
    draft = safety.make_draft(UNSAFE, arms=3, **APPEAL, **options)
    safety.check(draft)
    open_campaign(campaign=draft)
    return draft


# ---- withheld images


def test_sets_with_a_withheld_image_alone_are_left_out(red_detector):
    campaign = opened(prompts=5)
    rows = campaign.withheld.order_by("sample__prompt__position", "arm__place")
    assert [(row.sample.prompt.text, row.arm.letter) for row in rows] == [
        ("apple", "A"), ("cats", "B"), ("lighthouse", "A"), ("lighthouse", "C"),
        ("train", "A"), ("train", "B"), ("train", "C"),
    ]  # fmt: skip
    assert shown(campaign) == [
        ("apple", "BC"), ("cats", "AC"), ("puppies", "AB"), ("puppies", "AC"), ("puppies", "BC"),
    ]  # fmt: skip
    assert campaign.item_count == 5


def test_what_was_withheld_is_counted_by_arm_and_by_set(red_detector):
    counts = filter_counts(opened(prompts=5))
    assert (counts.prompts, counts.filtered, counts.sets, counts.dropped) == (5, 4, 15, 10)
    assert [counts.unsafe(place) for place in range(3)] == [3, 2, 2]
    assert [counts.only(place) for place in range(3)] == [1, 1, 0]
    assert counts.patterns == {(0,): 1, (1,): 1, (0, 2): 1, (0, 1, 2): 1}
    assert counts.sentence == (
        "4 of 5 prompts filtered (3 for A, 2 for B, 2 for C): 10 of 15 sets left out"
    )


def test_ranking_of_all_loses_every_prompt_with_a_withheld_image(red_detector):
    campaign = opened(prompts=6, form="ranking", design="together")
    assert shown(campaign) == [("puppies", "ABC"), ("violin", "ABC")]


def test_single_images_lose_none_but_what_is_withheld(red_detector):
    campaign = opened(prompts=5, form="rating")
    assert campaign.withheld.count() == 7
    assert len(shown(campaign)) == 15 - 7
    assert ("lighthouse", "B") in shown(campaign)


def test_gold_of_a_gallery_shows_no_withheld_image(red_detector):
    draft = safety.make_draft(UNSAFE, arms=3, prompts=8)
    safety.check(draft)
    make_gold(campaign=draft, counts={"check": 6})
    visible = {"puppies", "violin", "mountains", "balloon"}
    for each in draft.image_sets.gold():
        assert each.origin["prompt"] in visible
        assert {other["prompt"] for other in each.origin.get("others", [])} <= visible


# ---- faults of samples


def test_faults_are_counted_for_every_arm_once_however_many_sets_it_stands_in():
    rules = {"samples": {"allow_constant": 1, "allow_identical": 1, "allow_cut": 1}}
    draft = faulty.make_draft(
        arms=3, rules=rules, constant=[0], identical=[1], cut_a=[1], cut_c=[2, 3]
    )
    open_campaign(campaign=draft)
    faults = frozen_faults(draft)
    assert [each.images for each in faults.arms] == [4, 4, 4]
    assert [each.of_one_colour for each in faults.arms] == [1, 0, 0]
    assert [each.prompts_cut for each in faults.arms] == [1, 0, 2]
    # Of three pairs a prompt: A and B are the same on prompt 1.
    assert (faults.sets, faults.identical) == (12, 1)
    # Prompt 0 alone is read in full in all its pairs.
    assert (faults.prompts, faults.read_in_full_by_all) == (4, 1)
    assert faults.lines(["one", "two", "three"])[2].startswith("C = three: 2 of 4 prompts read")
    assert faults.lines(["one", "two", "three"])[3] == "the same image twice: 1 of 12 sets"


def test_fault_of_the_third_arm_keeps_a_gallery_from_opening():
    draft = faulty.make_draft(arms=3, cut_c=[2])
    with pytest.raises(BadInputError, match=r"1 of 4 prompts are cut .* \(C\)") as refused:
        open_campaign(campaign=draft)
    assert "--allow-cut 0.25`" in refused.value.by_command


def test_the_same_image_twice_in_a_ranking_is_a_fault():
    draft = faulty.make_draft(arms=3, form="ranking", design="together", identical=[0])
    with pytest.raises(BadInputError, match=r"1 of 4 sets show the same image twice"):
        open_campaign(campaign=draft)


def test_single_images_are_no_sets_that_could_show_one_twice():
    """The share is of sets of several images: single ones would only dilute it."""
    rules = {"samples": {"allow_identical": 0.2}}
    criteria = [
        factories.plan_criterion("visual_appeal", 2),
        factories.plan_criterion("text_faithfulness", 2, "rating"),
    ]
    draft = faulty.make_draft(criteria=criteria, rules=rules, identical=[0])
    with pytest.raises(BadInputError, match=r"1 of 4 sets show the same image twice"):
        open_campaign(campaign=draft)


# ---- several images of each prompt


def test_each_image_of_a_prompt_meets_the_other_arms_image_of_its_seed():
    draft = factories.make_draft(prompts=2, images_per_prompt=3, **APPEAL)
    assert Sample.objects.count() == 2 * 2 * 3
    open_campaign(campaign=draft)
    sets = draft.image_sets.main()
    assert (sets.count(), draft.item_count) == (6, 6)
    seeds = [{image.sample.seed for image in each.images.all()} for each in sets]
    assert all(len(each) == 1 for each in seeds)
    wanted = {
        sample_seed(draft.seed, prompt, number)
        for prompt in draft.prompt_sets.get().prompts.all()
        for number in range(3)
    }
    assert set().union(*seeds) == wanted
    assert len(wanted) == 6
    assert draft.protocol["images_per_prompt"] == 3


def test_run_eval_takes_several_images_of_each_prompt():
    draft = factories.make_draft(arms=3, prompts=2, images_per_prompt=2, rules=AS_USUAL, **APPEAL)
    run_eval(draft, "--criteria=visual_appeal", "--images-per-prompt=2")
    assert draft.status == "open"
    assert draft.item_count == 3 * 2 * 2


def test_each_image_of_a_prompt_is_withheld_by_itself(red_detector):
    """Images of one prompt follow each other: 0 and 1 are of the first prompt."""
    draft = safety.make_draft(
        {(0, "a"): 0.9, (3, "b"): 0.9}, prompts=2, images_per_prompt=2, **APPEAL
    )
    safety.check(draft)
    open_campaign(campaign=draft)
    counts = filter_counts(draft)
    assert (counts.prompts, counts.filtered, counts.sets, counts.dropped) == (2, 2, 4, 2)
    assert counts.sentence == (
        "2 of 2 prompts filtered: 1 for A, 1 for B, 0 for both; 2 of 4 sets left out"
    )
    assert shown(draft) == [("apple", "AB"), ("cats", "AB")]


def test_prompt_that_lost_two_images_is_filtered_once(red_detector):
    draft = safety.make_draft(
        {(0, "a"): 0.9, (1, "a"): 0.9, (1, "b"): 0.9}, prompts=3, images_per_prompt=2, **APPEAL
    )
    safety.check(draft)
    planned = filter_summary(draft)
    open_campaign(campaign=draft)
    counts = filter_counts(draft)
    assert (counts.filtered, counts.unsafe(0), counts.unsafe(1)) == (1, 1, 1)
    said = "1 of 3 prompts filtered: 0 for A, 0 for B, 1 for both; 2 of 6 sets left out"
    assert counts.sentence == said
    assert planned.endswith(said)


def test_faults_count_every_image_of_a_prompt():
    rules = {"samples": {"allow_constant": 1, "allow_cut": 1}}
    draft = faulty.make_draft(prompts=2, images_per_prompt=2, rules=rules, constant=[0], cut_b=[1])
    open_campaign(campaign=draft)
    faults = frozen_faults(draft)
    assert [each.images for each in faults.arms] == [4, 4]
    assert faults.arms[0].of_one_colour == 1
    assert faults.arms[1].prompts_cut == 1
    assert (faults.sets, faults.prompts, faults.read_in_full_by_all) == (4, 2, 1)


def test_prompt_of_several_images_is_read_once():
    rules = {"samples": {"allow_cut": 0.5}}
    draft = faulty.make_draft(prompts=2, images_per_prompt=2, rules=rules, cut_b=[0, 1])
    open_campaign(campaign=draft)
    faults = frozen_faults(draft)
    assert [each.prompts_read_in_full for each in faults.arms] == [2, 1]
    assert [each.prompts_cut for each in faults.arms] == [0, 1]
    assert faults.arms[1].reading_in_words.startswith("1 of 2 prompts read in full, 1 cut (61 %")


# ---- sets are read by the batch


def opened_in(slug):
    draft = factories.make_draft(
        slug=slug, prompts=5, arms=4, design="random=2", rules={"quality": {"repeat_rate": 0.1}},
        criteria=["visual_appeal", plan_criterion("text_faithfulness", 2, "rating")],
    )  # fmt: skip
    open_campaign(campaign=draft)
    items = draft.items.main().select_related("criterion", "image_set__prompt")
    return [
        (item.position, item.criterion.slug, item.image_set.position,
         item.image_set.prompt.position,
         [image.arm.place for image in item.image_set.images.all()], item.copy, item.repeatable,
         list(item.assignments.order_by("slot").values_list("order", "serve_order")))
        for item in items.order_by("position")
    ]  # fmt: skip


def test_how_many_prompts_are_read_at_a_time_changes_nothing(monkeypatch):
    at_once = opened_in("at-once")
    monkeypatch.setattr(walking, "_PROMPTS_AT_A_TIME", 2)
    assert opened_in("in-parts") == at_once
    assert len(at_once) == 5 * (2 + 4)
