"""Sending to Prolific what a person decided, each thing once."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone

from evalplatform.annotation.models import CrowdVisit, Settlement
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.crowd.prolific_api import ProlificApi, ProlificError, RefusedError, UncertainError
from evalplatform.crowd.review_file import Decision
from evalplatform.crowd.selectors import visits_of

MOST_AT_ONCE = 200  # bonuses in one payment
_NAMED = 5  # lines of a file that a message names
Progress = Callable[[int, int], None]
Kind, State = Settlement.Kind, Settlement.State


@dataclass
class Settled:
    """What was sent now, what had been before, and what Prolific refused, by pseudonym."""

    approved: int = 0
    approved_before: int = 0
    paid: int = 0
    paid_before: int = 0
    amount: Decimal = Decimal(0)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    approvals: list[CrowdVisit]
    bonuses: list[tuple[CrowdVisit, Decimal]]
    settled: Settled


def settle(
    *,
    campaign: Campaign,
    decisions: Sequence[Decision],
    api: ProlificApi | None,
    on_progress: Progress = tell_nobody,
) -> Settled:
    """Approve and pay what was decided and was not before; without `api` only count it.

    What is sent is recorded at once, so an interrupted call goes on where it stopped and a second
    one sends nothing. Raises `BadInputError`, before anything is sent, for a submission that is
    not the campaign's or not of whom the row names, another bonus than was paid before, and a
    bonus of which it is not known whether it was paid; `ProlificError` where Prolific does not do
    its part.
    """
    plan = _plan(campaign, decisions)
    settled = plan.settled
    if api is None:
        settled.approved = len(plan.approvals)
        settled.paid = len(plan.bonuses)
        settled.amount = sum((bonus for _, bonus in plan.bonuses), Decimal(0))
        return settled
    total = len(plan.approvals) + len(plan.bonuses)
    for done, visit in enumerate(plan.approvals, start=1):
        _approve(visit, api, settled)
        on_progress(done, total)
    for study, owed in _by_study(plan.bonuses):
        _pay(study, owed, api)
        settled.paid += len(owed)
        settled.amount += sum((bonus for _, bonus in owed), Decimal(0))
        on_progress(len(plan.approvals) + settled.paid, total)
    return settled


def clear_uncertain(*, campaign: Campaign, were_paid: bool) -> int:
    """Say of bonuses that may have been paid whether they were; return how many there are."""
    uncertain = Settlement.objects.filter(visit__in=visits_of(campaign), state=State.PAYING)
    if were_paid:
        return uncertain.update(state=State.SENT, sent_at=timezone.now())
    return uncertain.delete()[0]


def _plan(campaign: Campaign, decisions: Sequence[Decision]) -> _Plan:
    # Of several who name one submission always the first stands for it, so that what was sent
    # for it is found again, whoever comes later.
    visits: dict[str, CrowdVisit] = {}
    for visit in visits_of(campaign):
        visits.setdefault(visit.session_id, visit)
    unknown = [each for each in decisions if each.submission not in visits]
    if unknown:
        lines = ", ".join(str(each.line) for each in unknown[:_NAMED] if each.line)
        raise BadInputError(
            f"{len(unknown)} of {len(decisions)} submissions are not of {campaign.slug!r}"
            + (f" (line {lines}{' …' if len(unknown) > _NAMED else ''})" if lines else "")
            + "; nothing was sent. Give their ids as the review wrote them."
        )
    for decision in decisions:
        _check_person(decision, visits[decision.submission])
    known = {
        (row.visit_id, row.kind): row
        for row in Settlement.objects.filter(visit__in=list(visits.values()))
    }
    plan = _Plan([], [], Settled())
    for decision in decisions:
        visit = visits[decision.submission]
        if decision.approve and (visit.pk, Kind.APPROVAL) in known:
            plan.settled.approved_before += 1
        elif decision.approve:
            plan.approvals.append(visit)
        if decision.bonus is None:
            continue
        before = known.get((visit.pk, Kind.BONUS))
        if before is None:
            plan.bonuses.append((visit, decision.bonus))
        else:
            _check_before(before, decision.bonus, visit)
            plan.settled.paid_before += 1
    return plan


def _check_person(decision: Decision, visit: CrowdVisit) -> None:
    """Refuse a row whose cells are of two people, as sorting one column alone leaves them."""
    who = visit.enrolment.annotator.pseudonym
    if decision.pseudonym not in ("", who):
        raise BadInputError(
            f"line {decision.line}: the submission is of {who}, and the row says "
            f"{decision.pseudonym[:40]!r}; was one column sorted without the others? Nothing was "
            "sent. Take the list as the review wrote it and edit action and bonus alone."
        )


def _check_before(before: Settlement, bonus: Decimal, visit: CrowdVisit) -> None:
    who = visit.enrolment.annotator.pseudonym
    if before.state == State.PAYING:
        raise BadInputError(
            f"it is not known whether the bonus of {who} was paid (payment {before.payment_id}): "
            "look on Prolific, then say which it was. Nothing was sent.",
            by_command="--uncertain paid or --uncertain unpaid, with --yes, says it.",
        )
    if before.amount != bonus:
        raise BadInputError(
            f"{who} was paid {before.amount} before, and the file says {bonus}; further bonuses "
            "are paid on Prolific, by hand. Nothing was sent."
        )


def _approve(visit: CrowdVisit, api: ProlificApi, settled: Settled) -> None:
    who = visit.enrolment.annotator.pseudonym
    try:
        api.approve(visit.session_id, who=who)
    except RefusedError as error:  # of this submission alone: the others go on
        settled.refused[who] = str(error)
        return
    Settlement.objects.get_or_create(
        visit=visit,
        kind=Kind.APPROVAL,
        defaults={"state": State.SENT, "sent_at": timezone.now()},
    )
    settled.approved += 1


def _by_study(
    bonuses: list[tuple[CrowdVisit, Decimal]],
) -> list[tuple[str, list[tuple[CrowdVisit, Decimal]]]]:
    studies: dict[str, list[tuple[CrowdVisit, Decimal]]] = defaultdict(list)
    for visit, bonus in bonuses:
        studies[visit.study_id].append((visit, bonus))
    return [
        (study, owed[start : start + MOST_AT_ONCE])
        for study, owed in sorted(studies.items())
        for start in range(0, len(owed), MOST_AT_ONCE)
    ]


def _pay(study: str, owed: list[tuple[CrowdVisit, Decimal]], api: ProlificApi) -> None:
    """Pay bonuses of one study; they stand as being paid until Prolific has said what became."""
    payment = api.plan_bonuses(study, {visit.session_id: f"{bonus:.2f}" for visit, bonus in owed})
    try:
        with transaction.atomic():
            Settlement.objects.bulk_create(
                Settlement(
                    visit=visit,
                    kind=Kind.BONUS,
                    amount=bonus,
                    payment_id=payment,
                    state=State.PAYING,
                )
                for visit, bonus in owed
            )
    except IntegrityError as error:
        raise BadInputError(
            "these bonuses are being paid by another command; wait until it has ended."
        ) from error
    rows = Settlement.objects.filter(payment_id=payment, kind=Kind.BONUS)
    try:
        api.pay_bonuses(payment)
    except UncertainError:
        raise
    except ProlificError:
        rows.delete()  # refused: nothing was paid
        raise
    rows.update(state=State.SENT, sent_at=timezone.now())
