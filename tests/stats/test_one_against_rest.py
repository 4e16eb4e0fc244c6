"""One person against the rest: counted by hand, by a plain loop, and where it says nothing."""

import itertools

import numpy as np
import pytest

from evalplatform.stats import RowsError, graded_votes, judge_against_rest, one_against_rest
from evalplatform.stats.pairs.one_against_rest import Said

from .bench.one_against import DESIGNS, drawn, measure


def by_a_loop(items, arms, grades):
    """Credits and ties of every judgement, one at a time."""
    credits, ties = [], []
    for vote, (item, shown, given) in enumerate(zip(items, arms, grades, strict=True)):
        for i, j in itertools.combinations(range(len(shown)), 2):
            said = np.sign(given[i] - given[j])
            ties.append(said == 0)
            balance = 0
            for other in range(len(items)):
                if other == vote or items[other] != item:
                    continue
                place = {arm: at for at, arm in enumerate(arms[other])}
                balance += np.sign(grades[other][place[shown[i]]] - grades[other][place[shown[j]]])
            if balance:
                credits.append(0.5 if said == 0 else float(said == np.sign(balance)))
    return credits, ties


def test_agrees_with_a_plain_loop_whatever_the_order_of_images():
    rng = np.random.default_rng(4)
    items = np.repeat(np.arange(12), 4)
    arms = [rng.permutation(3).tolist() for _ in items]
    grades = rng.integers(0, 3, (len(items), 3)).tolist()
    found = one_against_rest(
        graded_votes(
            item=items, prompt=items // 2, annotator=np.tile(np.arange(4), 12), arm=arms,
            grade=grades,
        )
    )  # fmt: skip
    credits, ties = by_a_loop(items, arms, grades)
    assert (found.n_pairs, found.n_compared) == (len(ties), len(credits))
    assert found.agreement.value == pytest.approx(np.mean(credits))
    assert found.tie_share.value == pytest.approx(np.mean(ties))
    assert found.agreement.low < found.agreement.value < found.agreement.high
    assert (found.agreement.n_prompts, found.agreement.n_annotators) == (6, 4)
    assert found.as_dict()["agreement"]["value"] == found.agreement.value


def test_a_person_alone_has_nobody_to_agree_with():
    alone = graded_votes(item=[0, 1], prompt=[0, 1], annotator=[0, 1],
                         arm=[[0, 1]] * 2, grade=[[1, 0], [0, 0]])  # fmt: skip
    found = one_against_rest(alone)
    assert found.agreement is None
    assert found.n_compared == 0
    assert found.tie_share.value == 0.5


def test_single_images_have_no_pairs():
    rated = graded_votes(item=[0], prompt=[0], annotator=[0], arm=[[0]], grade=[[4]])
    assert one_against_rest(rated) is None


def test_what_a_row_takes_away_is_what_is_missing_without_it():
    votes = drawn(DESIGNS["rankings of 4"], np.random.default_rng(2))
    votes = votes.where(votes.prompt < 6)
    pairs = votes.pairs()

    def totals(kept):
        said = Said.of(pairs.where(kept), votes.item[pairs.vote[kept]].astype(np.int64))
        return np.array([(said.sign * said.lean).sum(), np.abs(said.lean).sum()])

    every = np.ones(len(pairs), dtype=bool)
    found = np.array(Said.of(pairs, votes.item[pairs.vote].astype(np.int64)).taken_away()).T
    for row in range(0, len(pairs), 7):
        without = every.copy()
        without[row] = False
        assert found[row].tolist() == (totals(every) - totals(without)).tolist()
    person = pairs.annotator == pairs.annotator[0]  # who is in an item once
    lost = totals(every) - totals(~person)
    assert found[person].sum(axis=0).tolist() == lost.tolist()


def test_the_interval_holds_though_people_are_each_others_majority():
    """By own judgements alone it held 87 %."""
    assert measure(DESIGNS["rankings, strong habits"], 150) >= 0.90


def test_a_judge_stands_in_for_each_person_on_the_same_majorities():
    votes = drawn(DESIGNS["rankings of 4"], np.random.default_rng(2))
    people = one_against_rest(votes).agreement
    same = judge_against_rest(votes, votes.grade)  # says what each person says
    assert (same.value, same.n_votes) == (people.value, people.n_votes)
    assert same.low == pytest.approx(people.low, abs=0.005)
    turned = judge_against_rest(votes, -votes.grade)
    assert turned.value == pytest.approx(1 - people.value)
    knowing = judge_against_rest(votes, np.array([0.9, 0.3, -0.2, -1.0])[votes.arm])
    assert knowing.value > people.value  # who knows the arms does better than a single person
    assert judge_against_rest(votes, np.zeros(len(votes.arm))).value == 0.5
    with pytest.raises(RowsError, match="not finite"):
        judge_against_rest(votes, np.full(len(votes.arm), np.nan))


def test_what_a_row_takes_away_from_a_judge_is_what_is_missing_without_it():
    votes = drawn(DESIGNS["pairs"], np.random.default_rng(2))
    votes = votes.where(votes.prompt < 6)
    pairs = votes.pairs()
    item = votes.item[pairs.vote].astype(np.int64)
    judge = np.where(item % 2, 1, -1)

    def totals(kept):
        said = Said.of(pairs.where(kept), item[kept])
        return [(judge[kept] * said.lean).sum(), np.abs(said.lean).sum()]

    every = np.ones(len(pairs), dtype=bool)
    found = np.array(Said.of(pairs, item).taken_away(judge)).T
    for row in range(len(pairs)):
        without = every.copy()
        without[row] = False
        assert found[row].tolist() == (np.subtract(totals(every), totals(without))).tolist()
