"""Designs: who meets whom, and which designs would leave somebody out."""

from collections import Counter

import numpy as np
import pytest

from evalplatform.campaigns.designs import Design, refuse_unconnected
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from tests import factories

NAMES = ["ant", "bee", "cat", "dog"]


def plan(text, names=tuple(NAMES), prompts=5, seed=0):
    design = Design.parse(text)
    design.check(names)
    return design.plan(names, prompts, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "text", ["all-pairs", "together", "against=bee", "against=a=b", "random=3"]
)
def test_design_is_read_and_written_as_the_same_line(text):
    assert str(Design.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "pairs", "against", "against=", "random", "random=", "random=0", "random=-1", "random=x",
     "random=\u0663", "random=1000000", "random=" + "9" * 5000,
     "all-pairs=2", "together=3"],
)  # fmt: skip
def test_line_that_is_no_design_is_refused_with_those_there_are(text):
    with pytest.raises(BadInputError) as refused:
        Design.parse(text)
    assert str(refused.value) == (
        f"no design {text[:100]!r}; accepted are all-pairs, against=NAME, random=M or together."
    )


def test_all_pairs_meet_on_every_prompt():
    every = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert plan("all-pairs") == [every] * 5
    assert Design.parse("all-pairs").size == 2


def test_baseline_meets_everybody_and_nobody_else_meets():
    assert plan("against=cat") == [[(0, 2), (1, 2), (2, 3)]] * 5


def test_together_shows_all_at_once():
    assert plan("together") == [[(0, 1, 2, 3)]] * 5
    assert Design.parse("together").size is None


@pytest.mark.parametrize(("names", "sets", "prompts"), [(4, 1, 60), (4, 4, 30), (5, 3, 7)])
def test_random_pairs_come_equally_often_and_once_a_prompt(names, sets, prompts):
    letters = "abcde"[:names]
    dealt = plan(f"random={sets}", letters, prompts)
    assert all(len(each) == len(set(each)) == sets for each in dealt)
    pairs = names * (names - 1) // 2
    counts = Counter(pair for each in dealt for pair in each)
    assert len(counts) == pairs
    assert max(counts.values()) - min(counts.values()) <= 1
    assert dealt == plan(f"random={sets}", letters, prompts)
    assert dealt != plan(f"random={sets}", letters, prompts, seed=1)


def test_random_pairs_that_leave_arms_unconnected_are_refused_and_named():
    """Two prompts with one pair each join at most three of four arms."""
    with pytest.raises(BadInputError) as refused:
        plan("random=1", prompts=2)
    told = str(refused.value)
    assert told.startswith("with this design ")
    assert " never meet, so they cannot be ranked together; use more prompts" in told
    groups = told.removeprefix("with this design ").split(" never meet")[0].split(" | ")
    assert len(groups) >= 2
    assert sorted(name for group in groups for name in group.split(", ")) == NAMES


def test_arms_that_meet_through_a_third_are_connected():
    refuse_unconnected(NAMES, {(0, 1), (2, 3), (1, 2)})
    with pytest.raises(BadInputError, match=r"with this design ant, bee \| cat, dog never meet"):
        refuse_unconnected(NAMES, {(0, 1), (2, 3)})
    with pytest.raises(BadInputError, match=r"with this design ant, cat, dog \| bee never meet"):
        refuse_unconnected(NAMES, {(0, 3), (2, 3)})


@pytest.mark.parametrize(
    ("text", "count", "message"),
    [
        (
            "against=elk",
            3,
            "the design against=elk: that is none of the arms (ant, bee, cat); name",
        ),
        ("random=4", 3, "the design random=4: 3 arms make only 3 pairs; use all-pairs."),
        ("together", 2, "the design together shows all 2 at once; it takes 3 to 8. Use all-pairs"),
        ("together", 9, "the design together shows all 9 at once; it takes 3 to 8. Use all-pairs"),
    ],
)
def test_design_that_the_arms_do_not_fit_is_refused(text, count, message):
    names = [*NAMES, "eel", "fox", "gnu", "hen", "ibis"][:count]
    with pytest.raises(BadInputError) as refused:
        Design.parse(text).check(names)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arms": 4, "design": "against=elk"}, "that is none of the arms"),
        ({"arms": 2, "design": "random=2"}, "2 arms make only 1 pair;"),
        ({"arms": 2, "design": "together", "form": "ranking"}, "it takes 3 to 8"),
        ({"arms": 9, "design": "together", "form": "ranking"}, "it takes 3 to 8"),
        ({"arms": 3, "design": "together"}, "shows sets of 3 images, and 'visual_appeal' is asked"),
        ({"arms": 3, "form": "ranking"}, "shows sets of 2 images, and 'visual_appeal' is asked as"),
        ({"arms": 1}, "compares images of two or more arms; 1 given"),
        ({"arms": 4, "design": "random=1", "prompts": 2}, "never meet"),
    ],
)
def test_campaign_of_a_design_that_does_not_fit_is_not_made(db, options, message):
    with pytest.raises(BadInputError, match=message):
        factories.make_draft(sampled=False, criteria=["visual_appeal"], **options)
    assert not Campaign.objects.exists()


def test_single_images_are_judged_of_one_arm_whatever_the_design(db):
    draft = factories.make_draft(arms=1, form="rating", criteria=["visual_appeal"], sampled=False)
    assert draft.arms.count() == 1
