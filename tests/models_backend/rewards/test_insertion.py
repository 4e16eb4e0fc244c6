"""A new image among ranked ones: every place is a candidate, and IterComp's faults are not ours."""

import math

import numpy as np
import pytest

from models_backend.errors import InputError
from models_backend.rewards.insertion import InsertedPair, agreement, insert, place

ORDER = [["a"], ["b"], ["c"]]
REWARDS = {"a": 3.0, "b": 2.0, "c": 1.0}


def test_image_better_than_all_is_first():
    """IterComp's loop stops before it compares with the best."""
    found = place(ORDER, REWARDS | {"new": 9.0}, "new", temperature=1.0)
    assert found.position == 0
    assert [name for name, _ in found.better] == ["a", "b", "c"]
    assert len(found.likelihoods) == 4
    assert sum(found.likelihoods) == pytest.approx(1.0)


def test_second_prompt_does_not_see_what_the_first_inserted():
    """IterComp's list of models grows inside its loop over prompts."""
    orders = [[["a"], ["b"]], [["c"], ["d"]]]
    rewards = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0, "new": 0.5}
    counts = [len(insert(order, rewards, ["new"], temperature=1.0)) for order in orders]
    assert counts == [2, 2]
    assert orders == [[["a"], ["b"]], [["c"], ["d"]]]


def test_tenth_image_and_more_are_placed():
    """IterComp reads its ranking character by character: `10` is a 1 and a 0."""
    names = [f"{n}" for n in range(1, 13)]
    rewards = {name: -float(name) for name in names} | {"new": -10.5}
    found = place([[name] for name in names], rewards, "new", temperature=0.1)
    assert [name for name, _ in found.worse] == names[:10]
    assert [name for name, _ in found.better] == names[10:]


def test_place_has_the_greatest_product_of_sigmoids():
    rewards = {"a": 0.2, "b": 0.9, "c": -0.4, "new": 0.5}

    def sigmoid(x):  # type: ignore[no-untyped-def]
        return 1 / (1 + np.exp(-x / 0.3))

    products = []
    for at in range(4):
        above, below = ["a", "b", "c"][:at], ["a", "b", "c"][at:]
        products.append(
            np.prod([sigmoid(rewards[x] - 0.5) for x in above])
            * np.prod([sigmoid(0.5 - rewards[x]) for x in below])
        )
    found = place(ORDER, rewards, "new", temperature=0.3)
    assert found.position == int(np.argmax(products))
    assert found.likelihoods == pytest.approx(np.array(products) / np.sum(products))
    weights = dict((*found.better, *found.worse))
    expected = sigmoid(0.5 - 0.2) if found.position == 0 else sigmoid(0.2 - 0.5)
    assert weights["a"] == pytest.approx(expected)


def test_two_new_images_do_not_depend_on_their_order_and_ties_stay():
    rewards = REWARDS | {"x": 2.5, "y": 0.5, "z": 2.6}
    one = insert([["a"], ["b", "c"]], rewards, ["x", "y", "z"], temperature=0.2)
    two = insert([["a"], ["b", "c"]], rewards, ["z", "y", "x"], temperature=0.2)
    assert {(p.winner, p.loser) for p in one} == {(p.winner, p.loser) for p in two}
    said = {(p.winner, p.loser) for p in one}
    assert {("a", "x"), ("x", "b"), ("x", "c"), ("c", "y"), ("x", "y"), ("z", "y")} <= said
    assert not {("x", "z"), ("z", "x"), ("b", "c"), ("c", "b")} & said


def test_inserted_pairs_are_right_as_often_as_the_reward():
    """C6: a human order helps, so placing is at least as good as the reward's own comparisons."""
    rng = np.random.default_rng(0)
    placed, alone = [], []
    for _ in range(400):
        true = {f"h{n}": u for n, u in enumerate(rng.random(6))} | {"new": rng.random()}
        rewards = {name: u + 0.3 * rng.standard_normal() for name, u in true.items()}
        ranked = sorted((n for n in true if n != "new"), key=lambda n: -true[n])
        pairs = insert([[n] for n in ranked], rewards, ["new"], temperature=0.3)
        placed.append(agreement(pairs, true))
        alone.append(np.mean([(rewards["new"] > rewards[n]) == (true["new"] > true[n])
                              for n in ranked]))  # fmt: skip
    assert np.mean(placed) >= np.mean(alone) - 0.03
    assert np.mean(placed) > 0.6


@pytest.mark.parametrize(
    ("order", "rewards", "image", "temperature", "said"),
    [
        ([], {"new": 1.0}, "new", 1.0, "order is empty"),
        (ORDER, REWARDS, "a", 1.0, "ranked already"),
        (ORDER, REWARDS, "new", 1.0, "missing or not finite"),
        (ORDER, REWARDS | {"new": float("nan")}, "new", 1.0, "missing or not finite"),
        (ORDER, REWARDS | {"new": 1.0}, "new", 0.0, "temperature 0"),
    ],
)
def test_what_cannot_be_placed_is_refused(order, rewards, image, temperature, said):
    with pytest.raises(InputError, match=said):
        place(order, rewards, image, temperature=temperature)


def test_pairs_weigh_what_the_reward_believes_of_them():
    rewards = {"a": 2.0, "b": 0.0, "new": 1.0, "last": -1.0}
    told = {
        (pair.winner, pair.loser): pair.weight
        for pair in insert([["a"], ["b"]], rewards, ["new", "last"], temperature=0.5)
    }
    assert told == {
        ("new", "b"): pytest.approx(1 / (1 + math.exp(-2))),
        ("a", "new"): pytest.approx(1 / (1 + math.exp(-2))),
        ("a", "last"): pytest.approx(1 / (1 + math.exp(-6))),
        ("b", "last"): pytest.approx(1 / (1 + math.exp(-2))),
        ("new", "last"): pytest.approx(1 / (1 + math.exp(-4))),
    }


def test_of_equally_likely_places_the_first_is_taken():
    found = place([["a"], ["b"]], {"a": 0.0, "b": 0.0, "new": 0.0}, "new", temperature=1.0)
    assert found.likelihoods == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found.position == 0


def test_rewards_far_apart_are_placed_all_the_same():
    found = place([["a"], ["b"]], {"a": 0.0, "b": -1e4, "new": -5e3}, "new", temperature=0.1)
    assert found.position == 1
    assert found.likelihoods == (0.0, 1.0, 0.0)


def test_a_new_image_twice_and_an_empty_tier_are_refused():
    with pytest.raises(InputError, match="given twice"):
        insert([["a"]], {"a": 0.0, "new": 1.0}, ["new", "new"], temperature=1.0)
    with pytest.raises(InputError, match="an empty tier"):
        place([["a"], []], {"a": 0.0, "new": 1.0}, "new", temperature=1.0)


def test_equal_truths_are_half_right():
    pairs = [InsertedPair("a", "b", 0.9), InsertedPair("b", "c", 0.9)]
    assert agreement(pairs, {"a": 1.0, "b": 1.0, "c": 0.0}) == 0.75
