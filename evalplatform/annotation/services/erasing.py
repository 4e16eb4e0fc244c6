"""Erasing who annotators are. Votes stay, pseudonymous: no figure and no slot changes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Cast, Concat

from evalplatform.accounts.models import Annotator, CrowdIdentity, new_access_key
from evalplatform.annotation.doors.session import is_coming
from evalplatform.annotation.models import ERASED, Enrolment, Invitation
from evalplatform.annotation.personal_data import (
    TIED,
    Held,
    annotator_known_as,
    due_annotators,
    due_enrolments,
    held_of,
    telling_visits,
    unpaid,
)
from evalplatform.annotation.services.forgetting import forget_places
from evalplatform.campaigns.models import Campaign
from evalplatform.core.cache_table import delete_ended_cache_entries
from evalplatform.core.errors import BadInputError
from evalplatform.core.sessions import delete_ended_sessions, delete_sessions


@dataclass(frozen=True)
class Purged:
    """What a purge removed, or would remove."""

    people: int
    visits: int
    questionnaires: int


def erase_annotator(*, annotator: Annotator) -> Held:
    """Remove who an annotator is; return what there was.

    Their id on a platform, sessions by which they came, answers to questionnaires, where they
    began, their invitation's label, their account as a member and their personal link go. Who
    comes back later is somebody new.

    Raises:
        BadInputError: a payment to them is on its way, and needs the id to be found again.
    """
    with transaction.atomic():
        Annotator.objects.select_for_update().get(pk=annotator.pk)
        held = held_of(annotator)
        enrolments = Enrolment.objects.filter(annotator=annotator)
        if unpaid(enrolments).exists():
            raise BadInputError(
                f"a payment to {annotator} is on its way and nobody knows yet whether it arrived; "
                "have it settled, then erase.",
                by_command="`manage.py crowd` settles it.",
            )
        _forget_enrolments(enrolments)
        _forget_identity(annotator)
    return held


def erase_known(*, said: str) -> Held | None:
    """Erase whoever is meant by a pseudonym, an id of a crowd platform, or a link of their own.

    Returns what there was; None of somebody who had come and not agreed to take part, whose
    sessions are deleted. Raises `BadInputError` for who is not known at all, and as
    `erase_annotator` and `annotator_known_as` do.
    """
    annotator = annotator_known_as(said)
    if annotator is not None:
        return erase_annotator(annotator=annotator)
    if not erase_visitor(external_id=said.rpartition(":")[2]):
        raise BadInputError(
            "nobody is known by this; give a pseudonym, an id of a crowd platform (platform:id), "
            "or a link of their own. Who was erased before is known by the pseudonym alone."
        )
    return None


def known_as(said: str) -> Held:
    """Return what `erase_known` would remove of somebody; nothing is changed.

    Raises `BadInputError` for who never took part: their sessions are looked through when they are
    erased.
    """
    annotator = annotator_known_as(said)
    if annotator is None:
        raise BadInputError(
            "nobody who took part is known by this. If they are erased, sessions are looked "
            "through for somebody who came and has not agreed to take part; nothing was changed."
        )
    return held_of(annotator)


def purge_personal_data(
    *, now: datetime, age: timedelta, campaign: Campaign | None = None, dry_run: bool
) -> Purged:
    """Remove who annotators are from campaigns that were closed some time ago.

    Each person in a transaction of their own: interrupted, what was done is kept, and the next
    run goes on. People with a payment on its way are left for later.
    """
    before = now - age
    enrolments = due_enrolments(before=before, campaign=campaign)
    held_back = unpaid(enrolments).values("visit__enrolment__annotator")
    enrolments = enrolments.exclude(annotator__in=held_back)
    people = due_annotators(before=before, campaign=campaign).exclude(pk__in=held_back)
    answered = enrolments.filter(questionnaire__isnull=False)
    found = Purged(people.count(), telling_visits(enrolments).count(), answered.count())
    if dry_run:
        return found
    for annotator in list(people):
        erase_annotator(annotator=annotator)
    with transaction.atomic():
        _forget_enrolments(enrolments)
    forget_places(now=now)
    delete_ended_sessions()
    delete_ended_cache_entries()
    return found


def erase_visitor(*, external_id: str) -> int:
    """Remove who came from a platform and has not agreed to take part; return their sessions."""
    return delete_sessions(holds=lambda content: is_coming(content, external_id))


def _forget_enrolments(enrolments: QuerySet[Enrolment]) -> None:
    enrolments.filter(questionnaire__isnull=False).update(questionnaire=None)
    Invitation.objects.filter(enrolment__in=enrolments).exclude(label="").update(label="")
    enrolments.filter(TIED).update(address_hash="", browser_hash="", member=None)
    visits = telling_visits(enrolments)
    visits.filter(settlements__isnull=True).delete()
    # That somebody was paid stays, without who.
    visits.update(session_id=Concat(Value(ERASED), Cast("pk", CharField())))


def _forget_identity(annotator: Annotator) -> None:
    identity = CrowdIdentity.objects.filter(annotator=annotator).first()
    if identity is not None:
        erase_visitor(external_id=identity.external_id)
        identity.delete()
    Invitation.objects.filter(annotator=annotator).update(annotator=None, label="")
    # Their personal link ends, and with it what was written down of it elsewhere.
    Annotator.objects.filter(pk=annotator.pk).update(access_key=new_access_key())
