"""Invitations: links that each let one person take part, shown once, when they are made."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from evalplatform.accounts.models import Annotator, User
from evalplatform.annotation.models import Invitation
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Door
from evalplatform.core.digests import secret_digest
from evalplatform.core.errors import BadInputError

MOST_AT_ONCE = 10_000
_MOST_IN_LABEL = Invitation._meta.get_field("label").max_length or 0


def invite(
    *,
    campaign: Campaign,
    labels: Sequence[str],
    now: datetime,
    known: Mapping[str, Annotator] | None = None,
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> list[tuple[Invitation, str]]:
    """Return a new invitation for each label (which may be empty) with its secret. All or nothing.

    `known`: by label, as whom they take part; the others as somebody new.

    Raises:
        BadInputError: the campaign has another door or takes no answers any more; none or more
            than `MOST_AT_ONCE` are asked for; a label is too long or not printable; they would
            have expired already.
    """
    _check(campaign, labels)
    if expires_at is not None and expires_at <= now:
        raise BadInputError(f"they would expire at {expires_at:%Y-%m-%d %H:%M}, which is over.")
    made = [secrets.token_urlsafe(18) for _ in labels]
    with transaction.atomic():
        # Whoever invites next waits here, and counts on from there.
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        last = campaign.invitations.aggregate(last=Max("number"))["last"] or 0
        invitations = Invitation.objects.bulk_create(
            Invitation(
                campaign=campaign, number=number, label=label, sha256=secret_digest(secret),
                annotator=(known or {}).get(label), created_by=created_by, created_at=now,
                expires_at=expires_at,
            )
            for number, (label, secret) in enumerate(zip(labels, made, strict=True), start=last + 1)
        )  # fmt: skip
    return list(zip(invitations, made, strict=True))


def revoke_invitations(
    *, campaign: Campaign, now: datetime, numbers: Collection[int] | None = None
) -> int:
    """Let unused invitations of a campaign enrol nobody any more; return how many did until now.

    `numbers`: only these. Who began by one goes on: `review_annotators --exclude` is for that.
    Raises `BadInputError` for a number that the campaign does not have.
    """
    rows = campaign.invitations.all()
    if numbers is not None:
        rows = rows.filter(number__in=numbers)
        known = set(rows.values_list("number", flat=True))
        if unknown := sorted(set(numbers) - known):
            raise BadInputError(
                f"campaign {campaign.slug!r} has no invitation {', '.join(map(str, unknown))}; "
                "give numbers of its list.",
                by_command=f"`manage.py invitations {campaign.slug}` lists them.",
            )
    return rows.filter(revoked_at=None, enrolment=None).update(revoked_at=now)


def _check(campaign: Campaign, labels: Sequence[str]) -> None:
    door = campaign.checked_rules.annotation.door
    if door is not Door.INVITATIONS:
        raise BadInputError(
            f"campaign {campaign.slug!r} has the door {door.value!r}, which invitations do not "
            f'open; a campaign whose rules say door = "{Door.INVITATIONS.value}" takes them.'
        )
    if campaign.status == Campaign.Status.CLOSED:
        raise BadInputError(f"campaign {campaign.slug!r} is closed and takes no more answers.")
    if not 1 <= len(labels) <= MOST_AT_ONCE:
        raise BadInputError(
            f"{len(labels):,} invitations asked for; make 1 to {MOST_AT_ONCE:,} at once."
        )
    for line, label in enumerate(labels, start=1):
        if len(label) > _MOST_IN_LABEL or not label.isprintable():
            raise BadInputError(
                f"label {line} is {label[:40]!r}…; a label is one line of up to {_MOST_IN_LABEL} "
                "characters."
            )
