"""A loop begins with a ranking of its gallery, and asks for no prompt twice."""

import pytest
from django.db import IntegrityError, transaction

from evalplatform.accounts.projects import default_project
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound
from evalplatform.feedback.selectors import facts_of, latest_round, loop_named
from evalplatform.feedback.services import start_loop, start_proof
from evalplatform.feedback.steps import StepState, next_step, steps_of
from evalplatform.promptsets.models import Prompt, PromptSet
from tests import factories
from tests.feedback.conftest import make_wish


def test_loop_has_a_ranking_of_its_gallery(loop):
    rankings = loop.rounds.get().rankings
    assert [arm.name for arm in rankings.contenders] == ["one", "two", "three"]
    assert rankings.design == "together"
    assert {each.form for each in rankings.criteria.all()} == {"ranking"}
    assert {each.k for each in rankings.criteria.all()} == {2}
    assert loop.rounds.get().parent.name == "one"


def test_two_models_are_compared_in_pairs(material):
    made, _ = start_loop(project=default_project(), wish=make_wish(gallery=["one", "two"]))
    rankings = made.rounds.get().rankings
    assert (rankings.design, rankings.criteria.first().form) == ("all-pairs", "pair")


def test_asked_the_same_again_it_goes_on(loop):
    again, is_new = start_loop(project=default_project(), wish=make_wish())
    assert (again, is_new) == (loop, False)
    assert FeedbackRound.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": 3}, r"asked otherwise \(k\)"),
        ({"tuned": "two"}, "tuned checkpoint"),
        ({"gallery": ["one", "two"]}, "gallery"),
    ],
)
def test_another_loop_of_the_same_name_is_refused(loop, changes, said):
    with pytest.raises(BadInputError, match=said):
        start_loop(project=default_project(), wish=make_wish(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gallery": ["one"]}, "two models or more"),
        ({"gallery": ["one", "one"]}, "each once"),
        ({"verified_share": 0.0}, "above 0"),
        ({"agreement_floor": 1.5}, "from 0 to 1"),
        ({"aspects": []}, "no aspect"),
        ({"aspects": ["beauty"]}, "beauty"),
        ({"name": "a b"}, "cannot name a loop"),
        ({"name": "n" * 61}, "61 characters"),
        ({"seed": -1}, "seed is -1; give a number from 0"),
        ({"seed": 2**63}, "give a number from 0"),
        ({"k": 1001}, "give at most 1,000"),
        ({"tuned": "nobody"}, "nobody"),
        ({"proof_prompts": "ranked"}, "share 6 prompts"),
    ],
)
def test_bad_wishes_are_refused_and_leave_nothing(material, changes, said):
    with pytest.raises(BadInputError, match=said):
        start_loop(project=default_project(), wish=make_wish(**changes))
    assert not FeedbackLoop.objects.exists()


def test_one_shared_prompt_is_enough_to_refuse(material):
    text = Prompt.objects.filter(prompt_set__name="ranked").first().text
    held_out = PromptSet.objects.get(name="held-out")
    Prompt.objects.create(prompt_set=held_out, position=99, text=text)
    with pytest.raises(BadInputError, match="share 1 prompt "):
        start_loop(project=default_project(), wish=make_wish())


def test_steps_follow_each_other(loop):
    round = latest_round(loop_named("stickers", default_project()))
    first = next_step(steps_of(facts_of(round)))
    assert (first.label, first.state) == ("Rankings", StepState.PEOPLE)
    states = [step.state for step in steps_of(facts_of(round))]
    assert states[1:] == [StepState.LATER] * 6


def test_proof_needs_a_child(loop):
    with pytest.raises(BadInputError, match="no child to prove"):
        start_proof(round=loop.rounds.get())


def test_proof_compares_the_child_with_its_parent_on_held_out_prompts(loop):
    round = loop.rounds.get()
    round.preferences_sha256 = "a" * 64
    round.child = factories.make_checkpoint("child")
    round.save()
    proof = start_proof(round=round)
    assert [arm.name for arm in proof.contenders] == ["child", "one"]
    assert [each.name for each in proof.prompt_sets.all()] == ["held-out"]
    assert {each.form for each in proof.criteria.all()} == {"pair"}
    assert start_proof(round=round) == proof


@pytest.mark.parametrize(
    "fields",
    [
        {"child_id": 1},  # of no preferences
        {"preferences_sha256": "not a hash"},
        {"agreed": 3, "compared": 2},
        {"insertion": {"pairs": 3}},
    ],
)
def test_database_refuses_a_step_without_the_one_before(loop, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        FeedbackRound.objects.filter(loop=loop).update(**fields)
