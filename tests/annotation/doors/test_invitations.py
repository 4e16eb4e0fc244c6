"""Invitations by command: made, listed, revoked; every refusal is one line."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Enrolment, Invitation
from evalplatform.annotation.services import enrol_invited
from evalplatform.campaigns.services import close_campaign
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return factories.make_draft(
        slug="asked", sampled=False, prompts=1, rules={"annotation": {"door": "invitations"}}
    )


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_invite_prints_one_link_a_person_and_keeps_their_hashes(campaign, capsys, settings):
    settings.SITE_URL = "https://eval.example.org"
    call_command("invite", "asked", "--count=3", "--expires=14d")
    rows = rows_of(capsys.readouterr().out)
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    start = f"https://eval.example.org/annotate/{campaign.invitation}/?invite="
    secrets = [row["link"].removeprefix(start) for row in rows]
    assert all(len(secret) == 24 for secret in secrets)
    assert len(set(secrets)) == 3
    stored = str(list(Invitation.objects.values()))
    assert not any(secret in stored for secret in secrets)
    ends = Invitation.objects.first().expires_at - timezone.now()
    assert timedelta(days=13, hours=23) < ends <= timedelta(days=14)


def test_labels_come_from_a_file_and_numbers_go_on(campaign, tmp_path, capsys):
    call_command("invite", "asked", "--count=1")
    people = tmp_path / "people.txt"
    people.write_text("Ana\n\n  =Ben  \n", encoding="utf-8")
    target = tmp_path / "links.csv"
    call_command("invite", "asked", f"--for={people}", f"--to={target}")
    rows = rows_of(target.read_text())
    assert [(row["number"], row["label"]) for row in rows] == [("2", "Ana"), ("3", "=Ben")]
    assert target.stat().st_mode & 0o777 == 0o600


def test_list_says_how_far_each_invitation_is(campaign, capsys):
    now = timezone.now()
    call_command("invite", "asked", "--count=4", "--expires=1d")
    used, gone, late, _ = Invitation.objects.all()
    enrolment = enrol_invited(campaign=campaign, invitation_id=used.pk, now=now)
    past = {"created_at": now - timedelta(days=2), "expires_at": now - timedelta(days=1)}
    Invitation.objects.filter(pk=late.pk).update(**past)
    call_command("invitations", "asked", f"--revoke={gone.number}")
    assert "1 used, 1 unused, 1 expired, 1 revoked" in capsys.readouterr().out
    call_command("invitations", "asked")
    out = capsys.readouterr().out
    assert [row["state"] for row in rows_of(out)] == ["used", "revoked", "expired", "unused"]
    assert enrolment.annotator.pseudonym not in out
    call_command("invitations", "asked", "--state=unused")
    assert [row["number"] for row in rows_of(capsys.readouterr().out)] == ["4"]


def test_revoking_leaves_who_began_alone(campaign, capsys):
    call_command("invite", "asked", "--count=3")
    used = Invitation.objects.first()
    enrol_invited(campaign=campaign, invitation_id=used.pk, now=timezone.now())
    call_command("invitations", "asked", "--revoke=unused")
    assert "2 invitations revoked" in capsys.readouterr().out
    used.refresh_from_db()
    assert used.revoked_at is None
    assert Enrolment.objects.get().status == "active"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["invite", "asked", "--count=0"], "0 invitations asked for"),
        (["invite", "asked", "--count=10001"], "make 1 to 10,000"),
        (["invite", "asked", "--count=1", "--expires=soon"], "14d"),
        (["invite", "asked", "--count=1", "--expires=0d"], "14d"),
        (["invite", "asked", "--for=nowhere.txt"], "nowhere.txt"),
        (["invite", "open-one", "--count=1"], "door 'open'"),
        (["invitations", "asked", "--revoke=7"], "no invitation 7"),
        (["invitations", "asked", "--revoke=one"], "numbers and ranges"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(campaign, arguments, says):
    factories.make_draft(slug="open-one", sampled=False, prompts=1)
    with pytest.raises(CommandError, match=says) as raised:
        call_command(*arguments)
    assert "\n" not in str(raised.value)
    assert not Invitation.objects.exists()


def test_label_that_is_too_long_leaves_nothing_made(campaign, tmp_path):
    people = tmp_path / "people.txt"
    people.write_text(f"Ana\n{'x' * 121}\n")
    with pytest.raises(CommandError, match="label 2"):
        call_command("invite", "asked", f"--for={people}")
    assert not Invitation.objects.exists()


def test_file_that_is_there_is_not_written_over(campaign, tmp_path):
    target = tmp_path / "links.csv"
    target.write_text("mine")
    with pytest.raises(CommandError, match="there already"):
        call_command("invite", "asked", "--count=1", f"--to={target}")
    assert target.read_text() == "mine"
    assert not Invitation.objects.exists()


def test_closed_campaign_invites_nobody(campaign):
    campaign.protocol, campaign.protocol_sha256 = {}, "0" * 64
    campaign.status = "open"
    campaign.save()
    close_campaign(campaign=campaign)
    with pytest.raises(CommandError, match="closed"):
        call_command("invite", "asked", "--count=1")


def test_annotator_by_invitation_is_somebody_new(campaign):
    call_command("invite", "asked", "--count=2", stdout=io.StringIO())
    for each in Invitation.objects.all():
        enrol_invited(campaign=campaign, invitation_id=each.pk, now=timezone.now())
    assert Annotator.objects.count() == 2
