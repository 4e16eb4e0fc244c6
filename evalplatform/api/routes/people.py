"""Who judges a campaign: annotators, invitations, and Prolific's submissions."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Query, Schema

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import require_operator
from evalplatform.annotation.doors.invitations import (
    InvitationLine,
    InvitationState,
    invitation_lines,
)
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import (
    erase_known,
    give_back_work,
    invite,
    known_as,
    reinstate,
)
from evalplatform.annotation.services import revoke_invitations as revoke
from evalplatform.api.callers import Scope
from evalplatform.api.fields import Given, words
from evalplatform.api.paging import Page, Paging, page_of_list
from evalplatform.api.routes.campaigns import campaign_of, steered_campaign
from evalplatform.api.routing import Routes
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError, ConflictError
from evalplatform.core.site import site_link
from evalplatform.crowd.prolific_api import ProlificApi
from evalplatform.crowd.review_file import Decision
from evalplatform.crowd.reviewing import rows_to_review
from evalplatform.crowd.services import settle, sync_submissions
from evalplatform.quality.measures import AnnotatorMeasures
from evalplatform.quality.measures import Share as Counted
from evalplatform.quality.selectors import annotator_measures, measures_of
from evalplatform.quality.services import exclude_by_hand

routes = Routes(tags=["people"])
Id = Annotated[str, Field(min_length=1, max_length=128)]


class CountedShare(Schema):
    """So many of so many."""

    hits: int
    total: int


class AnnotatorOut(Schema):
    """What one annotator's answers look like, by pseudonym."""

    pseudonym: str
    is_simulated: bool
    excluded_by: str = Field(description="The rule in force; empty: their votes count.")
    votes: int
    answers: int
    gold: CountedShare
    qualification: CountedShare
    repeats: CountedShare
    too_fast: CountedShare
    ties: CountedShare
    majority: CountedShare
    median_response_ms: float | None
    skips: dict[str, int]


class ReasonIn(Given):
    """Why; it is reported with the results."""

    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")


class ReleaseIn(Given):
    """What becomes of their votes."""

    exclude: bool = Field(False, description="They stop counting, and are asked anew of others.")


class ReleasedOut(Schema):
    """What was given back."""

    freed: int = Field(description="Items that others can take now.")
    annotator: AnnotatorOut


class EraseIn(Given):
    """Who is erased."""

    annotator: str = Field(
        min_length=1, max_length=1000, pattern=r"\S",
        description="A pseudonym, an id of a crowd platform (`platform:id` where several know it), "
        "or a link of their own.",
    )  # fmt: skip
    erase: bool = Field(False, description="False: only told what would go.")


class ErasedOut(Schema):
    """What went, or would go, and what stays."""

    is_erased: bool
    pseudonym: str = Field("", description="Empty of who came and has not agreed to take part.")
    platform: str = Field("", description="Where they came from; empty where nothing says so.")
    visits: int = 0
    questionnaires: int = 0
    ties: int = Field(
        0, description="Campaigns that know an invitation's label, an account, where they began."
    )
    votes: int = Field(0, description="They stay.")
    open_campaigns: list[str] = Field(
        [], description="Coming back there, they would be taken for somebody new."
    )


class InvitationOut(Schema):
    """An invitation, never with who came by it."""

    number: int
    label: str
    state: str = words([each.value for each in InvitationState])
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class InvitationLink(Schema):
    """A new invitation with its link, this once."""

    number: int
    label: str
    link: str


class InvitationsMade(Schema):
    """What was made."""

    invitations: list[InvitationLink]


class InvitationsIn(Given):
    """So many invitations, or one for each label."""

    count: Annotated[int, Field(ge=1, le=10_000)] | None = None
    labels: Annotated[list[Annotated[str, Field(max_length=120)]], Field(max_length=10_000)] = []
    expires_in_hours: Annotated[int, Field(ge=1, le=10 * 8784)] | None = None


class RevokeIn(Given):
    """Which unused invitations end; null: all."""

    numbers: Annotated[list[Annotated[int, Field(ge=1, lt=2**31)]], Field(max_length=10_000)] | None


class Revoked(Schema):
    """How many ended now."""

    revoked: int


class SubmissionOut(Schema):
    """A submission on Prolific, with what is suggested."""

    submission: str
    participant: str
    pseudonym: str
    status: str
    judged: int
    minutes: float | None
    gold_right: str
    excluded_by: str
    suggested: str


class SyncOut(Schema):
    """What was read from Prolific."""

    by_status: dict[str, int]
    never_began: int
    left: int
    freed: int


class DecisionIn(Schema):
    """What a person decided of one submission."""

    submission: Id
    approve: bool = False
    bonus: Annotated[Decimal, Field(ge=0, le=10_000, max_digits=7, decimal_places=2)] | None = None


class SettleIn(Given):
    """Decisions; without `send` they are only counted."""

    decisions: Annotated[list[DecisionIn], Field(min_length=1, max_length=5000)]
    send: bool = False
    most_bonus: Annotated[Decimal, Field(gt=0, le=10_000, max_digits=7, decimal_places=2)] = (
        Decimal("20.00")
    )


class SettledOut(Schema):
    """What was sent, or would be."""

    sent: bool
    approved: int
    approved_before: int
    paid: int
    paid_before: int
    amount: str
    refused: dict[str, str]


@routes.reads("/campaigns/{slug}/annotators", Page[AnnotatorOut], scope=Scope.VOTES)
def list_annotators(request: HttpRequest, slug: str, paging: Query[Paging]) -> dict[str, Any]:
    """Everybody who took part, by pseudonym, with their measures."""
    found = annotator_measures(campaign_of(request, slug))
    return page_of_list(found, paging, _annotator, key=lambda each: each.pseudonym)


@routes.does(
    "/campaigns/{slug}/annotators/{pseudonym}/exclude", AnnotatorOut, scope=Scope.CAMPAIGNS
)
def exclude_annotator(
    request: HttpRequest, slug: str, pseudonym: str, given: ReasonIn
) -> AnnotatorOut:
    """Stop counting somebody's votes, which stay stored, and open their slots to others."""
    enrolment = _enrolment(steered_campaign(request, slug), pseudonym)
    exclude_by_hand(enrolment=enrolment, reason=given.reason, now=timezone.now())
    return _annotator(measures_of(enrolment))


@routes.does(
    "/campaigns/{slug}/annotators/{pseudonym}/reinstate", AnnotatorOut, scope=Scope.CAMPAIGNS
)
def reinstate_annotator(request: HttpRequest, slug: str, pseudonym: str) -> AnnotatorOut:
    """Let their votes count again, but where somebody else has judged the item since."""
    enrolment = _enrolment(steered_campaign(request, slug), pseudonym)
    exclusion = enrolment.exclusions.filter(revoked_at__isnull=True).first()
    if exclusion is None:
        raise ConflictError(f"{pseudonym!r} is not excluded from {slug!r}.")
    reinstate(exclusion=exclusion, now=timezone.now())
    return _annotator(measures_of(enrolment))


@routes.does("/campaigns/{slug}/annotators/{pseudonym}/release", ReleasedOut, scope=Scope.CAMPAIGNS)
def release_work(request: HttpRequest, slug: str, pseudonym: str, given: ReleaseIn) -> ReleasedOut:
    """Free what somebody who left holds unanswered, before its lease ends. Their votes keep
    counting, unless with `exclude`.
    """
    enrolment = _enrolment(steered_campaign(request, slug), pseudonym)
    freed = give_back_work(enrolment=enrolment, now=timezone.now(), is_excluded=given.exclude)
    return ReleasedOut(freed=freed, annotator=_annotator(measures_of(enrolment)))


@routes.does("/annotators/erase", ErasedOut, scope=Scope.ADMIN)
def erase_annotator(request: HttpRequest, given: EraseIn) -> ErasedOut:
    """Erase who an annotator is, in all projects: for operators. Votes stay, under the pseudonym.
    Without `erase` it only tells what would go.
    """
    require_operator(request.user)
    held = erase_known(said=given.annotator) if given.erase else known_as(given.annotator)
    told = vars(held) if held else {}
    return ErasedOut(is_erased=given.erase, **told)


@routes.reads("/campaigns/{slug}/invitations", Page[InvitationOut], scope=Scope.CAMPAIGNS)
def list_invitations(request: HttpRequest, slug: str, paging: Query[Paging]) -> dict[str, Any]:
    """The invitations of a campaign: for editors."""
    lines = invitation_lines(steered_campaign(request, slug), timezone.now())
    return page_of_list(lines, paging, _invitation, key=lambda each: each.number)


@routes.makes("/campaigns/{slug}/invitations", InvitationsMade, scope=Scope.CAMPAIGNS)
def create_invitations(request: HttpRequest, slug: str, given: InvitationsIn) -> InvitationsMade:
    """Make links that each let one person take part; they are shown this once."""
    campaign = steered_campaign(request, slug)
    if bool(given.count) == bool(given.labels):
        raise BadInputError("give count, or labels: one of the two.")
    assert isinstance(request.user, User)
    now, hours = timezone.now(), given.expires_in_hours
    made = invite(
        campaign=campaign, labels=given.labels or [""] * (given.count or 0), now=now,
        expires_at=now + timedelta(hours=hours) if hours else None, created_by=request.user,
    )  # fmt: skip
    link = site_link(reverse("annotation:work", args=[campaign.invitation]), request)
    return InvitationsMade(
        invitations=[
            InvitationLink(number=each.number, label=each.label, link=f"{link}?invite={secret}")
            for each, secret in made
        ]
    )


@routes.does("/campaigns/{slug}/invitations/revoke", Revoked, scope=Scope.CAMPAIGNS)
def revoke_invitations(request: HttpRequest, slug: str, given: RevokeIn) -> Revoked:
    """Let unused invitations enrol nobody any more."""
    campaign = steered_campaign(request, slug)
    return Revoked(revoked=revoke(campaign=campaign, now=timezone.now(), numbers=given.numbers))


@routes.reads("/campaigns/{slug}/submissions", Page[SubmissionOut], scope=Scope.VOTES)
def list_submissions(request: HttpRequest, slug: str, paging: Query[Paging]) -> dict[str, Any]:
    """Prolific's submissions to a campaign, with the action suggested: for editors."""
    rows = rows_to_review(steered_campaign(request, slug))
    return page_of_list(rows, paging, _submission, key=lambda each: each.submission)


@routes.does("/campaigns/{slug}/submissions/sync", SyncOut, scope=Scope.CAMPAIGNS)
def sync_campaign_submissions(request: HttpRequest, slug: str) -> SyncOut:
    """Read from Prolific where submissions stand; who left gives work back."""
    campaign = steered_campaign(request, slug)
    found = sync_submissions(campaign=campaign, api=ProlificApi(), now=timezone.now())
    return SyncOut(
        by_status=dict(found.by_status), never_began=found.never_began, left=found.left,
        freed=found.freed,
    )  # fmt: skip


@routes.does("/campaigns/{slug}/submissions/settle", SettledOut, scope=Scope.CAMPAIGNS)
def settle_submissions(request: HttpRequest, slug: str, given: SettleIn) -> SettledOut:
    """Approve and pay what was decided, each thing once; without `send` count it."""
    campaign = steered_campaign(request, slug)
    decisions = [_decision(each, given.most_bonus) for each in given.decisions]
    if len({each.submission for each in decisions}) < len(decisions):
        raise BadInputError("a submission stands twice among the decisions; decide once.")
    done = settle(campaign=campaign, decisions=decisions, api=ProlificApi() if given.send else None)
    return SettledOut(
        sent=given.send, approved=done.approved, approved_before=done.approved_before,
        paid=done.paid, paid_before=done.paid_before, amount=f"{done.amount:.2f}",
        refused=done.refused,
    )  # fmt: skip


def _enrolment(campaign: Campaign, pseudonym: str) -> Enrolment:
    rows = campaign.enrolments.select_related("annotator", "campaign")
    found = rows.filter(annotator__pseudonym=pseudonym).first()
    if found is None:
        raise Http404
    return found


def _decision(given: DecisionIn, most: Decimal) -> Decision:
    if given.bonus is not None and given.bonus > most:
        raise BadInputError(
            f"the bonus {given.bonus} is above {most}; give most_bonus if it is meant."
        )
    return Decision(given.submission, given.approve, given.bonus or None)


def _counted(share: Counted) -> CountedShare:
    return CountedShare(hits=share.hits, total=share.total)


def _annotator(found: AnnotatorMeasures) -> AnnotatorOut:
    return AnnotatorOut(
        pseudonym=found.pseudonym, is_simulated=found.is_simulated,
        excluded_by=found.excluded_by, votes=found.votes, answers=found.answers,
        gold=_counted(found.gold), qualification=_counted(found.qualification),
        repeats=_counted(found.repeats), too_fast=_counted(found.too_fast),
        ties=_counted(found.ties), majority=_counted(found.majority),
        median_response_ms=found.median_response_ms, skips=found.skips,
    )  # fmt: skip


def _invitation(line: InvitationLine) -> InvitationOut:
    return InvitationOut(
        number=line.number, label=line.label, state=line.state.value, used_at=line.used_at,
        created_at=line.created_at, expires_at=line.expires_at,
    )  # fmt: skip


def _submission(row: Any) -> SubmissionOut:
    return SubmissionOut(
        submission=row.submission, participant=row.participant, pseudonym=row.pseudonym,
        status=row.status, judged=int(row.judged), gold_right=row.gold_right,
        minutes=float(row.minutes) if row.minutes else None, excluded_by=row.excluded_by,
        suggested=row.action,
    )  # fmt: skip
