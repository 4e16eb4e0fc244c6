"""What is kept of annotators beside their votes, and who is who: reading alone."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from django.db.models import Q, QuerySet

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.annotation.doors.invitations import invitation_by
from evalplatform.annotation.doors.personal_links import enrolment_by_key
from evalplatform.annotation.models import CrowdVisit, Enrolment, Settlement
from evalplatform.annotation.selectors import annotator_named
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError

# Enrolments that know more of a person than that they take part.
TIED = (
    ~Q(address_hash="")
    | ~Q(browser_hash="")
    | Q(member__isnull=False)
    | (Q(invitation__isnull=False) & ~Q(invitation__label=""))
)


@dataclass(frozen=True)
class Held:
    """How much there is of one person; votes stay in any case."""

    pseudonym: str
    platform: str  # where they came from; empty where nothing ties them to a person
    visits: int
    questionnaires: int
    ties: int  # campaigns that know their invitation's label, account, address or browser
    votes: int
    open_campaigns: tuple[str, ...]  # where they may still come back to

    @property
    def is_nothing(self) -> bool:
        return not (self.platform or self.visits or self.questionnaires or self.ties)


def annotator_known_as(said: str) -> Annotator | None:
    """Return who is meant by a pseudonym, an id of a crowd platform, or a link of their own.

    An id that several platforms know is given as `platform:id`. Raises `BadInputError` for one
    that is given without.
    """
    if by_link := _annotator_of_link(said):
        return by_link
    platform, _, external_id = said.partition(":")
    found = Annotator.objects.filter(
        Q(pseudonym=said)
        | Q(crowd_identity__external_id=said)
        | Q(crowd_identity__platform=platform, crowd_identity__external_id=external_id)
    )[:2]
    if len(found) > 1:
        raise BadInputError(
            "several platforms know this id; say which: platform:id, as `list_annotators` has them."
        )
    return found[0] if found else None


def _annotator_of_link(link: str) -> Annotator | None:
    """Return whose personal link or invitation this is."""
    parts = urlsplit(link)
    query = parse_qs(parts.query)
    if key := query.get("key", [""])[0]:
        enrolment = enrolment_by_key(key)
        return enrolment.annotator if enrolment else annotator_named(key)
    invitation = parts.path.rstrip("/").rpartition("/")[2]
    campaign = Campaign.objects.filter(invitation=invitation).first()
    secret = query.get("invite", [""])[0]
    used = invitation_by(campaign, secret) if campaign and secret else None
    invited = Enrolment.objects.filter(invitation=used).first() if used else None
    return invited.annotator if invited else None


def held_of(annotator: Annotator) -> Held:
    """Return how much is kept of an annotator."""
    enrolments = Enrolment.objects.filter(annotator=annotator)
    identity = CrowdIdentity.objects.filter(annotator=annotator).first()
    still_open = Campaign.objects.filter(enrolments__annotator=annotator).exclude(
        status=Campaign.Status.CLOSED
    )
    return Held(
        pseudonym=annotator.pseudonym,
        platform=identity.platform if identity else "",
        visits=telling_visits(enrolments).count(),
        questionnaires=enrolments.filter(questionnaire__isnull=False).count(),
        ties=enrolments.filter(TIED).count(),
        votes=annotator.votes.count(),
        open_campaigns=tuple(still_open.values_list("slug", flat=True)),
    )


def telling_visits(enrolments: QuerySet[Enrolment]) -> QuerySet[CrowdVisit]:
    """Return the visits that still say by which session of a platform somebody came."""
    return CrowdVisit.objects.telling().filter(enrolment__in=enrolments)


def unpaid(enrolments: QuerySet[Enrolment]) -> QuerySet[Settlement]:
    """Return payments of which nobody knows yet whether they arrived."""
    return Settlement.objects.filter(visit__enrolment__in=enrolments, state=Settlement.State.PAYING)


def due_enrolments(*, before: datetime, campaign: Campaign | None) -> QuerySet[Enrolment]:
    """Return the enrolments of campaigns that were closed before a time; of one of them, if given.

    While a campaign is open its people may come back, and must be known again.
    """
    due = Enrolment.objects.filter(
        campaign__status=Campaign.Status.CLOSED, campaign__closed_at__lt=before
    )
    return due if campaign is None else due.filter(campaign=campaign)


def due_annotators(*, before: datetime, campaign: Campaign | None) -> QuerySet[Annotator]:
    """Return the known people who have no other enrolment than due ones.

    Without a campaign also those who came before the time and never took part.
    """
    due = due_enrolments(before=before, campaign=None)
    others = Enrolment.objects.exclude(pk__in=due.values("pk"))
    known = Annotator.objects.filter(crowd_identity__isnull=False).exclude(
        pk__in=others.values("annotator")
    )
    if campaign is not None:
        return known.filter(enrolments__in=due.filter(campaign=campaign))
    return known.filter(Q(enrolments__isnull=False) | Q(created_at__lt=before)).distinct()
