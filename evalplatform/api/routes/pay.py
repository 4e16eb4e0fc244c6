"""What a campaign's answers took and cost, and the list for payment."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Schema

from evalplatform.api.callers import Scope
from evalplatform.api.paging import Page, Paging, page_of_list
from evalplatform.api.routes.campaigns import campaign_of
from evalplatform.api.routing import Routes
from evalplatform.reports.pay import TIME_RULE, Payment, pay_summary, payments

routes = Routes(tags=["people"])


class PayOut(Schema):
    """What answers took and cost so far and at the end; null where nothing is known."""

    answers: int
    simulated: int
    wanted: int
    expected: int
    timed: int
    median_seconds: float | None
    p90_seconds: float | None
    hours: float
    currency: str
    wage_per_hour: float | None
    per_vote: float | None
    implied_wage: float | None
    total: float | None
    expected_total: float | None
    fee_percent: float
    fee: float | None
    expected_fee: float | None
    time_rule: str


class PaymentOut(Schema):
    """What one annotator did and is owed, by pseudonym; null where the rules say nothing of pay."""

    pseudonym: str
    answers: int
    checks: int
    minutes: float
    total: float | None
    hourly: float | None
    excluded_by: str
    is_simulated: bool


@routes.reads("/campaigns/{slug}/pay", PayOut)
def get_pay(request: HttpRequest, slug: str) -> PayOut:
    """Median times, the hourly wage that the pay comes to, and the sums."""
    found = pay_summary(campaign_of(request, slug))
    told = {name: getattr(found, name) for name in PayOut.model_fields if name != "time_rule"}
    return PayOut(**told, time_rule=TIME_RULE)


@routes.reads("/campaigns/{slug}/payments", Page[PaymentOut], scope=Scope.VOTES)
def list_payments(request: HttpRequest, slug: str, paging: Query[Paging]) -> dict[str, Any]:
    """The list for payment, by pseudonym. Ids at a crowd platform are in `pay.csv?ids` of the page,
    for owners, and in the campaign's submissions.
    """
    rows = payments(campaign_of(request, slug))
    return page_of_list(rows, paging, _payment, key=lambda each: each.pseudonym)


def _payment(row: Payment) -> PaymentOut:
    return PaymentOut(**{name: getattr(row, name) for name in PaymentOut.model_fields})
