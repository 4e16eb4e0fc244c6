"""What the database refuses by itself, and that its functions are those of the files."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evalplatform.annotation.models import Assignment, Vote
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.forms import FORMS, form_named
from evalplatform.core.errors import BadInputError
from evalplatform.core.sql_files import sql_files
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ranked(db):
    """An open campaign whose sets are rankings of three."""
    made = factories.make_draft(
        prompts=2, k=3, arms=3, design="together", form="ranking", criteria=["visual_appeal"]
    )
    open_campaign(campaign=made)
    return made


def rows(statement, values=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


# ---- the files ----------------------------------------------------------------------------------

_OURS = """
SELECT proname, prosrc FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
    SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e'
)
"""


def test_functions_of_the_database_are_those_of_the_files():
    written = {
        name: body
        for text in sql_files().values()
        for name, body in re.findall(
            r"CREATE OR REPLACE FUNCTION (\w+)\(.*?AS \$\$(.*?)\$\$;", text, re.DOTALL
        )
    }
    assert {"annotation_lease", "annotation_grades", "annotation_is_order"} < set(written)
    assert dict(rows(_OURS)) == written


def test_triggers_and_constraints_of_the_files_are_in_force():
    text = "\n".join(sql_files().values())
    triggers = set(re.findall(r"CREATE (?:OR REPLACE|CONSTRAINT) TRIGGER (\w+)", text))
    in_force = rows("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'")
    assert triggers
    assert {name for (name,) in in_force} == triggers
    constraints = set(re.findall(r"ADD CONSTRAINT (\w+)", text))
    valid = {name for (name,) in rows("SELECT conname FROM pg_constraint WHERE convalidated")}
    assert len(constraints) >= 3
    assert constraints <= valid


def test_files_may_be_loaded_again():
    with connection.cursor() as cursor:
        for text in sql_files().values():
            cursor.execute(text)
    test_functions_of_the_database_are_those_of_the_files()


# ---- grades -------------------------------------------------------------------------------------

PRESSED = [*dict.fromkeys(each for form in FORMS.values() for each in form.buttons)]
ORDERS = st.integers(1, 9).flatmap(lambda n: st.permutations(range(n)))
# Near a ranking: positions and signs in any number and order, of too many and too few images.
NEARLY = st.lists(st.sampled_from("0123456789>=>=-+ "), max_size=17).map("".join)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


# Near a caption: signs that may not stand in one, spaces at its ends, and lengths about the limit.
SIGNS = "ab \t\n\x7f\x85\xa0é日\u200d\u200f\u2028\u202a\u202e\u202f\u2065\u2066\u2069\ufff9\ufffc"
CAPTIONS = st.one_of(
    st.lists(st.sampled_from(SIGNS), max_size=6).map("".join),
    st.integers(998, 1002).map(lambda n: "é" * n),
)


@st.composite
def rankings(draw):
    """A ranking with ties of the images of an order, and that order."""
    order = draw(ORDERS)
    positions = draw(st.permutations(range(len(order))))
    signs = draw(st.lists(st.sampled_from(">="), min_size=len(order), max_size=len(order)))
    joined = "".join(f"{at}{sign}" for at, sign in zip(positions, signs, strict=True))
    return joined[:-1], order


def in_the_database(form, answer, order):
    (found,) = rows("SELECT annotation_grades(%s, %s, %s::smallint[])", [form, answer, list(order)])
    return found[0]


def in_python(form, answer, order):
    try:
        return list(form_named(form).grades(answer, order))
    except BadInputError:
        return None


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    form=st.sampled_from([*FORMS]),
    given_answer=st.one_of(
        st.tuples(st.sampled_from(PRESSED), ORDERS), rankings(), st.tuples(NEARLY, ORDERS),
        st.tuples(TEXT, ORDERS), st.tuples(CAPTIONS, st.just([0])),
    ),
)  # fmt: skip
@example("ranking", ("0>1", [0, 1]))
@example("ranking", ("0>1>2\n", [0, 1, 2]))
@example("ranking", ("0>1>1", [2, 0, 1]))
@example("ranking", ("0>1>3", [2, 0, 1]))
@example("ranking", ("", [2, 0, 1]))
@example("rating", ("3\n", [0]))
@example("rating", ("3", [1, 0]))
@example("pair", ("left", [0]))
@example("pair", ("left", [0, 1, 2]))
@example("pair_both_neither", ("tie", [0, 1]))
@example("keep_reject", ("keep", [0, 1]))
@example("approve", ("approve", [0]))
@example("caption", ("a red fox", [0]))
@example("caption", ("a red fox", [1, 0]))
@example("caption", ("x" * 1000, [0]))
@example("caption", ("x" * 1001, [0]))
@example("caption", ("a\u202efox", [0]))
def test_database_gives_the_same_grades_as_the_form(form, given_answer):
    answer, order = given_answer
    assert in_the_database(form, answer, order) == in_python(form, answer, order)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(3, 8).flatmap(lambda n: st.permutations(range(n))), st.data())
def test_database_gives_every_whole_ranking_its_tiers(order, data):
    tier_of = data.draw(st.lists(st.integers(0, 3), min_size=len(order), max_size=len(order)))
    tiers = sorted(set(tier_of), reverse=True)
    answer = ">".join(
        "=".join(str(at) for at, place in enumerate(order) if tier_of[place] == tier)
        for tier in tiers
    )
    known = [tiers[::-1].index(each) for each in tier_of]
    assert in_the_database("ranking", answer, order) == known
    assert in_python("ranking", answer, order) == known


def test_form_that_there_is_not_gives_no_grades():
    assert in_the_database("stars", "5", [0]) is None


# ---- votes --------------------------------------------------------------------------------------


def store(assignment, annotator, **fields):
    """Store a vote past all services."""
    told = {
        "form": "pair", "answer": "left", "order": assignment.order,
        "grades": [1, 0] if assignment.order[0] == 0 else [0, 1],
    } | fields  # fmt: skip
    with transaction.atomic():
        return Vote.objects.create(
            assignment=assignment, annotator=annotator, idempotency_key=uuid.uuid4(),
            is_simulated=False, voted_at=timezone.now(), **told,
        )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": "right"},
        {"answer": "tie"},
        {"answer": "both"},
        {"answer": ""},
        {"answer": "1>0", "form": "ranking"},
        {"answer": "left", "form": "rating"},
        {"form": "stars"},
        {"grades": [2, 0]},
        {"grades": [1]},
        {"grades": [1, 0, 0]},
        {"grades": []},
        {"order": [1, 0]},
        {"order": [0]},
        {"order": [0, 1, 2]},
    ],
)
def test_grades_that_are_not_the_answers_cannot_be_stored(campaign, ana, wrong):
    slot = Assignment.objects.filter(order=[0, 1]).first()
    assert store(slot, ana).grades == [1, 0]
    Vote.objects.update(retracted_at=timezone.now())
    with pytest.raises(IntegrityError, match="vote_grades_are_the_answers"):
        store(slot, ana, **wrong)


@pytest.mark.parametrize("wrong", [{"grades": None}, {"order": None}])
def test_vote_without_grades_or_order_cannot_be_stored(campaign, ana, wrong):
    with pytest.raises(IntegrityError, match="null value"):
        store(Assignment.objects.first(), ana, **wrong)


@pytest.mark.parametrize("order", [[0, 5], [0, 0], [0, 2], [0, -1]])
def test_order_of_a_vote_that_is_none_cannot_be_stored(campaign, ana, order):
    """Grades would agree: whether place 0 is on the left is all that a pair's ask."""
    slot = Assignment.objects.filter(order=[0, 1]).first()
    with pytest.raises(IntegrityError, match="vote_order_is_permutation"):
        store(slot, ana, order=order, grades=[1, 0])


@pytest.mark.parametrize(
    "other",
    [
        {"order": [1, 0], "grades": [0, 1]},
        {"form": "pair_both_neither"},
    ],
    ids=["images the other way round", "another form"],
)
def test_vote_on_something_else_than_was_asked_cannot_be_stored(campaign, ana, other):
    """Each is whole in itself: its grades are those of its form, answer and order."""
    slot = Assignment.objects.filter(order=[0, 1]).first()
    with pytest.raises(IntegrityError, match=r"a vote as .* where pair was asked"):
        store(slot, ana, **other)
    assert not Vote.objects.exists()


def test_one_vote_on_something_else_among_many_keeps_all_from_being_stored(campaign, ana):
    now = timezone.now()
    votes = [
        Vote(
            assignment=slot, annotator=ana, form="pair", answer="tie", order=slot.order,
            grades=[0, 0], idempotency_key=uuid.uuid4(), is_simulated=False, voted_at=now,
        )
        for slot in Assignment.objects.all()[:5]
    ]  # fmt: skip
    votes[3].order = votes[3].order[::-1]
    with pytest.raises(IntegrityError, match="was asked"), transaction.atomic():
        Vote.objects.bulk_create(votes)
    assert not Vote.objects.exists()


# ---- slots --------------------------------------------------------------------------------------


def add_slot(item, order, **fields):
    """Store a check of an item past all services."""
    now = timezone.now()
    given = {"purpose": "gold", "leased_at": now} | fields
    with transaction.atomic():
        return Assignment.objects.create(
            campaign=item.campaign, item=item, order=order, serve_order=0,
            lease_expires_at=now + timedelta(seconds=1), **given,
        )  # fmt: skip


@pytest.mark.parametrize(
    "order", [[], [1], [0, 0], [1, 2], [0, 2], [-1, 0], [0, None], [0, 1, 1], [*range(9)]]
)
def test_order_that_is_no_permutation_cannot_be_stored(campaign, ana, order):
    with pytest.raises(IntegrityError, match="assignment_order_is_permutation"):
        add_slot(campaign.items.main().first(), order, annotator=ana)


@pytest.mark.parametrize("order", [[0], [0, 1, 2], [2, 1, 0, 3]])
def test_order_of_another_length_than_its_set_cannot_be_stored(campaign, ana, order):
    with pytest.raises(IntegrityError, match=r"an order of . places for a set of . images"):
        add_slot(campaign.items.main().first(), order, annotator=ana)


@pytest.mark.parametrize("order", [[0, 1], [0], [0, 1, 2, 3]])
def test_order_of_another_length_than_a_ranking_cannot_be_stored(ranked, ana, order):
    item = ranked.items.main().first()
    assert add_slot(item, [2, 0, 1], annotator=ana).order == [2, 0, 1]
    with pytest.raises(IntegrityError, match=r"an order of . places for a set of . images"):
        add_slot(item, order, annotator=ana, purpose="repeat")


def test_one_wrong_order_among_many_keeps_all_from_being_stored(ranked, ana):
    item = ranked.items.main().first()
    now, count = timezone.now(), Assignment.objects.count()
    checks = [
        Assignment(
            campaign=ranked, item=item, order=order, serve_order=0, purpose=purpose, annotator=ana,
            leased_at=now, lease_expires_at=now + timedelta(seconds=1),
        )
        for order, purpose in (([0, 1, 2], "gold"), ([1, 0], "repeat"))
    ]  # fmt: skip
    with pytest.raises(IntegrityError, match=r"an order of . places"), transaction.atomic():
        Assignment.objects.bulk_create(checks)
    assert Assignment.objects.count() == count


@pytest.mark.parametrize("change", [{"slot": 6}, {"slot": 2}, {"order": [1, 0]}, {"item": "other"}])
def test_slot_stays_what_it_was_made_as(campaign, change):
    slot = Assignment.objects.filter(slot=1, order=[0, 1]).first()
    if "item" in change:
        change = {"item": campaign.items.main().exclude(pk=slot.item_id).first()}
    with pytest.raises(IntegrityError, match="a slot keeps its item, number and order"):
        Assignment.objects.filter(pk=slot.pk).update(**change)


def test_slot_beyond_a_smaller_k_cannot_be_stored_for_a_ranking(ranked):
    item = ranked.items.main().first()
    with pytest.raises(IntegrityError, match="slot 4 exceeds the 3 annotators"):
        Assignment.objects.create(
            campaign=ranked, item=item, slot=4, order=[0, 1, 2], serve_order=0
        )


def test_second_repeat_or_check_of_an_item_cannot_be_stored(campaign, ana):
    item = campaign.items.main().first()
    for purpose in ("repeat", "gold"):
        add_slot(item, [1, 0], annotator=ana, purpose=purpose)
        with pytest.raises(IntegrityError, match="assignment_once_per_annotator"):
            add_slot(item, [0, 1], annotator=ana, purpose=purpose)


def test_ranking_is_answered_through_the_service_as_the_database_wants(ranked, ana):
    mine = enrol(campaign=ranked, annotator=ana)
    slot = factories.lease(mine)
    factories.vote(mine, slot, "1>2=0")
    assert Vote.objects.get().grades == in_the_database("ranking", "1>2=0", slot.order)
