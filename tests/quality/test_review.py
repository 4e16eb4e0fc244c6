"""Exclusion while people work: votes stay stored, slots reopen, k is reached again."""

import logging
import re
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.annotation.models import Assignment, Enrolment, Exclusion, Vote
from evalplatform.annotation.services import Receipt, exclude, open_campaign, reinstate
from evalplatform.core.errors import BadInputError
from evalplatform.quality import receivers
from evalplatform.quality.services import exclude_by_hand, review
from tests import factories
from tests.quality.conftest import make_campaign

pytestmark = pytest.mark.django_db(transaction=True)


def honest(assignment):
    """Prefer the image of place 0, which of gold is the better one."""
    return factories.pick(assignment, 0)


def careless(assignment):
    return factories.pick(assignment, 1)


def work(enrolment, choose, most=1000, **fields):
    """Judge until nothing more is offered or `most` pairs are done; return how many."""
    for count in range(most):
        assignment = factories.lease(enrolment)
        if assignment is None:
            return count
        assert factories.vote(enrolment, assignment, choose(assignment), **fields) == "recorded"
    return most


def counting(campaign):
    """Return how many votes count on each item."""
    votes = Vote.objects.filter(
        assignment__campaign=campaign, assignment__purpose="main", retracted_at=None, exclusion=None
    )
    return Counter(votes.values_list("assignment__item", flat=True))


@pytest.fixture
def gold_rule(checked):
    return checked(gold_rate=0.4, exclude_gold_below=0.7, exclude_gold_after=2)


def test_who_fails_gold_is_excluded_in_the_middle_of_their_work(gold_rule, enrolled):
    (carl,) = enrolled(gold_rule, "carl")
    done = work(carl, careless)
    assert done < 16  # of 16 items and their checks
    assert carl.status == Enrolment.Status.DISQUALIFIED
    exclusion = Exclusion.objects.get()
    assert exclusion.rule == "gold"
    assert exclusion.detail == "0 of 2 (0.0 %) gold sets right, at least 70 % needed"
    assert factories.lease(carl) is None


def test_who_is_honest_is_not_excluded(gold_rule, enrolled):
    (ana,) = enrolled(gold_rule, "ana")
    assert work(ana, honest) > 16
    assert not Exclusion.objects.exists()
    assert Vote.objects.filter(assignment__purpose="gold").count() > 2


def test_excluded_votes_stay_and_others_bring_every_item_to_k_again(gold_rule, enrolled):
    carl, ana, ben = enrolled(gold_rule, "carl", "ana", "ben")
    work(carl, careless)
    stored = Vote.objects.filter(annotator__pseudonym="carl")
    kept = list(stored.values_list("pk", "grades", "exclusion"))
    assert kept
    assert all(exclusion for _, _, exclusion in kept)
    assert counting(gold_rule) == {}
    assert Assignment.objects.main().completed().count() == 0
    for each in (ana, ben):
        work(each, honest)
    assert set(counting(gold_rule).values()) == {2}
    assert len(counting(gold_rule)) == 16
    assert list(stored.values_list("pk", "grades", "exclusion")) == kept


def test_reinstated_votes_count_again_where_nobody_else_has_judged_since(gold_rule, enrolled):
    carl, ana = enrolled(gold_rule, "carl", "ana")
    work(carl, careless)
    before = Vote.objects.filter(annotator__pseudonym="carl", assignment__purpose="main").count()
    assert before >= 2
    while not Vote.objects.filter(annotator=ana.annotator, assignment__purpose="main").exists():
        work(ana, honest, most=1)  # takes one of the slots that came back
    count = reinstate(exclusion=Exclusion.objects.get(), now=timezone.now())
    assert count == before - 1
    assert max(counting(gold_rule).values()) <= 2
    carl.refresh_from_db()
    assert carl.status == Enrolment.Status.ACTIVE


def test_who_was_reinstated_is_left_to_people(gold_rule, enrolled):
    carl, _ = enrolled(gold_rule, "carl", "ana")
    work(carl, careless)
    reinstate(exclusion=Exclusion.objects.get(), now=timezone.now())
    assert work(carl, careless, most=5) == 5
    assert review(enrolment=carl, now=timezone.now()) is None
    assert Exclusion.objects.count() == 1


def test_speed_is_looked_at_after_every_fifth_answer(checked, enrolled):
    campaign = checked(exclude_too_fast_above=0.5, exclude_votes_after=5)
    (flash,) = enrolled(campaign, "flash")
    assert work(flash, honest, response_time_ms=50) == 5
    assert Exclusion.objects.get().rule == "too_fast"


def test_nobody_is_excluded_right_after_the_check_they_failed(checked, enrolled):
    """Only the number of answers decides when somebody is looked at: the end tells no check."""
    campaign = checked(gold_rate=0.4, exclude_gold_below=0.9, exclude_gold_after=1)
    for person in enrolled(campaign, *"abcdefgh"):
        work(person, careless)
        person.refresh_from_db()
        assert person.status == Enrolment.Status.DISQUALIFIED
        assert person.judged % receivers.LOOK_EVERY == 0


def test_last_answer_of_a_capped_session_is_looked_at(enrolled):
    rules = {
        "quality": {"exclude_too_fast_above": 0.5, "exclude_votes_after": 2},
        "annotation": {"session_cap": 3},
    }
    campaign = make_campaign(rules=rules)
    open_campaign(campaign=campaign)
    (flash,) = enrolled(campaign, "flash")
    assert work(flash, honest, response_time_ms=50) == 3
    assert Exclusion.objects.get().rule == "too_fast"


def test_side_is_looked_at_too(checked, enrolled):
    campaign = checked(exclude_same_side_above=0.9, exclude_votes_after=10)
    (lefty,) = enrolled(campaign, "lefty")
    assert work(lefty, lambda _: "left") == 10
    assert Exclusion.objects.get().rule == "same_side"


def test_repeats_answered_otherwise_exclude(checked, enrolled):
    campaign = checked(
        repeat_rate=0.5, repeat_gap=0, exclude_repeats_below=0.6, exclude_repeats_after=2
    )
    (waver,) = enrolled(campaign, "waver")
    work(waver, lambda assignment: "left")  # sides swap in repeats: never the same image
    assert Exclusion.objects.get().rule == "repeats"


def test_campaign_without_exclusion_rules_is_not_reviewed(
    campaign, enrolled, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(receivers, "review", lambda **_: pytest.fail("reviewed"))
    (ana,) = enrolled(campaign, "ana")
    work(ana, honest)
    ana.judged = 10
    with django_assert_num_queries(0):
        receivers.review_after_vote(None, enrolment=ana, now=timezone.now())


def test_vote_between_two_looks_reads_nothing(gold_rule, enrolled, django_assert_num_queries):
    (ana,) = enrolled(gold_rule, "ana")
    ana.judged = 7
    with django_assert_num_queries(0):
        receivers.review_after_vote(None, enrolment=ana, now=timezone.now())


def test_failing_review_loses_no_vote_and_is_logged(gold_rule, enrolled, monkeypatch, caplog):
    def fail(**_):
        raise RuntimeError("the review is broken")

    monkeypatch.setattr(receivers, "review", fail)
    (ana,) = enrolled(gold_rule, "ana")
    with caplog.at_level(logging.ERROR):
        done = work(ana, honest)
    assert Vote.objects.filter(retracted_at=None).count() == done
    assert "the review is broken" in caplog.text
    assert "their vote is kept" in caplog.text


def test_failing_statement_in_a_review_loses_no_vote(gold_rule, enrolled, monkeypatch):
    from django.db import connection

    def fail(**_):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM no_such_table")

    monkeypatch.setattr(receivers, "review", fail)
    (ana,) = enrolled(gold_rule, "ana")
    assert Vote.objects.count() == 0
    done = work(ana, honest)
    assert Vote.objects.count() == done > 10


# ---- by hand ------------------------------------------------------------------------------------


def run(campaign, capsys, *arguments):
    call_command("review_annotators", campaign.slug, *arguments)
    return capsys.readouterr().out


@pytest.fixture
def reviewed(things, enrolled):
    """An opened campaign without rules, on which ana and the simulated robot have voted."""
    open_campaign(campaign=things)
    ana, robot = enrolled(things, "ana", "robot")
    robot.annotator.is_simulated = True
    robot.annotator.save()
    work(ana, honest, most=4)
    work(robot, careless, most=4)
    return things


def test_table_lists_everybody_with_their_measures(reviewed, capsys):
    out = run(reviewed, capsys)
    assert "ana" in out
    assert "robot (simulated)" in out
    assert "no exclusion rules" in out
    assert max(map(len, out.splitlines())) <= 132


def test_table_says_which_rule_is_broken_and_apply_excludes(checked, enrolled, capsys, monkeypatch):
    monkeypatch.setattr(receivers, "review", lambda **_: None)
    campaign = checked(exclude_too_fast_above=0.5, exclude_votes_after=4)
    (flash,) = enrolled(campaign, "flash")
    work(flash, honest, most=4, response_time_ms=50)
    assert "flash breaks too_fast: 4 of 4 (100.0 %)" in run(campaign, capsys)
    assert not Exclusion.objects.exists()
    assert "excluded flash: 4 of 4 (100.0 %)" in run(campaign, capsys, "--apply")
    assert Exclusion.objects.get().rule == "too_fast"
    assert "excluded flash" not in run(campaign, capsys, "--apply")


def test_exclusion_and_reinstatement_by_hand(reviewed, capsys):
    out = run(reviewed, capsys, "--exclude", "ana", "--reason", "told us she guessed")
    assert "excluded ana: 4 answers no longer count" in out
    assert re.search(r"^ ana .* manual$", out, re.M)
    exclusion = Exclusion.objects.get()
    assert (exclusion.rule, exclusion.detail) == ("manual", "told us she guessed")
    assert sum(counting(reviewed).values()) == 4
    out = run(reviewed, capsys, "--reinstate", "ana")
    assert "reinstated ana: 4 votes count again; 0 stay out" in out
    assert sum(counting(reviewed).values()) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exclude", "ana"], "needs a reason"),
        (["--exclude", "ana", "--reason", "  "], "needs a reason"),
        (["--exclude", "zoe", "--reason", "x"], "'zoe' took no part"),
        (["--reinstate", "ana"], "not excluded"),
        (["--reason", "x"], "goes with --exclude"),
    ],
)
def test_decisions_that_make_no_sense_are_refused(reviewed, arguments, message):
    with pytest.raises(CommandError, match=message) as raised:
        call_command("review_annotators", reviewed.slug, *arguments)
    assert raised.value.returncode == 2
    assert not Exclusion.objects.exists()


def test_second_exclusion_is_refused(reviewed, capsys):
    run(reviewed, capsys, "--exclude", "ana", "--reason", "x")
    with pytest.raises(CommandError, match="excluded already"):
        call_command("review_annotators", reviewed.slug, "--exclude", "ana", "--reason", "y")


def test_reason_is_needed(reviewed):
    with pytest.raises(BadInputError, match="needs a reason"):
        exclude_by_hand(enrolment=reviewed.enrolments.first(), reason=" ", now=timezone.now())


def test_vote_of_an_excluded_annotator_is_kept_aside(reviewed):
    ana = reviewed.enrolments.get(annotator__pseudonym="ana")
    held = factories.lease(ana)
    exclude(enrolment=ana, rule="manual", detail="x", now=timezone.now())
    assert factories.vote(ana, held) == Receipt.SURPLUS
