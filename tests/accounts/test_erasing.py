"""Erasing who somebody with an account is; what they made stays."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import ApiToken, Membership, Project, User
from evalplatform.accounts.tokens import create_api_token
from evalplatform.campaigns.models import Campaign
from tests import factories
from tests.accounts import PASSWORD, sign_in
from tests.accounts.test_codes import set_up

pytestmark = pytest.mark.django_db
HELD = (User, ApiToken, Authenticator, EmailAddress, SocialAccount, AccessAttempt, LogEntry)


@pytest.fixture
def jane(client):
    """A researcher with all that an account can hold, and a campaign of hers."""
    cache.clear()
    user = User.objects.create_user(
        "janedoe", "jane@example.org", PASSWORD, first_name="Jane", last_name="Doe", is_staff=True
    )
    sign_in(client, "janedoe")
    set_up(client)
    sign_in(Client(), "janedoe", "wrong")
    create_api_token(user=user, label="of janedoe", scopes=["read", "models"], now=timezone.now())
    SocialAccount.objects.create(user=user, provider="p", uid="1", extra_data={"n": "janedoe"})
    EmailAddress.objects.create(user=user, email="jane@example.org")
    LogEntry.objects.log_actions(user.pk, [user], 2)
    set_member(project=Project.objects.create(name="lab"), user=user, role="viewer")
    draft = factories.make_draft(prompts=1)
    Campaign.objects.filter(pk=draft.pk).update(created_by=user)
    return user


def everything_kept():
    sessions = [each.get_decoded() for each in Session.objects.all()]
    return (str([list(each.objects.values()) for each in HELD]) + str(sessions)).lower()


def test_dry_run_changes_nothing(jane, capsys):
    before = everything_kept()
    call_command("erase_user", "janedoe")
    assert "would erase janedoe" in capsys.readouterr().out
    assert everything_kept() == before


def test_nothing_tells_who_it_was_and_what_was_made_stays(jane, client, capsys):
    assert "jane" in everything_kept()
    call_command("erase_user", "janedoe", yes=True)
    assert "1 API tokens" in capsys.readouterr().out
    kept = everything_kept()
    assert "jane" not in kept
    assert "doe" not in kept
    jane.refresh_from_db()
    assert (jane.username, jane.is_active, jane.is_staff) == (f"erased-{jane.pk}", False, False)
    assert Campaign.objects.get().created_by == jane
    assert Membership.objects.count() == 0
    assert client.get("/accounts/security/").status_code == 302
    call_command("erase_user", jane.username, yes=True)  # again changes nothing
    assert everything_kept() == kept


def test_last_owner_hands_over_first(jane):
    set_member(project=Project.objects.get(name="lab"), user=jane, role="owner")
    with pytest.raises(CommandError, match="make somebody else an owner first"):
        call_command("erase_user", "janedoe", yes=True)
    jane.refresh_from_db()
    assert (jane.username, jane.is_active) == ("janedoe", True)
