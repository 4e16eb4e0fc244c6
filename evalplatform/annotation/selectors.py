"""Reading an annotator's work."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from evalplatform.accounts.models import Annotator, User
from evalplatform.annotation import statements
from evalplatform.annotation.doors.arrivals import Arrival
from evalplatform.annotation.models import Assignment, Enrolment, Invitation
from evalplatform.annotation.turns import checks_ahead
from evalplatform.campaigns.models import Campaign


@dataclass(frozen=True)
class AnnotatorProgress:
    """Items this annotator has judged, and how many they will have judged, at most."""

    done: int
    total: int

    @property
    def remaining(self) -> int:
        return self.total - self.done


def enrolment_of(annotator_id: int | None, invitation: str) -> Enrolment | None:
    """Return the annotator's enrolment in the campaign, or None before they agreed to take part.

    Only its keys are read: every service locks its row and reads the rest then.
    """
    return None if annotator_id is None else statements.find_enrolment(annotator_id, invitation)


def enrolment_of_arrival(campaign: Campaign, arrival: Arrival) -> Enrolment | None:
    """Return the enrolment of whoever comes from a crowd platform, in whichever session."""
    return Enrolment.objects.filter(
        campaign=campaign,
        annotator__crowd_identity__platform=arrival.platform,
        annotator__crowd_identity__external_id=arrival.external_id,
    ).first()


def enrolment_of_member(campaign: Campaign, user: User | AnonymousUser) -> Enrolment | None:
    """Return the enrolment of whoever is signed in; None for nobody."""
    if not user.is_authenticated:
        return None
    return Enrolment.objects.filter(campaign=campaign, member=user).first()


def enrolment_if_members(enrolment: Enrolment, user: User | AnonymousUser) -> Enrolment | None:
    """Return the enrolment if it is this member's, or a simulated annotator's."""
    asking = Q(annotator__is_simulated=True)
    if user.is_authenticated:
        asking |= Q(member=user)
    return Enrolment.objects.filter(asking, pk=enrolment.pk).first()


def enrolment_invited(invitation: Invitation) -> Enrolment | None:
    """Return the enrolment of who used an invitation."""
    return Enrolment.objects.filter(invitation=invitation).first()


def is_simulated(annotator_id: int | None) -> bool:
    """Whether an annotator is known as simulated."""
    if annotator_id is None:
        return False
    return Annotator.objects.filter(pk=annotator_id, is_simulated=True).exists()


def annotator_progress(enrolment: Enrolment, *, held: int) -> AnnotatorProgress:
    """Return the annotator's own progress, without counting a row; `held` items are theirs.

    What remains is an upper bound: the items held, what is left of the qualification, the
    items beyond the cursor and the checks that are planned among them. Checks are counted
    from the start, so that the total does not move when one is served; others' votes, and an
    item passed over, lower it. It never rises above what was shown before, unless the annotator
    is beyond that already; so the bar never goes back, and it is full at the end.
    """
    total = enrolment.judged + _remaining(enrolment, held)
    if enrolment.total is not None:
        total = max(enrolment.judged + held, min(enrolment.total, total))
    return AnnotatorProgress(done=enrolment.judged, total=total)


def _remaining(enrolment: Enrolment, held: int) -> int:
    rules = enrolment.campaign.checked_rules
    beyond = max(0, enrolment.campaign.item_count - (enrolment.cursor + 1))
    remaining = held + beyond
    if enrolment.qualified_at is None:
        remaining += max(0, rules.quality.qualification_gold - enrolment.judged - held)
    cap = rules.annotation.session_cap
    if cap is None:
        return remaining + checks_ahead(enrolment)
    cap_left = max(0, cap - enrolment.judged)
    if remaining >= cap_left:
        return cap_left
    return min(cap_left, remaining + checks_ahead(enrolment))


def closed_to_newcomers(campaign: Campaign, now: datetime) -> str | None:
    """Return why nobody new can begin in an opened campaign at `now`; None where they can.

    `closed` or `paused` as it is; `done` where every slot has its vote; `waiting` where others
    hold every slot that has none.
    """
    if campaign.status == Campaign.Status.PAUSED:
        return "paused"
    if campaign.status != Campaign.Status.OPEN:
        return "closed"
    pending = Assignment.objects.main().pending().filter(campaign=campaign)
    if pending.filter(annotator__isnull=True).exists():
        return None
    leased = pending.filter(annotator__isnull=False)
    if leased.filter(lease_expires_at__lt=now).exists():
        return None
    return "waiting" if leased.exists() else "done"


def votes_missing(campaign: Campaign) -> int:
    """Return how many slots of the campaign have no vote yet."""
    return Assignment.objects.filter(campaign=campaign).main().pending().count()


def annotator_named(access_key: str) -> Annotator | None:
    """Return the annotator of a personal link."""
    return Annotator.objects.filter(access_key=access_key).first()


def enrolment_known_as(campaign: Campaign, name: str) -> Enrolment | None:
    """Return the enrolment of an annotator given by pseudonym or by their id on a platform."""
    return (
        Enrolment.objects.filter(campaign=campaign)
        .filter(Q(annotator__pseudonym=name) | Q(annotator__crowd_identity__external_id=name))
        .first()
    )


def roster(campaign: Campaign) -> list[tuple[str, str, str, int, str]]:
    """Return (platform, id there, pseudonym, items judged, status) of everybody enrolled."""
    rows = Enrolment.objects.filter(campaign=campaign).order_by("pk")
    return [
        (platform or "", external_id or "", pseudonym, judged, status)
        for platform, external_id, pseudonym, judged, status in rows.values_list(
            "annotator__crowd_identity__platform",
            "annotator__crowd_identity__external_id",
            "annotator__pseudonym",
            "judged",
            "status",
        )
    ]


def questionnaire_answers(campaign: Campaign) -> list[tuple[str, dict[str, str]]]:
    """Return (pseudonym, answers by question name) of everybody who filled the questionnaire in."""
    rows = Enrolment.objects.filter(campaign=campaign, questionnaire__isnull=False)
    return [
        (pseudonym, answers or {})
        for pseudonym, answers in rows.order_by("pk").values_list(
            "annotator__pseudonym", "questionnaire"
        )
    ]
