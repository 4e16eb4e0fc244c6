"""Forms: what is an answer, what it says of each image, and in which orders images stand."""

from collections import Counter
from itertools import pairwise
from math import gcd

import numpy as np
import pytest

from evalplatform.campaigns.forms import FORMS, form_named
from evalplatform.campaigns.forms.base import again
from evalplatform.campaigns.forms.caption import CAPTION
from evalplatform.campaigns.forms.pair import PAIR, PAIR_BOTH_NEITHER
from evalplatform.campaigns.forms.ranking import RANKING
from evalplatform.campaigns.forms.single import APPROVE, KEEP_REJECT, RATING
from evalplatform.core.errors import BadInputError


def test_forms_stand_under_their_own_names():
    assert {name: form.name for name, form in FORMS.items()} == {name: name for name in FORMS}
    assert sorted(FORMS) == [
        "approve", "caption", "keep_reject", "pair", "pair_both_neither", "ranking", "rating"
    ]  # fmt: skip
    with pytest.raises(
        BadInputError, match="no form 'stars'; accepted are pair, pair_both_neither"
    ):
        form_named("stars")


# ---- answers and grades --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "answer", "order", "grades"),
    [
        (PAIR, "left", (0, 1), (1, 0)),
        (PAIR, "left", (1, 0), (0, 1)),
        (PAIR, "right", (0, 1), (0, 1)),
        (PAIR, "tie", (1, 0), (0, 0)),
        (PAIR_BOTH_NEITHER, "both", (1, 0), (1, 1)),
        (PAIR_BOTH_NEITHER, "neither", (1, 0), (0, 0)),
        (PAIR_BOTH_NEITHER, "right", (1, 0), (1, 0)),
        (RANKING, "0>1>2", (0, 1, 2), (2, 1, 0)),
        (RANKING, "0>1>2", (2, 0, 1), (1, 0, 2)),
        (RANKING, "2=1>0", (0, 1, 2), (0, 1, 1)),
        (RANKING, "0=1=2", (1, 2, 0), (0, 0, 0)),
        (RANKING, "7>6>5>4>3>2>1>0", tuple(range(8)), tuple(range(8))),
        (RATING, "1", (0,), (1,)),
        (RATING, "5", (0,), (5,)),
        (KEEP_REJECT, "keep", (0,), (2,)),
        (KEEP_REJECT, "unsure", (0,), (1,)),
        (KEEP_REJECT, "reject", (0,), (0,)),
        (APPROVE, "approve", (0,), (1,)),
        (APPROVE, "reject", (0,), (0,)),
        (CAPTION, "A red fox.", (0,), (0,)),
    ],
)
def test_answer_by_position_becomes_grades_by_place(form, answer, order, grades):
    assert form.grades(answer, order) == grades


@pytest.mark.parametrize("form", [PAIR, PAIR_BOTH_NEITHER, RATING, KEEP_REJECT, APPROVE])
def test_every_button_is_an_answer_and_nothing_else_is(form):
    n = form.least
    for answer in form.buttons:
        assert len(form.grades(answer, tuple(range(n)))) == n
    others = {button for each in FORMS.values() for button in each.buttons} - set(form.buttons)
    for answer in [*others, "", "LEFT", " left", "0>1", "6", "0", "keep\n"]:
        with pytest.raises(BadInputError, match="is not offered here; send one of "):
            form.check(answer, n)


@pytest.mark.parametrize(
    ("caption", "what"),
    [
        ("", "the caption is empty"),
        ("   ", "the caption is empty"),
        ("x" * 1001, "has 1,001 characters; at most 1,000"),
        ("a fox\nin snow", r"control character U\+000A"),
        ("a \u202exof", r"control character U\+202E"),
        ("a \u2067fox", r"control character U\+2067"),
        (" a fox", "begins or ends with a space"),
    ],
)
def test_caption_that_cannot_be_shown_as_it_is_written_is_refused(caption, what):
    with pytest.raises(BadInputError, match=what) as refused:
        CAPTION.check(caption, 1)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("caption", ["Fox!", "snow, FOX", "...", "the the fox"])
def test_caption_of_nothing_but_the_words_that_came_with_the_image_is_refused(caption):
    fault = CAPTION.fault_beside(caption, "the fox in snow")
    assert fault
    assert "has no word that did not come with the image" in fault
    assert CAPTION.fault_beside("A red fox in snow", "the fox in snow") is None


@pytest.mark.parametrize("caption", ["Ein Fuchs.", "雪の中の狐", "👩\u200d🔬 at work", "x" * 1000])
def test_caption_may_be_in_any_script(caption):
    CAPTION.check(caption, 1)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("2>0", "image 1 has no place"),
        ("2", "image 0 has no place"),
        ("0>1>3", "'3' is no image of this set of 3"),
        ("0>1>2>3", "'3' is no image of this set of 3"),
        ("0>1>1>2", "an image has two places"),
        ("0=0>1>2", "an image has two places"),
        ("0>>1>2", "'' is no image of this set of 3"),
        ("0>1>2>", "'' is no image of this set of 3"),
        ("", "'' is no image of this set of 3"),
        ("0>1>-2", "'-2' is no image of this set of 3"),
        ("0>1>02", "'02' is no image of this set of 3"),
        ("0 > 1 > 2", "'0 ' is no image of this set of 3"),
        ("left", "'left' is no image of this set of 3"),
        ("0>1>\u0662", "is no image of this set of 3"),
    ],
)
def test_ranking_that_is_not_whole_is_refused_with_what_is_wrong(answer, what):
    with pytest.raises(BadInputError) as refused:
        RANKING.check(answer, 3)
    told = str(refused.value)
    assert told.startswith(f"{answer!r} is no ranking: ")
    assert what in told
    assert told.endswith(
        "; name each of 0, 1, 2 once, best first, with > between places and = between equals."
    )


@pytest.mark.parametrize(
    ("form", "few", "many"),
    [
        (PAIR, 1, 3),
        (PAIR_BOTH_NEITHER, 1, 3),
        (RANKING, 2, 9),
        (RATING, 0, 2),
        (KEEP_REJECT, 0, 2),
    ],
)
def test_set_of_another_size_has_no_grades(form, few, many):
    answer = form.buttons[0] if form.buttons else None
    for n in (few, many):
        assert not form.takes(n)
        with pytest.raises(BadInputError, match=f"{n} images are no set of the form"):
            form.grades(answer or ">".join(map(str, range(n))), tuple(range(n)))
    assert form.takes(few + 1)
    assert form.takes(many - 1)


# ---- gold ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "grades", "expected", "right"),
    [
        (PAIR, (1, 0), (1, 0), True),
        (PAIR, (0, 1), (1, 0), False),
        (PAIR, (0, 0), (1, 0), False),
        (PAIR_BOTH_NEITHER, (1, 1), (1, 0), False),
        (RANKING, (2, 1, 0), (1, 0, 0), True),  # nothing is asked of the two that are equal
        (RANKING, (2, 0, 1), (1, 0, 0), True),
        (RANKING, (1, 2, 0), (1, 0, 0), False),
        (RANKING, (1, 1, 0), (1, 0, 0), False),
        (RATING, (1,), (1,), True),
        (RATING, (2,), (1,), True),  # near enough on a fine scale
        (RATING, (3,), (1,), False),
        (KEEP_REJECT, (0,), (0,), True),
        (KEEP_REJECT, (1,), (0,), False),
    ],
)
def test_answer_to_gold_is_right_where_it_says_what_is_known(form, grades, expected, right):
    assert form.is_right(grades, expected) is right


def test_worst_grade_is_the_lowest_that_an_answer_gives():
    for form in (RATING, KEEP_REJECT):
        assert form.worst == min(form.grades(each, (0,))[0] for each in form.buttons)
    assert PAIR.worst == RANKING.worst == 0


# ---- orders --------------------------------------------------------------------------------------


def planned(form, *, k, sizes, seed=0):
    return list(form.orders(k=k, sizes=sizes, rng=np.random.default_rng(seed)))


@pytest.mark.parametrize("form", [PAIR, PAIR_BOTH_NEITHER])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 8])
def test_both_images_of_a_pair_have_each_side_equally_often(form, k):
    orders = planned(form, k=k, sizes=[2] * 31)
    assert len(orders) == 31
    on_left = [sum(order == (0, 1) for order in each) for each in orders]
    assert all(set(each) <= {(0, 1), (1, 0)} and len(each) == k for each in orders)
    assert {abs(2 * count - k) for count in on_left} == {k % 2}
    # Of two sets in a row, each has it once more than the other: together both sides are even.
    assert all(one + two == k for one, two in zip(on_left[::2], on_left[1::2], strict=False))


def test_sides_of_neighbours_are_drawn_and_no_rule():
    plans = [planned(PAIR, k=5, sizes=[2] * 12, seed=seed) for seed in range(300)]
    more = np.array([[sum(o[0] == 0 for o in each) == 3 for each in plan] for plan in plans])
    assert (abs(more.mean(axis=0) - 0.5) < 0.12).all()
    first = np.array([plan[0][0][0] == 0 for plan in plans])
    assert abs(first.mean() - 0.5) < 0.12


@pytest.mark.parametrize("n", [3, 4, 8])
@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_images_of_a_ranking_stand_at_each_position_equally_often(n, k):
    sets = n // gcd(n, k)  # in a row, after which every place was everywhere equally often
    orders = planned(RANKING, k=k, sizes=[n] * (3 * sets))
    for each in orders:
        assert len(each) == k
        assert all(sorted(order) == list(range(n)) for order in each)
        assert spread(each, n) <= 1
    for start in range(0, 3 * sets, sets):
        assert spread([order for each in orders[start : start + sets] for order in each], n) == 0


def spread(orders, n) -> int:
    """Return by how much the most frequent (position, place) is ahead of the rarest."""
    counts = Counter((at, place) for order in orders for at, place in enumerate(order))
    every = [counts[at, place] for at in range(n) for place in range(n)]
    return max(every) - min(every)


def test_sets_of_several_sizes_are_each_balanced_among_their_own():
    orders = planned(RANKING, k=2, sizes=[3, 4, 3, 4, 3])
    assert [len(each[0]) for each in orders] == [3, 4, 3, 4, 3]
    assert spread([order for each in orders[::2] for order in each], 3) == 0
    assert spread([order for each in orders[1::2] for order in each], 4) <= 1


def test_rows_of_neighbouring_rankings_are_drawn_and_no_rule():
    plans = [planned(RANKING, k=3, sizes=[3] * 4, seed=seed) for seed in range(300)]
    first = np.array([[[o[0] for o in each] for each in plan] for plan in plans])
    for place in range(3):  # at every slot of every set each arm is equally likely to be first
        assert (abs((first == place).mean(axis=0) - 1 / 3) < 0.12).all()
    assert any(one != two for plan in plans[:5] for one, two in pairwise(plan))


def test_single_image_has_one_order():
    assert planned(RATING, k=3, sizes=[1, 1]) == [[(0,)] * 3] * 2


def test_plan_depends_on_the_seed_alone():
    for form, sizes in ((PAIR, [2] * 9), (RANKING, [4] * 9)):
        assert planned(form, k=5, sizes=sizes) == planned(form, k=5, sizes=sizes)
        assert planned(form, k=5, sizes=sizes) != planned(form, k=5, sizes=sizes, seed=1)


def test_second_time_a_set_is_shown_turned_round():
    assert again((0, 1)) == (1, 0)
    assert again((2, 0, 1)) == (1, 0, 2)
