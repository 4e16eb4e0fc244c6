"""Judgements as columns of numbers, against the same by plain dictionaries."""

import numpy as np
import pytest

from evalplatform.imports.gathering import Book, Gathering, JudgedTwiceError
from evalplatform.imports.judgements import PAIR, Judgement


def judgements(count):
    rng = np.random.default_rng(5)
    for _ in range(count):
        models = tuple(f"m{each}" for each in rng.permutation(4)[:2])
        images = ("x", f"y{rng.integers(2)}") if rng.integers(2) else ()
        yield Judgement(
            prompt=f"p{rng.integers(6)}", key=None, annotator=f"u{rng.integers(30)}",
            criterion=("Look", "Fit")[rng.integers(2)], models=models, images=images, kind=PAIR,
            answer=("left", "right", "tie")[rng.integers(3)],
        )  # fmt: skip


def gathered_from(rows):
    prompts = Book()
    gathered = Gathering(lambda text, key: prompts.code(text), ("overall", "Overall"))
    for where, each in enumerate(rows, 2):
        gathered.add(where, each)
    return gathered


def by_dictionaries(rows):
    """Return (item, annotator, answer) of the first vote by each on each item; items, and sets."""
    sets, items, people, criteria, prompts = Book(), Book(), Book(), Book(), Book()
    kept = {}
    for each in rows:
        order = sorted((0, 1), key=lambda at: each.models[at])
        images = tuple(each.images[at] for at in order) if each.images else ()
        one = sets.code((prompts.code(each.prompt), tuple(sorted(each.models)), images))
        item = items.code((criteria.code(each.criterion), one))
        kept.setdefault((item, people.code(each.annotator)), each.answer)
    return [(*key, answer) for key, answer in kept.items()], list(items), list(sets)


def test_votes_items_and_sets_are_numbered_by_first_appearance():
    rows = list(judgements(900))
    gathered = gathered_from(rows)
    votes = gathered.votes(keep_first=True)
    wanted, items, sets = by_dictionaries(rows)
    answers, models, images = map(list, (gathered.says, gathered.models, gathered.images))
    assert [(i, who, answers[said][2]) for i, who, said, *_ in votes.rows()] == wanted
    assert [tuple(each) for each in votes.items.tolist()] == items
    columns = (votes.sets.prompt, votes.sets.models, votes.sets.images)
    assert [(p, models[m], images[i]) for p, m, i in zip(*columns, strict=True)] == sets
    assert votes.repeated == len(rows) - len(wanted) > 0


def test_slots_count_the_votes_of_an_item():
    votes = gathered_from(judgements(300)).votes(keep_first=True)
    counted = Book()
    for item, *_, slot in votes.rows(votes.slots()):
        counted[item] = counted.get(item, 0) + 1
        assert slot == counted[item]


def test_who_judged_twice_is_named_with_both_rows():
    one = next(judgements(1))
    with pytest.raises(JudgedTwiceError) as twice:
        gathered_from([one, one]).votes(keep_first=False)
    assert (twice.value.where, twice.value.before) == (3, 2)
