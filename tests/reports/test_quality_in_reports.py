"""Excluded votes, checks and everything set aside, in table, JSON, CSV and dashboard."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Exclusion, Vote
from evalplatform.annotation.services import (
    enrol,
    exclude,
    open_campaign,
    reinstate,
    skip_assignment,
    undo_vote,
)
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign, ImageSet
from evalplatform.quality.measures import Share
from evalplatform.reports.csv_files import CHECK_COLUMNS, checks_csv
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.figures import all_figures
from evalplatform.reports.results import campaign_results
from evalplatform.reports.selectors import campaign_summaries
from evalplatform.reports.table import WIDTH, results_table
from evalplatform.reports.votes_csv import VOTE_COLUMNS, votes_csv
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def for_a(assignment):
    return factories.pick(assignment, 0)


def for_b(assignment):
    return factories.pick(assignment, 1)


def judge(campaign, pseudonym, choose, simulated=False, **fields):
    """Let one annotator judge all they are offered; return their enrolment."""
    annotator, _ = Annotator.objects.get_or_create(pseudonym=pseudonym, is_simulated=simulated)
    enrolment = enrol(campaign=campaign, annotator=annotator)
    while assignment := factories.lease(enrolment):
        factories.vote(enrolment, assignment, choose(assignment), **fields)
    return enrolment


def throw_out(enrolment, rule="gold", detail="1 of 6 gold pairs right"):
    return exclude(enrolment=enrolment, rule=rule, detail=detail, now=timezone.now())


@pytest.fixture
def opened(db):
    """4 prompts, both criteria, k = 2: 16 votes wanted."""
    campaign = factories.make_draft(prompts=4, k=2)
    open_campaign(campaign=campaign)
    return campaign


@pytest.fixture
def excluded(opened):
    """Ana prefers A throughout; carl preferred B throughout and is excluded, not replaced yet."""
    judge(opened, "ana", for_a)
    throw_out(judge(opened, "carl", for_b))
    return opened


@pytest.fixture
def replaced(excluded):
    """The same after ben judged in carl's place."""
    judge(excluded, "ben", for_a)
    return excluded


def whole(campaign):
    """The group of each criterion on all its prompts."""
    return [each for each in campaign_results(campaign).groups if "(" not in each.prompts]


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def votes_of(campaign):
    return rows_of(b"".join(votes_csv(campaign)).decode())


def test_excluded_votes_do_not_count_and_their_slots_are_wanted_again(excluded):
    results = campaign_results(excluded)
    assert [group.rates.tally.total for group in whole(excluded)] == [4, 4]
    assert all(group.rates.tally.lose == 0 for group in whole(excluded))
    assert (results.completeness.votes, results.completeness.votes_wanted) == (8, 16)
    assert results.n_annotators == 1
    assert results.quality.excluded_votes == 8
    assert (results.quality.items_complete, results.quality.items_short) == (0, 8)


def test_replaced_votes_bring_back_exactly_k_and_both_figures_are_reported(replaced):
    results = campaign_results(replaced)
    assert results.completeness.is_complete
    assert (results.quality.items_complete, results.quality.items_short) == (8, 0)
    assert Vote.objects.count() == 24
    for each in results.with_excluded:
        assert each.as_reported.value == 1.0
        assert each.other.value == pytest.approx(1 / 3)
        assert each.votes == each.as_reported.n_votes / 2
    assert {each.prompts for each in results.with_excluded} == {
        group.prompts for group in results.groups
    }


def test_exclusion_is_listed_with_what_became_of_its_votes(excluded):
    (line,) = campaign_results(excluded).quality.exclusions
    assert (line.pseudonym, line.rule, line.detail) == ("carl", "gold", "1 of 6 gold pairs right")
    assert (line.votes, line.replaced, line.still_open) == (8, 0, 8)
    ben = enrol(campaign=excluded, annotator=Annotator.objects.create(pseudonym="ben"))
    for _ in range(3):
        factories.vote(ben, factories.lease(ben))
    factories.lease(ben)  # held and not answered: still open
    (line,) = campaign_results(excluded).quality.exclusions
    assert (line.votes, line.replaced, line.still_open) == (8, 3, 5)


def test_reinstatement_is_listed_and_leaves_out_only_what_was_replaced(excluded):
    ben = enrol(campaign=excluded, annotator=Annotator.objects.create(pseudonym="ben"))
    factories.vote(ben, factories.lease(ben))
    reinstate(exclusion=Exclusion.objects.get(), now=timezone.now())
    summary = campaign_results(excluded).quality
    (line,) = summary.exclusions
    assert line.revoked_at
    assert (line.votes, line.replaced, line.still_open) == (1, 1, 0)
    assert summary.excluded_votes == 1
    assert (summary.items_complete, summary.items_short) == (8, 0)


def test_without_exclusions_nothing_is_said_of_them(opened):
    judge(opened, "ana", for_a)
    judge(opened, "ben", for_a)
    results = campaign_results(opened)
    assert results.with_excluded == []
    assert "xcluded" not in results_table(results)
    page, methods = offline_dashboard(results).split("<script")[0].split('id="methods-text"')
    assert "excluded" not in page.lower()
    assert "No annotator was excluded." in methods
    content = results_json(results)
    assert content["with_excluded_votes"] == content["exclusions"] == []


def test_table_says_both_figures_and_who_was_excluded(replaced):
    table = results_table(campaign_results(replaced))
    assert re.search(
        r"Visual appeal +\S+@1 +net % +\+100\.0 \[[^]]+\] +\+33\.3 \[[^]]+\] +4\n", table
    )
    text = " ".join(table.split())
    assert "Excluded carl (gold: 1 of 6 gold pairs right): 8 votes out, 8 replaced, 0 open." in text
    assert "8 items have all their votes, 0 fewer" in text
    assert max(len(line) for line in table.splitlines()) <= WIDTH


def test_json_says_both_figures_and_who_was_excluded(replaced):
    content = results_json(campaign_results(replaced))
    json.dumps(content, allow_nan=False)
    assert content["excluded_votes"] == 8
    assert content["votes"] == 16
    both = content["with_excluded_votes"][0]
    assert both["net_without"]["value"] == 1.0
    assert both["net_with"]["value"] == pytest.approx(1 / 3)
    (line,) = content["exclusions"]
    assert (line["annotator"], line["rule"], line["votes"]) == ("carl", "gold", 8)
    assert (line["replaced"], line["still_open"], line["reinstated_at"]) == (8, 0, None)
    assert content["data_quality"]["items_with_k_votes"] == 8
    people = {each["annotator"]: each for each in content["data_quality"]["annotators"]}
    assert people["carl"]["excluded_by"] == "gold"
    assert people["ana"]["excluded_by"] is None
    share = people["carl"]["as_majority"]
    assert (share["count"], share["of"], share["share"], share["low"]) == (0, 8, 0.0, 0.0)
    assert share["high"] == pytest.approx(0.324, abs=1e-3)  # Wilson


def test_dashboard_says_both_figures_and_who_was_excluded(replaced):
    html = offline_dashboard(campaign_results(replaced))
    assert "Excluded annotators" in html
    assert "1 of 6 gold pairs right" in html
    assert "+33.3 [" in html
    assert 'href="#excluded"' in html


def test_results_are_there_when_every_vote_was_excluded(opened):
    throw_out(judge(opened, "carl", for_b))
    results = campaign_results(opened)
    assert results.groups == []
    assert [each.as_reported for each in results.with_excluded] == [None] * 4
    assert "Excluded carl" in results_table(results)
    assert "No vote counts" in offline_dashboard(results)
    json.dumps(results_json(results), allow_nan=False)


# ---- checks -------------------------------------------------------------------------------------


@pytest.fixture
def checked(db, steady_turns):
    """One prompt pair a criterion, gold and repeats at 25 % each, answered by ana and carl."""
    campaign = factories.make_draft(
        prompts=12, k=2, criteria=["visual_appeal"],
        rules={"quality": {"gold_rate": 0.25, "repeat_rate": 0.25, "repeat_gap": 0}},
    )  # fmt: skip
    factories.add_gold(campaign, "check", 8)
    campaign.image_sets.gold().update(prompt_text="=gold")
    open_campaign(campaign=campaign)
    judge(campaign, "ana", for_a)
    judge(campaign, "carl", for_b)
    return campaign


def test_checks_are_counted_nowhere_among_votes(checked):
    checks = Assignment.objects.exclude(purpose="main")
    assert checks.filter(purpose="gold").exists()
    assert checks.filter(purpose="repeat").exists()
    results = campaign_results(checked)
    assert results.completeness.votes == results.completeness.votes_wanted == 24
    assert results.groups[0].rates.tally.total == 24
    assert len(votes_of(checked)) == 24
    (line,) = campaign_summaries(Campaign.objects.all())
    assert (line.completeness.votes, line.completeness.votes_wanted) == (24, 24)


def test_gold_and_repeats_are_summed_up_of_those_who_count(checked):
    seen = Assignment.objects.filter(purpose="gold", annotator__pseudonym="ana").count()
    of_carl = Assignment.objects.filter(purpose="gold", annotator__pseudonym="carl").count()
    assert seen
    assert of_carl
    summary = campaign_results(checked).quality
    assert summary.gold == summary.gold_of_all == Share(seen, seen + of_carl)
    assert summary.repeats.value == 1.0
    throw_out(checked.enrolments.get(annotator__pseudonym="carl"))
    summary = campaign_results(checked).quality
    assert summary.excluded_votes == 12  # checks are no votes
    assert summary.gold == Share(seen, seen)
    assert summary.gold_of_all == Share(seen, seen + of_carl)
    assert summary.repeats.total < summary.repeats_of_all.total


def test_checks_csv_has_a_row_for_each_check(checked, capsys):
    throw_out(checked.enrolments.get(annotator__pseudonym="carl"))
    call_command("report", checked.slug, "--format", "checks")
    rows = rows_of(capsys.readouterr().out)
    assert list(rows[0]) == CHECK_COLUMNS
    assert len(rows) == Vote.objects.exclude(assignment__purpose="main").count()
    for row in rows:
        ana = row["annotator"] == "ana"
        assert row["excluded_by"] == ("" if ana else "gold")
        assert row["criterion"] == "visual_appeal"
        if row["purpose"] == "gold":
            assert row["passed"] == ("1" if ana else "0")
            assert row["prompt_text"] == "=gold"
        else:
            assert row["passed"] == "1"
            assert row["first_grades"] == row["grades"] == ("1 0" if ana else "0 1")


def test_repeat_answered_otherwise_has_not_passed(checked):
    repeat = Vote.objects.filter(assignment__purpose="repeat").first()
    now = timezone.now()
    Vote.objects.filter(pk=repeat.pk).update(retracted_at=now)
    other = {
        field.name: getattr(repeat, field.name)
        for field in Vote._meta.fields
        if field.name not in ("id", "idempotency_key", "answer", "grades")
    }
    Vote.objects.create(
        **other, answer="tie", grades=[0, 0],
        idempotency_key="0c6c0000-0000-4000-8000-000000000000",
    )  # fmt: skip
    rows = rows_of(checks_csv(campaign_results(checked)))
    assert [row["passed"] for row in rows if row["answer"] == "tie"] == ["0"]
    Vote.objects.filter(
        annotator=repeat.annotator, assignment__item=repeat.assignment.item,
        assignment__purpose="main",
    ).update(retracted_at=now)  # fmt: skip
    rows = rows_of(checks_csv(campaign_results(checked)))
    assert [row["passed"] for row in rows if row["answer"] == "tie"] == [""]


# ---- votes.csv ----------------------------------------------------------------------------------


def test_votes_csv_keeps_its_columns_and_marks_what_does_not_count(replaced):
    rows = votes_of(replaced)
    assert list(rows[0]) == VOTE_COLUMNS
    assert len(rows) == 24
    for row in rows:
        out = row["annotator"] == "carl"
        assert row["counts"] == ("0" if out else "1")
        assert row["excluded_by"] == ("gold" if out else "")


def test_votes_csv_says_speed_window_and_zoom(opened):
    annotator = Annotator.objects.create()
    enrolment = enrol(campaign=opened, annotator=annotator)
    shown = {"viewport_width": 599, "viewport_height": 800, "pixel_ratio": 1.5, "zoomed": True}
    for ms, more in ((399, shown), (400, shown | {"viewport_width": 600, "zoomed": False}),
                     (None, {})):  # fmt: skip
        factories.vote(enrolment, factories.lease(enrolment), response_time_ms=ms, **more)
    results = campaign_results(opened)
    rows = votes_of(opened)
    assert [row["too_fast"] for row in rows] == ["1", "0", ""]
    assert [row["viewport_width"] for row in rows] == ["599", "600", ""]
    assert [row["pixel_ratio"] for row in rows] == ["1.5", "1.5", ""]
    assert [row["zoomed"] for row in rows] == ["1", "0", ""]
    quality = results.quality
    assert (quality.too_fast, quality.narrow, quality.zoomed) == (
        Share(1, 2), Share(1, 2), Share(1, 2)
    )  # fmt: skip


def test_speed_is_not_spoken_of_where_nothing_is_too_fast(db):
    campaign = factories.make_draft(prompts=2, k=1, rules={"quality": {"min_response_ms": 0}})
    open_campaign(campaign=campaign)
    judge(campaign, "ana", for_a)
    results = campaign_results(campaign)
    assert "faster than" not in results_table(results)
    assert "Answered within" not in offline_dashboard(results)


# ---- what else was set aside --------------------------------------------------------------------


def test_skips_undone_and_late_answers_are_reported_by_reason(opened):
    now = timezone.now()
    people = [
        enrol(campaign=opened, annotator=Annotator.objects.create(pseudonym=name))
        for name in ("ana", "ben", "cleo")
    ]
    for enrolment, reason in zip(people, ("unsafe", "broken_image", "cannot_judge"), strict=True):
        public_id = factories.lease(enrolment).public_id
        skip_assignment(enrolment=enrolment, public_id=public_id, reason=reason, now=now)
    once = factories.lease(people[2]).public_id  # one skip may be a matter of taste
    skip_assignment(enrolment=people[2], public_id=once, reason="unsafe", now=now)
    ana = people[0]
    done = factories.lease(ana)
    factories.vote(ana, done)
    factories.vote(ana, done)  # again, under another key: kept aside
    undo_vote(enrolment=ana, key=None, now=now)
    quality = campaign_results(opened).quality
    assert quality.skips == {"unsafe": 2, "broken_image": 1, "cannot_judge": 1}
    assert quality.surplus == {"already_answered": 1}
    assert quality.undone == 1
    (often,) = quality.skipped_often  # the third reason lies with the annotator
    assert (often.position, often.broken_image, often.unsafe) == (0, 1, 1)
    html = offline_dashboard(campaign_results(opened))
    assert "No votes yet" in html
    factories.vote(ana, factories.lease(ana))
    html = offline_dashboard(campaign_results(opened))
    for text in ("cannot judge", "This annotator had answered this before",
                 "Look at these images"):  # fmt: skip
        assert text in html


def test_raw_answers_behind_ties_are_reported_where_four_are_offered(db):
    campaign = factories.make_draft(
        prompts=4, criteria=[plan_criterion("text_faithfulness", 1, "pair_both_neither")]
    )
    open_campaign(campaign=campaign)
    answers = iter(["both", "neither", "both", "left"])
    judge(campaign, "ana", lambda _: next(answers))
    results = campaign_results(campaign)
    assert results_json(results)["data_quality"]["ties"] == [
        {"criterion": "Text faithfulness", "both": 2, "neither": 1}
    ]
    assert results.side_bias.left.n_votes == 1  # both and neither are no side
    html = offline_dashboard(results)
    assert "answers left, both, neither, right" in html
    assert "What the ties were" in html


# ---- the stamp ----------------------------------------------------------------------------------


def test_simulated_votes_are_stamped_even_where_all_of_them_were_excluded(opened, capsys):
    judge(opened, "ana", for_a)
    throw_out(judge(opened, "robot", for_b, simulated=True))
    judge(opened, "ben", for_a)
    stamp = "SIMULATED: 8 of 24 votes, excluded ones included, were cast by simulated annotators"
    results = campaign_results(opened)
    assert results.simulated_stamp.startswith(stamp)
    assert stamp in " ".join(results_table(results).split())
    assert stamp in offline_dashboard(results)
    assert results_json(results)["simulated"] is True
    assert results_json(results)["simulated_votes"] == 0
    for figure in all_figures(results).values():
        assert any("SIMULATED" in note["text"] for note in figure["layout"]["annotations"])
    (line,) = campaign_summaries(Campaign.objects.all())
    assert line.has_simulated_votes


def test_simulated_checks_alone_are_stamped_too(opened):
    judge(opened, "ana", for_a)
    robot = Annotator.objects.create(pseudonym="robot", is_simulated=True)
    enrolment = enrol(campaign=opened, annotator=robot)
    factories.add_gold(opened, ImageSet.Purpose.CHECK, 1)
    item = opened.criteria.first().items.get(position=None)
    now = timezone.now()
    check = Assignment.objects.create(
        campaign=opened, item=item, purpose="gold", annotator=robot, serve_order=0, order=[0, 1],
        leased_at=now, lease_expires_at=now + timedelta(minutes=5),
    )  # fmt: skip
    factories.vote(enrolment, check)
    results = campaign_results(opened)
    assert results.simulated_stamp.startswith("SIMULATED: checks were answered by simulated")
    assert rows_of(checks_csv(results))[0]["is_simulated"] == "1"


def test_list_of_campaigns_takes_as_many_queries_for_one_as_for_many(
    opened, django_assert_num_queries
):
    with django_assert_num_queries(4):
        assert len(campaign_summaries(Campaign.objects.all())) == 1
    for index in range(3):
        factories.make_draft(prompts=2, slug=f"more-{index}")
    with django_assert_num_queries(4):
        lines = campaign_summaries(Campaign.objects.all())
    assert len(lines) == 4
    assert (lines[0].completeness.votes_wanted, lines[-1].completeness.votes_wanted) == (0, 16)
    assert lines[-1].completeness.items == 8
