"""Personal API tokens: a secret of 256 bits shown once, known afterwards by its hash alone."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from django.db import connection

from evalplatform.accounts.models import ApiToken, Project, User
from evalplatform.accounts.projects import projects_of
from evalplatform.core.digests import secret_digest
from evalplatform.core.errors import BadInputError, EvalPlatformError

MARK = "evp_"  # so that a secret that leaked is known for what it is
_SHOWN = 12  # characters of it
_LABEL = 80
_USE_IS_NOTED_EVERY = timedelta(minutes=1)  # an upload is thousands of requests
MOST_DAYS = 3650
Scope = ApiToken.Scope


class TokenRefusedError(EvalPlatformError):
    """A token opens nothing: unknown, revoked, expired, or of somebody locked out."""


def create_api_token(
    *,
    user: User,
    label: str,
    scopes: Collection[str],
    now: datetime,
    project: Project | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Return a new token and its secret, which nobody can show again.

    `project`: the only one it acts in; None: all of its owner's, those to come too.

    Raises `BadInputError` for a label that is empty, longer than 80 characters or of more than
    printable ones; for no scope or an unknown one; for a project its owner is not in; for an end
    that is over or more than ten years away.
    """
    label = label.strip()
    if not label.isprintable():
        raise BadInputError(f"a token's label is {label[:_LABEL]!r}; write printable letters.")
    if not 1 <= len(label) <= _LABEL:
        raise BadInputError(
            f"a token's label has {len(label)} characters; say in 1 to {_LABEL} what it is for."
        )
    _check_scopes(scopes)
    if project is not None and not projects_of(user).filter(pk=project.pk).exists():
        raise BadInputError(f"{user} is not in the project {project}; choose one of their own.")
    if expires_at is not None and not now < expires_at <= now + timedelta(days=MOST_DAYS):
        raise BadInputError(
            f"it would expire at {expires_at.isoformat(' ', 'minutes')}; give a time to come, "
            f"within {MOST_DAYS:,} days."
        )
    expires_at = expires_at and expires_at.astimezone(UTC)  # as it is read back
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user, label=label, prefix=secret[:_SHOWN], sha256=secret_digest(secret),
        scopes=[each for each in Scope.values if each in scopes], project=project,
        created_at=now, expires_at=expires_at,
    )  # fmt: skip
    return token, secret


def _check_scopes(scopes: Collection[str]) -> None:
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        given = f"scope {unknown[0][:20]!r} is not known" if unknown else "a token has no scope"
        raise BadInputError(f"{given}; give some of {', '.join(Scope.values)}.")


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


def token_of_secret(secret: str, now: datetime) -> ApiToken:
    """Return the token of this secret, its owner narrowed to its project.

    Raises `TokenRefusedError` for an unknown, revoked or expired one, and of a person locked out.
    """
    token = (
        ApiToken.objects.filter(sha256=secret_digest(secret), revoked_at=None, user__is_active=True)
        .select_related("user", "project")
        .first()
    )
    if token is None:
        raise TokenRefusedError("this API token is unknown or was revoked; make one and send that.")
    if token.expires_at is not None and token.expires_at <= now:
        raise TokenRefusedError(
            f"this API token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC; make a new one."
        )
    if token.last_used_at is None or token.last_used_at < now - _USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    token.user.acts_only_in = token.project_id
    return token


_COUNT = """
UPDATE accounts_apitoken SET
    minute_count = CASE WHEN minute_began_at > %(now)s - interval '1 minute'
        THEN minute_count + 1 ELSE 1 END,
    minute_began_at = CASE WHEN minute_began_at > %(now)s - interval '1 minute'
        THEN minute_began_at ELSE %(now)s END
WHERE id = %(token)s
RETURNING minute_count, minute_began_at
"""


def seconds_to_wait(*, token: ApiToken, most: int, now: datetime) -> int:
    """Count a request of a token; return 0, or for how long it has had its `most` of a minute."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"now": now, "token": token.pk})
        row = cursor.fetchone()
    if row is None or row[0] <= most:
        return 0
    ends_in = (row[1] + timedelta(minutes=1) - now).total_seconds()
    return max(1, round(ends_in))
