"""Erasing who annotators are, and what time removes by itself. Votes stay."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.annotation.doors.personal_links import personal_path
from evalplatform.annotation.models import (
    Assignment,
    CrowdVisit,
    Enrolment,
    Invitation,
    Settlement,
    Vote,
)
from evalplatform.annotation.services import erasing, purge_personal_data
from evalplatform.annotation.services.erasing import erase_annotator
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.digests import secret_digest
from evalplatform.reports.cached import results_of
from evalplatform.reports.exports import results_json
from evalplatform.reports.votes_csv import votes_csv
from tests.crowd.conftest import Study

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = ("5f1e0aJane", "5f1e0aJoan")


@pytest.fixture
def study():
    """Four items of two slots each; two people from Prolific judged them all."""
    rules = {"crowd": {"completed_code": "C1"}}
    made = Study(prompts=4, k=2, criteria=["visual_appeal"], rules=rules)
    for number, person in enumerate(PEOPLE):
        made.judge(made.come(person, f"session{number}"), 4)
    Enrolment.objects.update(questionnaire={"job": "I am Jane Doe, dentist in Bern"})
    return made


def figures(campaign):
    campaign.refresh_from_db()
    report = results_json(results_of(campaign))
    report.pop("generated_at", None)
    return report, b"".join(votes_csv(campaign)), slots(campaign)


def slots(campaign):
    rows = Assignment.objects.filter(campaign=campaign).order_by("pk")
    return list(rows.values_list("item", "slot", "annotator", "completed_at"))


def everything_kept():
    """Return all that the database holds of people beside votes, as one text."""
    tables = (CrowdIdentity, CrowdVisit, Enrolment, Annotator, Settlement)
    rows = [list(each.objects.values()) for each in tables]
    return str(rows) + str([each.get_decoded() for each in Session.objects.all()])


def jane():
    return Annotator.objects.get(crowd_identity__external_id=PEOPLE[0])


def test_dry_run_says_what_would_go_and_changes_nothing(study, capsys):
    before = everything_kept()
    call_command("erase_annotator", PEOPLE[0])
    said = capsys.readouterr().out
    assert "the id on prolific, 1 visit, 1 questionnaire, 1 tie (" in said
    assert "stays: 4 votes" in said
    assert f"still open: {study.campaign.slug}" in said
    assert "nothing was changed" in said
    assert everything_kept() == before


def test_person_is_gone_and_no_figure_changes(study, capsys):
    before = figures(study.campaign)
    key = jane().access_key
    link = personal_path(jane().enrolments.get())
    call_command("erase_annotator", PEOPLE[0], yes=True)
    assert figures(study.campaign) == before
    kept = everything_kept()
    for gone in (PEOPLE[0], "session0", key):
        assert gone not in kept
    assert PEOPLE[1] in kept
    assert kept.count("dentist") == 1
    assert Vote.objects.count() == 8
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("how", ["pseudonym", "id", "platform and id", "link", "key"])
def test_person_is_found_by_whatever_they_give(study, how):
    person = jane()
    said = {
        "pseudonym": person.pseudonym,
        "id": PEOPLE[0],
        "platform and id": f"prolific:{PEOPLE[0]}",
        "link": f"https://eval.example.org{personal_path(person.enrolments.get())}",
        "key": f"https://eval.example.org{study.url}?key={person.access_key}",
    }[how]
    call_command("erase_annotator", said, yes=True)
    assert not CrowdIdentity.objects.filter(annotator=person).exists()


def test_again_it_says_that_nothing_is_left(study, capsys):
    pseudonym = jane().pseudonym
    for _ in range(2):
        call_command("erase_annotator", pseudonym, yes=True)
    assert f"{pseudonym}: nothing tells who this is" in capsys.readouterr().out
    call_command("erase_annotator", PEOPLE[0])
    assert "nobody who took part is known by this" in capsys.readouterr().out
    with pytest.raises(CommandError, match="nobody is known by this") as refused:
        call_command("erase_annotator", PEOPLE[0], yes=True)
    assert PEOPLE[0] not in str(refused.value)


def test_id_of_two_platforms_must_say_which(study):
    CrowdIdentity.objects.create(
        platform="panel", external_id=PEOPLE[0], annotator=Annotator.objects.create()
    )
    with pytest.raises(CommandError, match="several platforms"):
        call_command("erase_annotator", PEOPLE[0])
    call_command("erase_annotator", f"panel:{PEOPLE[0]}", yes=True)
    assert CrowdIdentity.objects.filter(platform="prolific").count() == 2


def test_who_came_and_never_agreed_is_erased_from_their_session_too(study):
    other = Study(prompts=1, k=1, criteria=["visual_appeal"], slug="other")
    Client().get(other.url, {"PROLIFIC_PID": "5f1e0aLate"})
    assert "5f1e0aLate" in everything_kept()
    call_command("erase_annotator", "5f1e0aLate", yes=True)
    assert "5f1e0aLate" not in everything_kept()


def test_invited_person_and_member_are_untied_from_label_and_account(study, rania):
    invitation = Invitation.objects.create(
        campaign=study.campaign,
        number=1,
        label="Jane Doe <jane@example.org>",
        sha256=secret_digest("secret"),
        created_at=timezone.now(),
    )
    Enrolment.objects.filter(annotator=jane()).update(
        invitation=invitation, member=rania, address_hash="a" * 64, browser_hash="b" * 64
    )
    call_command("erase_annotator", f"{study.url}?invite=secret", yes=True)
    invitation.refresh_from_db()
    assert invitation.label == ""
    enrolment = invitation.enrolment  # it lets nobody else in
    assert (enrolment.member, enrolment.address_hash, enrolment.browser_hash) == (None, "", "")


def test_payment_stays_without_who_was_paid_and_one_on_its_way_is_waited_for(study):
    visit = CrowdVisit.objects.get(enrolment__annotator=jane())
    paid = Settlement.objects.create(
        visit=visit, kind="bonus", amount="1.50", payment_id="p", state="paying"
    )
    with pytest.raises(CommandError, match="is on its way"):
        call_command("erase_annotator", PEOPLE[0], yes=True)
    assert PEOPLE[0] in everything_kept()
    Settlement.objects.update(state="sent", sent_at=timezone.now())
    call_command("erase_annotator", PEOPLE[0], yes=True)
    paid.refresh_from_db()
    assert paid.visit.session_id == f"erased-{visit.pk}"
    assert str(paid.amount) == "1.50"
    assert "session0" not in everything_kept()


def test_campaign_and_browser_of_a_paid_person_go_on_without_who_they_were(study, tmp_path):
    browser = Client()
    browser.get(personal_path(jane().enrolments.get()))
    assert study.state(browser)["exit"]
    Settlement.objects.create(
        visit=CrowdVisit.objects.get(session_id="session0"),
        kind="bonus", amount="1.50", payment_id="p", state="sent", sent_at=timezone.now(),
    )  # fmt: skip
    erase_annotator(annotator=jane())
    assert study.state(browser)["exit"] is None
    listed = tmp_path / "review.csv"
    call_command("crowd", "review", study.campaign.slug, output=listed)
    assert "session1" in listed.read_text()
    assert "erased-" not in listed.read_text()


@pytest.mark.parametrize("others", ["5f1e0aJaneX", "x5f1e0aJane"])
def test_session_of_an_id_that_holds_the_erased_one_stays(study, others):
    other = Study(prompts=1, k=1, criteria=["visual_appeal"], slug="other")
    Client().get(other.url, {"PROLIFIC_PID": others})
    erase_annotator(annotator=jane())
    assert others in everything_kept()


def test_erasing_somebody_of_a_short_id_signs_nobody_out(study, rania):
    CrowdIdentity.objects.filter(annotator=jane()).update(external_id="1")
    person, researcher = Annotator.objects.get(crowd_identity__external_id="1"), Client()
    researcher.force_login(rania)
    erase_annotator(annotator=person)
    assert Session.objects.filter(pk=researcher.session.session_key).exists()


# ---- by time ------------------------------------------------------------------------------------


def close(campaign, days_ago):
    close_campaign(campaign=campaign)
    closed_at = timezone.now() - timedelta(days=days_ago)
    Campaign.objects.filter(pk=campaign.pk).update(closed_at=closed_at)


def test_purge_leaves_open_and_recent_campaigns_alone(study, capsys):
    before = everything_kept()
    call_command("purge_personal_data", yes=True)
    close(study.campaign, 89)
    call_command("purge_personal_data", yes=True)
    assert "who 0 annotators are, 0 visits, 0 questionnaires" in capsys.readouterr().out
    assert everything_kept() == before


def test_purge_removes_who_took_part_in_what_was_closed_long_ago(study, capsys):
    close(study.campaign, 91)
    before = figures(study.campaign)
    call_command("purge_personal_data")
    said = capsys.readouterr().out
    assert "would remove: who 2 annotators are, 2 visits, 2 questionnaires" in said
    assert "dentist" in everything_kept()
    call_command("purge_personal_data", yes=True)
    assert figures(study.campaign) == before
    kept = everything_kept()
    for gone in (*PEOPLE, "session0", "session1", "dentist"):
        assert gone not in kept
    call_command("purge_personal_data", yes=True)
    assert "removed: who 0 annotators are, 0 visits, 0 quest" in capsys.readouterr().out


def test_who_takes_part_elsewhere_stays_known_there(study):
    other = Study(prompts=2, k=1, criteria=["visual_appeal"], slug="other")
    other.judge(other.come(PEOPLE[0], "session9"), 1)
    close(study.campaign, 91)
    call_command("purge_personal_data", yes=True)
    kept = everything_kept()
    assert PEOPLE[0] in kept
    assert "session9" in kept
    for gone in (PEOPLE[1], "session0", "dentist"):
        assert gone not in kept


def test_purge_of_one_campaign_leaves_the_others(study):
    other = Study(prompts=2, k=1, criteria=["visual_appeal"], slug="other")
    other.come("5f1e0aOther", "session9")
    for each in (study, other):
        close(each.campaign, 91)
    call_command("purge_personal_data", campaign=study.campaign.slug, yes=True)
    kept = everything_kept()
    assert "5f1e0aOther" in kept
    assert PEOPLE[0] not in kept


def test_interrupted_purge_keeps_what_it_did_and_goes_on(study, monkeypatch):
    close(study.campaign, 91)
    done = []

    def one_then_killed(*, annotator):
        if done:
            raise KeyboardInterrupt
        done.append(erase_annotator(annotator=annotator))

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "erase_annotator", one_then_killed)
        with pytest.raises(CommandError, match="what was done is kept"):
            call_command("purge_personal_data", yes=True)
    assert CrowdIdentity.objects.count() == 1
    call_command("purge_personal_data", yes=True)
    assert CrowdIdentity.objects.count() == 0


def test_purge_waits_for_a_payment_on_its_way(study):
    close(study.campaign, 91)
    visit = CrowdVisit.objects.get(enrolment__annotator=jane())
    Settlement.objects.create(visit=visit, kind="bonus", amount="1", state="paying")
    done = purge_personal_data(now=timezone.now(), age=timedelta(0), dry_run=False)
    assert (done.people, done.visits) == (1, 1)
    assert PEOPLE[0] in everything_kept()


def test_ended_sessions_go_and_others_stay(study):
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    other = Study(prompts=1, k=1, criteria=["visual_appeal"], slug="other")
    Client().get(other.url, {"PROLIFIC_PID": "5f1e0aLate"})
    call_command("purge_personal_data", yes=True)
    assert Session.objects.count() == 1


def test_addresses_of_who_signed_in_go_with_their_time_and_limits_stay(db):
    Client().post("/accounts/sign-in/", {"username": "x", "password": "y"})
    keys = "SELECT cache_key FROM cache_entry WHERE cache_key LIKE '%127.0.0.1'"
    with connection.cursor() as cursor:
        call_command("purge_personal_data", yes=True)
        assert len(cursor.execute(keys).fetchall()) == 1
        cursor.execute("UPDATE cache_entry SET expires = now() - interval '1 minute'")
        call_command("purge_personal_data", yes=True)
        assert cursor.execute(keys).fetchall() == []


@pytest.mark.parametrize("age", ["90", "-1d", "d", "90 days", "99999d"])
def test_odd_age_is_refused(db, age):
    with pytest.raises(CommandError, match="is no number of days"):
        call_command("purge_personal_data", older_than=age)
