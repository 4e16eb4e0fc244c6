"""What each annotator's answers look like, against counting by hand."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from evalplatform.annotation.answer_columns import (
    GOLD,
    LEFT,
    MAIN,
    NO_SIDE,
    QUALIFICATION,
    REPEAT,
    RIGHT,
    UNKNOWN_MS,
    AnswerColumns,
)
from evalplatform.annotation.models import Release, SurplusVote, Vote
from evalplatform.annotation.services import exclude, open_campaign, skip_assignment, undo_vote
from evalplatform.quality.measures import Share, medians_of, shares_of
from evalplatform.quality.selectors import annotator_measures, measures_of
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


PURPOSES = {"main": MAIN, "repeat": REPEAT, "gold": GOLD, "qualification": QUALIFICATION}
SIDES = {"left": LEFT, "right": RIGHT}
OUTCOMES = ("A", "TIE", "B")


def row(annotator=1, purpose="main", item=1, outcome="A", answer="left", ms=900, out=None):
    """An answer to a pair; `outcome`: whose image it prefers."""
    return (annotator, purpose, item, OUTCOMES.index(outcome), answer, ms, out)


def columns_of(rows):
    """Return answers as they are read from the database, in the order given."""
    who, purpose, item, said, answer, ms, out = zip(*rows, strict=True) if rows else [()] * 7
    count = len(rows)
    columns = {
        "vote": range(1, count + 1), "item": item, "criterion": [1] * count, "image_set": item,
        "prompt": item, "annotator": who, "exclusion": [each or 0 for each in out],
        "purpose": [PURPOSES[each] for each in purpose], "said": said,
        "side": [SIDES.get(each, NO_SIDE) for each in answer],
        "response_ms": [UNKNOWN_MS if each is None else each for each in ms],
        "order": [0] * count, "is_simulated": [0] * count, "language": [0] * count,
        "shown_px": [-1] * count, "viewport_px": [-1] * count, "zoomed": [-1] * count,
    }  # fmt: skip
    return AnswerColumns(**{name: np.array(each, dtype=np.int64) for name, each in columns.items()})


def measure(answers, *, min_response_ms=400, pairs=True, is_right=lambda item, said: said == 0):
    """Return the shares; of pairs, where image A is right on gold, if nothing else is said."""
    marked = np.full(len(answers), pairs)
    return shares_of(answers, min_response_ms=min_response_ms, is_right=is_right, pairs=marked)


def shares(*rows, **options):
    by_name = measure(columns_of(rows), **options)
    return {name: by_person.get(1, Share(0, 0)) for name, by_person in by_name.items()}


def test_gold_is_right_only_where_the_better_image_was_chosen():
    rows = [
        row(purpose="gold", item=50 + place, outcome=each)
        for place, each in enumerate(("A", "TIE", "B", "A"))
    ]
    assert shares(*rows)["gold"] == Share(2, 4)
    assert shares(*rows)["votes"].total == 0
    assert shares(*rows)["answers"].total == 4


def test_repeat_agrees_by_image_and_not_by_side():
    rows = [
        row(item=1, outcome="A", answer="left"),
        row(item=1, outcome="A", answer="right", purpose="repeat"),
        row(item=2, outcome="A", answer="left"),
        row(item=2, outcome="B", answer="left", purpose="repeat"),
        row(item=3, outcome="TIE", answer="tie"),
        row(item=3, outcome="TIE", answer="tie", purpose="repeat"),
    ]
    assert shares(*rows)["repeats"] == Share(2, 3)


def test_repeat_without_its_first_vote_tells_nothing():
    rows = [row(annotator=2, item=1), row(item=1, purpose="repeat")]
    assert shares(*rows)["repeats"] == Share(0, 0)


def test_unknown_time_is_not_fast():
    rows = [row(ms=None), row(ms=399, item=2), row(ms=400, item=3)]
    assert shares(*rows)["too_fast"] == Share(1, 2)


def test_every_form_of_tie_is_a_tie_and_no_side():
    rows = [
        row(item=index, answer=answer, outcome="A" if answer == "left" else "TIE")
        for index, answer in enumerate(("left", "tie", "both", "neither"), start=1)
    ]
    assert shares(*rows)["ties"] == Share(3, 4)
    assert shares(*rows)["left"] == Share(1, 1)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (["A", "A"], Share(1, 1)),
        (["B", "B"], Share(0, 1)),
        (["A"], Share(0, 0)),  # one other is no majority
        (["A", "B"], Share(0, 0)),
        (["A", "A", "TIE", "B"], Share(0, 0)),  # half is not more than half
        (["A", "A", "A", "B"], Share(1, 1)),
    ],
)
def test_majority_is_more_than_half_of_at_least_two_others(others, expected):
    rows = [row(outcome=each, annotator=2 + index) for index, each in enumerate(others)]
    assert shares(row(), *rows)["majority"] == expected


def test_excluded_vote_is_measured_but_is_no_part_of_others_majority():
    rows = [row(annotator=who, outcome="B", out=7) for who in (2, 5)]
    rows += [row(annotator=3), row(annotator=4)]
    assert shares(row(), *rows)["majority"] == Share(1, 1)
    assert shares(row(out=7), *rows)["majority"] == Share(1, 1)


def test_shares_agree_with_counting_one_by_one():
    rng = np.random.default_rng(3)
    rows = []
    for item in range(1, 60):
        for annotator in rng.permutation(9)[:5] + 1:
            side = rng.choice(["left", "right", "tie"])
            outcome = "TIE" if side == "tie" else str(rng.choice(["A", "B"]))
            out = 5 if annotator == 4 else None
            rows.append(row(int(annotator), "main", item, outcome, side, 900, out))
    by_person = measure(columns_of(rows))["majority"]
    for person in range(1, 10):
        seen = agreed = 0
        for who, _, item, said, *_ in rows:
            if who != person:
                continue
            others = [r[3] for r in rows if r[2] == item and r[0] != person and not r[6]]
            counts = {each: others.count(each) for each in range(3)}
            best = max(counts, key=counts.get)
            if len(others) >= 2 and 2 * counts[best] > len(others):
                seen, agreed = seen + 1, agreed + (said == best)
        assert by_person[person] == Share(agreed, seen)


def test_median_leaves_unknown_times_out():
    rows = [row(ms=None), row(ms=100, item=2), row(ms=300, item=3), row(2, ms=None)]
    assert medians_of(columns_of(rows)) == {1: 200.0}


def test_nothing_gives_nothing():
    answers = columns_of([])
    assert medians_of(answers) == {}
    assert measure(answers)["gold"] == {}


# ---- read from the database ---------------------------------------------------------------------


def test_everybody_enrolled_is_listed_with_skips_and_late_votes(campaign, enrolled):
    ana, ben = enrolled(campaign, "ana", "ben")
    now = timezone.now()
    skip_assignment(
        enrolment=ana, public_id=factories.lease(ana).public_id, reason="unsafe", now=now
    )
    factories.vote(ana, factories.lease(ana), "tie", response_time_ms=100)
    stale = factories.lease(ana)
    SurplusVote.objects.create(
        assignment=stale, annotator=ana.annotator, answer="left", reason="slot_reassigned",
        idempotency_key="0c6c0000-0000-4000-8000-000000000000", received_at=now,
    )  # fmt: skip
    first, second = annotator_measures(campaign)
    assert (first.pseudonym, second.pseudonym) == ("ana", "ben")
    assert (first.votes, first.skips, first.surplus) == (1, {"unsafe": 1}, 1)
    assert first.too_fast == Share(1, 1)
    assert (second.votes, second.answers, second.median_response_ms) == (0, 0, None)
    assert second.skips == {}
    assert measures_of(ana) == first
    assert measures_of(ben) == second


def test_undone_vote_is_not_measured(campaign, enrolled):
    (ana,) = enrolled(campaign, "ana")
    factories.vote(ana, factories.lease(ana))
    undo_vote(enrolment=ana, key=None, now=timezone.now())
    assert measures_of(ana).answers == 0


def test_exclusion_does_not_change_what_somebody_did(campaign, enrolled):
    (ana,) = enrolled(campaign, "ana")
    factories.vote(ana, factories.lease(ana))
    exclude(enrolment=ana, rule="manual", detail="a test", now=timezone.now())
    assert measures_of(ana).votes == 1
    assert measures_of(ana).excluded_by == "manual"


def test_a_skipped_release_by_exclusion_is_no_skip(campaign, enrolled):
    (ana,) = enrolled(campaign, "ana")
    factories.vote(ana, factories.lease(ana))
    exclude(enrolment=ana, rule="manual", detail="a test", now=timezone.now())
    assert Release.objects.filter(reason="excluded").count() == 1
    assert measures_of(ana).skips == {}


def test_one_annotator_is_measured_as_among_all(checked, enrolled):
    campaign = checked(gold_rate=0.3, repeat_rate=0.2, repeat_gap=0)
    people = enrolled(campaign, *"abcde")
    judge(people, seed=1)
    assert Vote.objects.filter(assignment__purpose="repeat").exists()
    everybody = annotator_measures(campaign)
    assert [measures_of(each) for each in people] == everybody
    assert sum(each.votes for each in everybody) == 32
    assert any(each.gold.total for each in everybody)


def test_number_of_queries_does_not_grow_with_people(checked, enrolled, django_assert_num_queries):
    campaign = checked(gold_rate=0.3)
    judge(enrolled(campaign, "a", "b"), seed=2)
    with django_assert_num_queries(7):
        annotator_measures(campaign)
    enrolled(campaign, *"cdefghij")
    with django_assert_num_queries(7):
        annotator_measures(campaign)


def judge(people, seed):
    """Let people take turns with random answers until nothing is left."""
    rng = np.random.default_rng(seed)
    now = timezone.now()
    busy = True
    while busy:
        busy = False
        for each in people:
            assignment = factories.lease(each, now)
            if assignment:
                side = str(rng.choice(["left", "tie", "right"]))
                factories.vote(each, assignment, side, now, response_time_ms=int(rng.integers(900)))
                busy, now = True, now + timedelta(seconds=1)


def test_open_campaign_without_votes_measures_nobody(things):
    open_campaign(campaign=things)
    assert annotator_measures(things) == []
