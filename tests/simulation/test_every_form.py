"""How simulated annotators answer in every form there is."""

from collections import Counter

import numpy as np
import pytest

from evalplatform.campaigns.forms import FORMS, form_named
from evalplatform.quality.damage import spoil
from evalplatform.simulation.behaviour import ANSWERS
from evalplatform.simulation.group import draw_group
from tests.simulation import drawings
from tests.simulation.drawings import draw, png
from tests.simulation.test_behaviour import judge

THINGS = range(12)


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    folder = tmp_path_factory.mktemp("group")
    return draw_group(
        4, seed=1, curation=drawings.write(folder / "data"),
        picked=drawings.write_picks(folder / "picks.tsv"),
        references=drawings.write(folder / "held-out", styles=("flat",), hand=1),
    )  # fmt: skip


def said(group, form, images, prompt=None):
    """Return everybody's answers; `images(thing)` are encoded, in the order shown."""
    answers = []
    for thing in THINGS:
        asked = None if prompt is None else prompt(thing)
        answers += [each.answer(form, images(thing), asked) for each in group.judges]
    return answers


def grades(form, answers, n):
    shape = form_named(form)
    return np.array([shape.grades(each, range(n)) for each in answers])


def test_every_form_has_an_answer():
    assert set(ANSWERS) == set(FORMS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("prompt", [None, "an anchor"], ids=["appeal", "faithfulness"])
def test_answer_is_one_that_the_form_offers(group, form, prompt):
    shape = form_named(form)
    for n in range(shape.least, shape.most + 1):
        images = [png(draw(thing, "3d", hand=4)) for thing in range(n)]
        for each in [*group.judges, judge(quirk=0.5)]:
            shape.check(each.answer(form, images, prompt), n)


@pytest.mark.parametrize("form", ["pair", "pair_both_neither", "ranking"])
def test_what_the_curator_picks_is_put_before_what_it_leaves(group, form):
    styles = ("outline", "flat", "3d") if form == "ranking" else ("flat", "3d")
    answers = said(group, form, lambda thing: [png(draw(thing, each, hand=3)) for each in styles])
    by_place = grades(form, answers, len(styles))
    assert (by_place[:, -1] > by_place[:, :-1].max(axis=1)).mean() > 0.8


@pytest.mark.parametrize("form", ["rating", "keep_reject"])
def test_one_image_is_graded_by_what_the_curator_picks(group, form):
    """A grade alone says it too, and uses its scale instead of one end of it."""
    picked, left = (
        said(group, form, lambda thing, style=style: [png(draw(thing, style, hand=3))])
        for style in ("3d", "flat")
    )
    assert grades(form, picked, 1).mean() > grades(form, left, 1).mean() + 0.5
    assert len(Counter(picked + left)) >= 3


@pytest.mark.parametrize("form", ["rating", "keep_reject"])
def test_without_a_curation_spoilt_copies_are_graded_lower(form):
    group = draw_group(4, seed=1)

    def spoilt(thing):
        return [png(spoil(draw(thing, "flat"), thing, np.random.default_rng(thing))[0])]

    whole = grades(form, said(group, form, lambda thing: [png(draw(thing, "flat"))]), 1)
    assert whole.mean() > grades(form, said(group, form, spoilt), 1).mean() + 0.5


@pytest.mark.parametrize("form", ["rating", "keep_reject"])
def test_an_image_of_something_else_is_unfaithful_by_itself(group, form):
    shape = form_named(form)

    def asked(thing):
        return f"a {drawings.NAMES[thing]}"

    right = said(group, form, lambda thing: [png(draw(thing, "3d", hand=3))], asked)
    wrong = said(group, form, lambda thing: [png(draw(thing + 9, "3d", hand=3))], asked)
    best, worst = max(shape.scale), shape.worst
    assert (grades(form, right, 1) == best).mean() > 0.8
    assert (grades(form, wrong, 1) == worst).mean() > 0.5


def test_tie_of_two_good_images_is_both_and_of_two_bad_ones_neither(group):
    good = said(group, "pair_both_neither", lambda thing: [png(draw(thing, "3d", hand=3))] * 2)
    bad = said(group, "pair_both_neither", lambda thing: [png(draw(thing, "outline", hand=3))] * 2)
    assert Counter(good).most_common(1)[0][0] == "both"
    assert Counter(bad).most_common(1)[0][0] == "neither"


def test_faithfulness_is_undecided_in_every_form_where_there_is_nothing_to_compare_with():
    images = [png(draw(thing, "3d")) for thing in range(3)]
    assert judge().answer("ranking", images, "a dog") == "0=1=2"
    assert judge().answer("rating", images[:1], "a dog") == "3"
    assert judge().answer("keep_reject", images[:1], "a dog") == "unsure"


def test_prompt_without_a_drawing_is_no_mark_against_an_image(group):
    for each in group.judges:
        assert each.references.middle("a qwerty") == 0
        assert each.answer("rating", [png(draw(1, "3d"))], "a qwerty") == "3"
