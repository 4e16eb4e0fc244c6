"""Personal API tokens: shown once, kept as a hash, good until revoked."""

import hashlib
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import ApiToken, User
from evalplatform.accounts.tokens import (
    TokenRefusedError,
    create_api_token,
    revoke_api_token,
    token_of_secret,
)
from evalplatform.core.errors import BadInputError
from tests import factories

pytestmark = pytest.mark.django_db
LIST = reverse("api:list_checkpoints")
TOKENS = reverse("accounts:api_tokens")


@pytest.fixture
def made(rania):
    return create_api_token(
        user=rania, label="nightly", scopes=["read", "models"], now=timezone.now()
    )


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_secret_has_256_bits_and_is_stored_as_its_hash_alone(made):
    token, secret = made
    assert re.fullmatch(r"evp_[A-Za-z0-9_-]{43}", secret)
    assert token.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    row = ApiToken.objects.values().get()
    assert not any(secret in str(value) for value in row.values())
    assert row["prefix"] == secret[:12]


def test_token_stands_for_its_user_until_it_is_revoked(client, made, rania):
    token, secret = made
    assert token_of_secret(secret, timezone.now()).user == rania
    assert client.get(LIST, headers=bearer(secret)).status_code == 200
    assert revoke_api_token(token=token, now=timezone.now())
    assert not revoke_api_token(token=token, now=timezone.now())
    answer = client.get(LIST, headers=bearer(secret))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("wrong", ["", "evp_", "x", "evp_" + "A" * 43, "ünïcode", "a b"])
def test_any_other_secret_is_401(client, made, wrong):
    assert client.get(LIST, headers=bearer(wrong)).status_code == 401


def test_nobody_at_all_is_401(client):
    assert client.get(LIST).status_code == 401


def test_token_of_a_locked_account_is_401(client, made, rania):
    User.objects.filter(pk=rania.pk).update(is_active=False)
    assert client.get(LIST, headers=bearer(made[1])).status_code == 401


def test_bad_token_is_401_even_with_a_session(client, rania):
    client.force_login(rania)
    assert client.get(LIST).status_code == 200
    assert client.get(LIST, headers=bearer("evp_wrong")).status_code == 401


def test_a_proxys_own_authorization_leaves_the_session_alone(client, rania):
    client.force_login(rania)
    assert client.get(LIST, headers={"Authorization": "Basic cmFuaWE6eA=="}).status_code == 200


def test_last_use_is_noted_at_most_once_a_minute(made):
    token, secret = made
    first = timezone.now()
    for later, expected in [(0, 0), (30, 0), (90, 90)]:
        token_of_secret(secret, first + timedelta(seconds=later))
        token.refresh_from_db()
        assert token.last_used_at == first + timedelta(seconds=expected)


def test_last_use_is_not_noted_for_a_revoked_token(made):
    token, secret = made
    revoke_api_token(token=token, now=timezone.now())
    with pytest.raises(TokenRefusedError, match="revoked"):
        token_of_secret(secret, timezone.now())
    token.refresh_from_db()
    assert token.last_used_at is None


@pytest.mark.parametrize("label", ["", "   ", "x" * 81])
def test_label_is_needed(rania, label):
    with pytest.raises(BadInputError, match="say in 1 to 80"):
        create_api_token(user=rania, label=label, scopes=["read"], now=timezone.now())


def test_end_in_another_zone_is_told_as_it_is_read_back(rania):
    here, now = timezone.get_fixed_timezone(120), timezone.now()
    ends = (now + timedelta(days=9)).astimezone(here)
    given = {"user": rania, "label": "x", "scopes": ["read"], "now": now}
    token, _ = create_api_token(**given, expires_at=ends)
    read = ApiToken.objects.get().expires_at
    assert token.expires_at.isoformat() == read.isoformat()
    over = (now - timedelta(days=9)).astimezone(here)
    with pytest.raises(BadInputError, match=r"would expire at .*\+02:00; give a time to come"):
        create_api_token(**given, expires_at=over)


def test_database_takes_hashes_alone_and_each_once(rania, made):
    now = timezone.now()
    good = {
        "user": rania, "label": "a", "prefix": "evp_", "sha256": "0" * 64, "scopes": ["read"],
        "created_at": now,
    }  # fmt: skip
    wrong = [
        {"sha256": "evp_secret"},
        {"sha256": made[0].sha256},
        {"label": ""},
        {"scopes": []},
        {"scopes": ["read", "everything"]},
        {"expires_at": now},
    ]
    for fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiToken.objects.create(**(good | fields))


# ---- the page -----------------------------------------------------------------------------------


def test_page_shows_a_new_secret_once_and_never_again(client, rania):
    client.force_login(rania)
    page = client.post(TOKENS, {"label": "my <laptop>", "scopes": ["read"]})
    assert "no-store" in page["Cache-Control"]
    (secret,) = re.findall(r"data-secret>(evp_[^<]+)<", page.content.decode())
    assert token_of_secret(secret, timezone.now()).user == rania
    again = client.get(TOKENS).content.decode()
    assert secret not in again
    assert secret[:12] in again
    assert "my &lt;laptop&gt;" in again


def test_page_shows_and_revokes_ones_own_tokens_alone(client, rania, made):
    other = User.objects.create_user("other", password="a long password")
    client.force_login(other)
    assert "nightly" not in client.get(TOKENS).content.decode()
    url = reverse("accounts:revoke_api_token", args=[made[0].pk])
    assert client.post(url).status_code == 404
    client.force_login(rania)
    assert client.post(url)["Location"] == TOKENS
    with pytest.raises(TokenRefusedError):
        token_of_secret(made[1], timezone.now())
    assert "revoked 20" in client.get(TOKENS).content.decode()


def test_page_needs_a_sign_in_and_does_not_take_a_token(client, made):
    for headers in ({}, bearer(made[1])):
        answer = client.post(TOKENS, {"label": "more"}, headers=headers)
        assert answer.status_code == 302
    assert ApiToken.objects.count() == 1


def test_page_says_what_is_wrong_with_a_label(client, rania):
    client.force_login(rania)
    assert (
        "say in 1 to 80" in client.post(TOKENS, {"label": " ", "scopes": ["read"]}).content.decode()
    )


# ---- the commands -------------------------------------------------------------------------------


def test_commands_make_and_revoke(rania, capsys):
    call_command("create_api_token", "rania", label="cron")
    secret = capsys.readouterr().out.strip()
    assert token_of_secret(secret, timezone.now()).user == rania
    call_command("revoke_api_token", secret[:12])
    assert "(cron)" in capsys.readouterr().out
    with pytest.raises(TokenRefusedError):
        token_of_secret(secret, timezone.now())
    with pytest.raises(CommandError, match="was revoked on"):
        call_command("revoke_api_token", secret[:12])


def test_commands_refuse_what_they_do_not_know(rania, made):
    with pytest.raises(CommandError, match="known: rania"):
        call_command("create_api_token", "nobody")
    create_api_token(user=rania, label="another", scopes=["read"], now=timezone.now())
    for prefix, message in [("evp_", "several tokens"), ("zzz", "no token"), ("", "several")]:
        with pytest.raises(CommandError, match=message):
            call_command("revoke_api_token", prefix)


# ---- what a token opens -------------------------------------------------------------------------


def test_list_and_page_of_a_checkpoint_as_json(client, made):
    parent = factories.make_checkpoint("base", training={"recipe": "pretrain"}, licences=["MIT"])
    factories.make_checkpoint("tuned", "quality_tuned", parent=parent)
    headers = bearer(made[1])
    found = client.get(LIST, headers=headers).json()["items"]
    assert [(each["name"], each["parent"]) for each in found] == [("base", None), ("tuned", "base")]
    lost = factories.make_checkpoint("lost", "quality_tuned", parent_id="36e3" * 16)
    told = client.get(reverse("api:get_checkpoint", args=[lost.name]), headers=headers).json()
    assert (told["parent"], told["parent_sha256"]) == (None, "36e3" * 16)
    assert (found[0]["parent_sha256"], found[1]["parent_sha256"]) == (None, parent.sha256)
    base = client.get(reverse("api:get_checkpoint", args=["base"]), headers=headers).json()
    assert (base["status"], base["licences"], base["children"]) == ("verified", ["MIT"], ["tuned"])
    assert base["training"] == {"recipe": "pretrain"}
    assert base["page"] == reverse("registry:checkpoint", args=["base"])
    missing = client.get(reverse("api:get_checkpoint", args=["none"]), headers=headers)
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


def test_list_can_be_asked_for_one_status(client, made):
    factories.make_checkpoint("used")
    factories.make_checkpoint("old", status="retired", retired_at=timezone.now())
    headers = bearer(made[1])
    for status, names in [("verified", ["used"]), ("retired", ["old"])]:
        found = client.get(LIST, {"status": status}, headers=headers).json()["items"]
        assert [each["name"] for each in found] == names
    wrong = client.get(LIST, {"status": "fine"}, headers=headers)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert wrong.json()["fields"][0]["name"] == "status"
    assert "'verified' or 'retired'" in wrong.json()["detail"]


def test_upload_with_a_token_needs_no_csrf_token_and_with_a_session_it_does(
    made, rania, settings, tmp_path
):
    settings.CHECKPOINT_DIR = tmp_path
    client = Client(enforce_csrf_checks=True)
    url = reverse("checkpoints:uploads")
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "4", "Upload-Metadata": "filename YS56aXA="}
    begun = client.post(url, headers=tus | bearer(made[1]))
    assert begun.status_code == 201
    upload = begun["Location"]
    part = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    kind = "application/offset+octet-stream"
    sent = client.patch(upload, b"PK", content_type=kind, headers=part | bearer(made[1]))
    assert (sent.status_code, sent["Upload-Offset"]) == (204, "2")
    status = client.get(f"{upload}status/", headers=bearer(made[1])).json()
    assert (status["status"], status["received"]) == ("uploading", 2)
    assert (
        client.patch(upload, b"x", content_type=kind, headers=part | bearer("no")).status_code
        == 401
    )

    client.force_login(rania)
    assert client.post(url, headers=tus).status_code == 403
    assert client.patch(upload, b"x", content_type=kind, headers=part).status_code == 403
    assert client.delete(upload, headers=part).status_code == 403
    cookie = client.get(reverse("registry:list")).cookies["csrftoken"].value
    assert client.post(url, headers=tus | {"X-CSRFToken": cookie}).status_code == 201
