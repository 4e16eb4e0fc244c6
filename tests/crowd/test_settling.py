"""Prolific's API: submissions read, a reviewed list sent once, failures said in one line."""

import csv
import stat
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.annotation.models import Assignment, CrowdVisit, Settlement
from evalplatform.annotation.services import exclude
from evalplatform.crowd import prolific_api
from evalplatform.crowd.prolific_api import ProlificApi, ProlificError
from evalplatform.crowd.review_file import COLUMNS
from tests import factories
from tests.crowd.conftest import Study

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def study(db):
    return Study(prompts=6, k=2, criteria=["visual_appeal"])


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """How long the client waited, without waiting."""
    waited = []
    monkeypatch.setattr(ProlificApi.__init__, "__kwdefaults__", {"sleep": waited.append})
    return waited


@pytest.fixture
def people(study, prolific):
    """p1 and p2 judged, p3 was excluded, p4 holds work and returned it; p5 never began."""
    clients = {f"p{n}": study.come(f"p{n}", f"s{n}") for n in range(1, 5)}
    for name in ("p1", "p2", "p3"):
        study.judge(clients[name], 2)
    study.state(clients["p4"])
    excluded = CrowdVisit.objects.get(session_id="s3").enrolment
    exclude(enrolment=excluded, rule="manual", detail="-", now=timezone.now())
    for n in (1, 2, 3):
        prolific.has(f"s{n}", f"p{n}", "AWAITING REVIEW")
    prolific.has("s4", "p4", "RETURNED")
    prolific.has("s5", "p5", "TIMED-OUT")
    return clients


def crowd(*args, **options):
    call_command("crowd", *args, **options)


@pytest.fixture
def listed(study, people, tmp_path):
    """The list to review, after the submissions were read."""
    crowd("sync", study.campaign.slug)
    path = tmp_path / "review.csv"
    crowd("review", study.campaign.slug, "--output", str(path))
    return path


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def edit(path, **changes):
    """Change cells: `s1=("approve", "1.50")`."""
    rows = rows_of(path)
    for row in rows:
        if row["submission"] in changes:
            row["action"], row["bonus"] = changes[row["submission"]]
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return path


def test_sync_reads_every_page_and_frees_what_was_left(study, people, capsys):
    held = Assignment.objects.pending().filter(
        annotator=CrowdVisit.objects.get(session_id="s4").enrolment.annotator
    )
    assert held.count() == 1
    crowd("sync", study.campaign.slug)
    assert capsys.readouterr().out == (
        f"{study.campaign.slug}: 5 submissions (3 awaiting review, 1 returned, 1 timed-out), "
        "1 of people who never began; 1 left since, 1 item freed\n"
    )
    assert held.count() == 0
    crowd("sync", study.campaign.slug)
    assert "0 left since, 0 items freed" in capsys.readouterr().out


def test_sync_for_another_platform_says_so_before_it_asks_for_a_token(settings):
    settings.PROLIFIC_TOKEN = ""
    panel = {"crowd": {"platform": "generic", "name": "Our panel"}}
    campaign = factories.make_draft(prompts=1, sampled=False, rules=panel)
    with pytest.raises(CommandError, match="takes people from Our panel; this is for Prolific"):
        crowd("sync", campaign.slug)


def test_review_lists_everybody_with_a_suggestion_for_owner_alone(listed):
    rows = {row["submission"]: row for row in rows_of(listed)}
    assert [row["action"] for row in rows.values()] == ["approve", "approve", "look", ""]
    assert rows["s1"]["participant"] == "p1"
    assert rows["s1"]["judged"] == "2"
    assert float(rows["s1"]["minutes"]) >= 0
    assert rows["s3"]["excluded_by"] == "manual"
    assert {row["bonus"] for row in rows.values()} == {""}
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600


def test_review_overwrites_no_list(study, listed):
    with pytest.raises(CommandError, match="perhaps edited"):
        crowd("review", study.campaign.slug, "--output", str(listed))


def test_settle_sends_nothing_without_yes(listed, prolific, capsys):
    edit(listed, s1=("approve", "1.50"))
    crowd("settle", str(listed))
    out = capsys.readouterr().out
    assert "2 approvals to send (0 before), 1 bonus to send (0 before), 1.50 in all" in out
    assert "Nothing was sent" in out
    assert not prolific.approvals
    assert not prolific.planned


def test_settle_sends_each_thing_once(listed, prolific, capsys):
    edit(listed, s1=("approve", "1.50"), s2=("approve", "0.05"), s3=("", "2"))
    for _ in range(2):
        crowd("settle", str(listed), "--yes")
    assert prolific.approvals == ["s1", "s2"]
    assert prolific.paid == {"s1": 150, "s2": 5, "s3": 200}
    assert "0 approvals sent (2 before), 0 bonuses sent (3 before)" in capsys.readouterr().out
    assert Settlement.objects.filter(state="sent").count() == 5


def test_interrupted_settling_goes_on_where_it_stopped(listed, prolific):
    prolific.faults = [(200, {}), (403, {})]  # the first is taken as approved
    with pytest.raises(CommandError, match="refuses the token"):
        crowd("settle", str(listed), "--yes")
    assert Settlement.objects.count() == 1
    crowd("settle", str(listed), "--yes")
    assert prolific.approvals == ["s2"]


def test_one_submission_that_is_refused_does_not_stop_the_others(listed, prolific, capsys):
    del prolific.submissions["s1"]
    crowd("settle", str(listed), "--yes")
    said = capsys.readouterr()
    assert prolific.approvals == ["s2"]
    pseudonym = CrowdVisit.objects.get(session_id="s1").enrolment.annotator.pseudonym
    assert f"{pseudonym}: Prolific does not know the submission of {pseudonym} (404)" in said.err
    assert "1 approval sent" in said.out


def test_bonus_whose_payment_broke_off_is_not_paid_again(listed, prolific):
    edit(listed, s1=("", "1.00"), s2=("", ""))
    prolific.fails_after_paying = True
    with pytest.raises(CommandError, match="may have been paid"):
        crowd("settle", str(listed), "--yes")
    prolific.fails_after_paying = False
    with pytest.raises(CommandError, match="look on Prolific"):
        crowd("settle", str(listed), "--yes")
    assert prolific.paid == {"s1": 100}
    with pytest.raises(CommandError, match="--uncertain goes with --yes"):
        crowd("settle", str(listed), "--uncertain", "paid")
    crowd("settle", str(listed), "--yes", "--uncertain", "paid")
    assert prolific.paid == {"s1": 100}


def test_answer_to_a_payment_that_is_no_json_does_not_pay_it_again(listed, prolific):
    edit(listed, s1=("", "1.00"), s2=("", ""))
    prolific.says_of_payments = b"<p>Accepted</p>"
    for _ in range(2):
        crowd("settle", str(listed), "--yes")
    assert prolific.paid == {"s1": 100}


def test_payment_that_a_proxy_gave_up_on_may_have_been_made(prolific):
    prolific.faults = [(408, {})]
    with pytest.raises(prolific_api.UncertainError, match=r"\(408\).* may have been paid"):
        ProlificApi().pay_bonuses("bonus1")


def test_who_comes_with_the_submission_of_somebody_else_gets_it_paid_no_second_time(
    study, listed, prolific
):
    edit(listed, s1=("approve", "1.00"), s2=("", ""))
    crowd("settle", str(listed), "--yes")
    study.come("p9", "s1")
    crowd("settle", str(listed), "--yes")
    assert prolific.paid == {"s1": 100}
    assert prolific.approvals == ["s1"]


def test_sync_believes_prolific_whose_a_submission_is(study, people, prolific):
    study.state(study.come("p9", "s4"))
    crowd("sync", study.campaign.slug)
    states = CrowdVisit.objects.filter(session_id="s4").order_by("pk")
    assert list(states.values_list("status", flat=True)) == ["RETURNED", ""]


def test_bonus_that_was_not_paid_can_be_paid_after_looking(listed, prolific):
    edit(listed, s1=("", "1.00"), s2=("", ""))
    prolific.faults = [(201, {})]  # answers without an id
    with pytest.raises(CommandError, match="gave no id"):
        crowd("settle", str(listed), "--yes")
    assert not Settlement.objects.exists()
    crowd("settle", str(listed), "--yes")
    assert prolific.paid == {"s1": 100}


def test_bonus_that_is_refused_leaves_nothing_as_paid(listed, prolific):
    edit(listed, s1=("", "1.00"), s2=("", ""))
    del prolific.submissions["s1"]
    with pytest.raises(CommandError, match=r"refuses the bonuses of study study1 \(400\)"):
        crowd("settle", str(listed), "--yes")
    assert not Settlement.objects.exists()


def test_another_bonus_than_was_paid_is_refused(listed, prolific):
    edit(listed, s1=("", "1.00"))
    crowd("settle", str(listed), "--yes")
    edit(listed, s1=("", "2.00"))
    with pytest.raises(CommandError, match=r"was paid 1.00 before, and the file says 2.00"):
        crowd("settle", str(listed), "--yes")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("reject", ""), "accepted are approve, look"),
        (("", "1.505"), "accepted are 0.00, 0.01"),
        (("", "-1"), "accepted are 0.00, 0.01"),
        (("", "NaN"), "is no amount"),
        (("", "a lot"), "is no amount"),
        (("", "150"), "above 20.00; allow so much .*--most-bonus"),
    ],
)
def test_cell_that_cannot_be_meant_is_refused_before_anything_is_sent(
    listed, prolific, cell, words
):
    edit(listed, s2=cell)
    with pytest.raises(CommandError, match=words):
        crowd("settle", str(listed), "--yes")
    assert not prolific.approvals


def test_list_of_other_submissions_is_refused(listed, prolific):
    text = listed.read_text()
    listed.write_text(text.replace(",s1,", ",s9,"))
    with pytest.raises(CommandError, match=r"1 of 4 submissions are not of '.*' \(line 2\)"):
        crowd("settle", str(listed), "--yes")
    listed.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="has no column action, bonus, campaign, submission"):
        crowd("settle", str(listed), "--yes")
    listed.write_text(text.replace(",s2,", ",s1,"))
    with pytest.raises(CommandError, match=r"line 3: this .* stands above already, on line 2"):
        crowd("settle", str(listed), "--yes")


def test_list_sorted_by_one_column_alone_pays_nobody(listed, prolific):
    text = listed.read_text()
    listed.write_text(text.replace(",s1,", ",S,").replace(",s2,", ",s1,").replace(",S,", ",s2,"))
    with pytest.raises(CommandError, match=r"line 2: the submission is of ann-.*, and the row"):
        crowd("settle", str(listed), "--yes")
    assert not prolific.approvals


def test_most_bonus_is_an_amount(listed):
    edit(listed, s1=("", "30"))
    for most in ("NaN", "inf", "-1", "30,00"):
        with pytest.raises(CommandError, match=r"--most-bonus .* is no amount; write one such as"):
            crowd("settle", str(listed), f"--most-bonus={most}")


# ---- failures of the API ------------------------------------------------------------------------


def test_busy_prolific_is_asked_again_after_the_time_it_says(study, people, prolific, pauses):
    prolific.faults = [(429, {"Retry-After": "7"}), (503, {}), "hang up"]
    crowd("sync", study.campaign.slug)
    assert pauses == [7, 2, 4]


def test_pauses_are_bounded_and_tries_too(study, people, prolific, pauses):
    prolific.faults = [(429, {"Retry-After": "86400"})] * 5
    with pytest.raises(CommandError, match=r"asked too often \(429\), 5 times; try again later"):
        crowd("sync", study.campaign.slug)
    assert pauses == [120] * 4


@pytest.mark.parametrize(
    ("fault", "words"),
    [((401, {}), "PROLIFIC_TOKEN"), ((404, {}), r"does not know study study1 \(404\)")],
)
def test_what_repeating_does_not_mend_is_said_at_once(
    study, people, prolific, pauses, fault, words
):
    prolific.faults = [fault]
    with pytest.raises(CommandError, match=words):
        crowd("sync", study.campaign.slug)
    assert pauses == []


def test_answer_in_another_form_is_said(study, people, prolific):
    prolific.faults = [(200, {})]
    with pytest.raises(CommandError, match="not in the form that is known"):
        crowd("sync", study.campaign.slug)


def test_prolific_out_of_reach_is_said(study, people, settings, pauses):
    settings.PROLIFIC_API_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match=r"does not answer .*, 5 times"):
        crowd("sync", study.campaign.slug)


def test_payment_is_never_repeated(prolific, pauses):
    prolific.faults = [(503, {})]
    with pytest.raises(prolific_api.UncertainError, match="may have been paid"):
        ProlificApi().pay_bonuses("bonus1")
    assert prolific.requests == ["POST /api/v1/bulk-bonus-payments/bonus1/pay/"]
    prolific.faults = [(429, {"Retry-After": "1"}), (400, {})]
    with pytest.raises(ProlificError, match=r"refuses bonus payment bonus1 \(400\)"):
        ProlificApi().pay_bonuses("bonus1")


def test_token_is_needed(study, settings):
    settings.PROLIFIC_TOKEN = ""
    with pytest.raises(CommandError, match="PROLIFIC_TOKEN is not set"):
        crowd("sync", study.campaign.slug)


def test_study_is_needed_where_nobody_has_come(study, prolific):
    with pytest.raises(CommandError, match="--study"):
        crowd("sync", study.campaign.slug)
    assert Decimal(0) == sum(row.amount or 0 for row in Settlement.objects.all())
