"""Personal API tokens: a secret of 256 bits shown once, known afterwards by its hash alone."""

import secrets
from datetime import datetime, timedelta

from evalplatform.accounts.models import ApiToken, User
from evalplatform.core.digests import secret_digest
from evalplatform.core.errors import BadInputError

MARK = "evp_"  # so that a secret that leaked is known for what it is
_SHOWN = 12  # characters of it
_LABEL = 80
_USE_IS_NOTED_EVERY = timedelta(minutes=1)  # an upload is thousands of requests


def create_api_token(*, user: User, label: str) -> tuple[ApiToken, str]:
    """Return a new token and its secret, which nobody can show again.

    Raises `BadInputError` for a label that is empty, longer than 80 characters or of more than
    printable ones.
    """
    label = label.strip()
    if not label.isprintable():
        raise BadInputError(f"a token's label is {label[:_LABEL]!r}; write printable letters.")
    if not 1 <= len(label) <= _LABEL:
        raise BadInputError(
            f"a token's label has {len(label)} characters; say in 1 to {_LABEL} what it is for."
        )
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user, label=label, prefix=secret[:_SHOWN], sha256=secret_digest(secret)
    )
    return token, secret


def revoke_api_token(*, token: ApiToken, now: datetime) -> bool:
    """Let the token open nothing any more; return whether it did until now."""
    changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    token.refresh_from_db()
    return bool(changed)


def revoke_every_token(*, user: User, now: datetime) -> int:
    """Let no token of a person open anything any more; return how many did until now."""
    return ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)


def token_named(prefix: str) -> ApiToken:
    """Return the one token whose secret begins so. Raises `BadInputError`."""
    found = list(ApiToken.objects.filter(prefix__startswith=prefix).select_related("user")[:2])
    if len(found) != 1 or len(prefix) <= len(MARK):
        how_many = "several tokens begin" if len(found) > 1 else "no token begins"
        raise BadInputError(
            f"{how_many} with {prefix[:_SHOWN]!r}; give its first {_SHOWN} characters, as the page "
            "of API tokens shows them."
        )
    return found[0]


def user_of_token(secret: str, now: datetime) -> User | None:
    """Return whose token this is; None for an unknown or revoked one, or a person locked out."""
    token = (
        ApiToken.objects.filter(sha256=secret_digest(secret), revoked_at=None, user__is_active=True)
        .select_related("user")
        .first()
    )
    if token is None:
        return None
    if token.last_used_at is None or token.last_used_at < now - _USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user
