"""What answers take and cost: the rule of time, the sums, the list for payment."""

from datetime import timedelta

import pytest
from django.utils import timezone

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.annotation.models import CrowdVisit
from evalplatform.annotation.services import enrol, open_campaign, undo_vote
from evalplatform.campaigns.rules import parse_rules
from evalplatform.core.errors import BadInputError
from evalplatform.reports import pay
from evalplatform.reports.pay import pay_summary, payments, payments_csv, site_seconds
from tests import factories

pytestmark = pytest.mark.django_db
PAY = {"wage_per_hour": 12.0, "seconds_per_vote": 9.0, "currency": "EUR", "fee_percent": 25.0}


def answered(gaps, responses, pay=PAY):
    """A campaign that one person answered: seconds between answers, seconds to each answer."""
    campaign = factories.make_draft(
        prompts=len(gaps) + 1, k=1, criteria=["visual_appeal"], rules={"pay": pay} if pay else {}
    )
    open_campaign(campaign=campaign)
    person = enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym="ana"))
    now = timezone.now()
    for gap, response in zip([0, *gaps], responses, strict=True):
        now += timedelta(seconds=gap)
        ms = None if response is None else round(1000 * response)
        factories.vote(person, factories.lease(person, now), now=now, response_time_ms=ms)
    return campaign


def test_time_of_an_answer_is_the_gap_before_it_and_a_break_is_no_work():
    # The first has no answer before it; the third comes after a break; the fourth's time is unknown
    # but for its gap.
    campaign = answered([10, 500, 20], [4, 3, 300, None])
    found = pay_summary(campaign)
    assert (found.answers, found.timed, found.breaks) == (4, 4, 1)
    # 4 (its own), 10 (gap), 120 (its own 300, cut), 20 (gap)
    assert found.median_seconds == pytest.approx(15)
    assert found.hours == pytest.approx((4 + 10 + 120 + 20) / 3600)


def test_figures_are_read_once_until_an_answer_comes_or_goes(monkeypatch):
    campaign = answered([10, 10], [4, 4, 4], pay=None)
    read, asked = pay._row, []
    monkeypatch.setattr(pay, "_row", lambda *given: asked.append(1) or read(*given))
    for _ in range(2):
        (row,) = payments(campaign)
        assert (row.pseudonym, row.answers, len(asked)) == ("ana", 3, 1)
    undo_vote(enrolment=campaign.enrolments.get(), key=None, now=timezone.now())
    assert (payments(campaign)[0].answers, len(asked)) == (2, 2)


def test_pay_follows_from_wage_and_seconds_and_the_implied_wage_from_what_answers_took():
    found = pay_summary(answered([15, 15], [15, 15, 15]))
    assert found.per_vote == pytest.approx(0.03)  # 9 s at 12 an hour
    assert found.implied_wage == pytest.approx(7.2)  # 15 s at 0.03
    assert (found.total, found.fee) == (pytest.approx(0.09), pytest.approx(0.0225))
    assert found.expected_total == pytest.approx(0.09)
    assert found.as_dict()["currency"] == "EUR"


def test_a_wage_alone_is_paid_at_the_median_and_nothing_said_is_no_figure():
    assert pay_summary(answered([20], [20, 20], {"wage_per_hour": 18.0})).per_vote == 0.1
    assert pay_summary(factories.make_draft(slug="unpaid", sampled=False)).total is None


@pytest.mark.parametrize(
    "given",
    [{"currency": "EUR"}, {"wage_per_hour": 0}, {"per_vote": 1, "currency": "euros"},
     {"per_vote": float("nan")}],
)  # fmt: skip
def test_pay_without_an_amount_is_refused(given):
    with pytest.raises(BadInputError, match="pay"):
        parse_rules({"pay": given})


def test_expected_total_counts_checks_by_their_rates():
    campaign = factories.make_draft(
        prompts=5, k=2, criteria=["visual_appeal"],
        rules={"pay": {"per_vote": 0.5}, "quality": {"repeat_rate": 0.2}},
    )  # fmt: skip
    open_campaign(campaign=campaign)
    found = pay_summary(campaign)
    assert (found.wanted, found.expected, found.expected_total) == (10, 12, 6.0)


def test_list_for_payment_has_a_row_a_person_and_platform_ids_only_where_asked_for():
    campaign = answered([30], [5, 5])
    person = campaign.enrolments.get()
    CrowdIdentity.objects.create(
        platform="prolific", external_id="=SECRET", annotator=person.annotator
    )
    CrowdVisit.objects.create(
        enrolment=person, platform="prolific", study_id="st", session_id="sess"
    )
    rows = payments(campaign)
    assert [(row.pseudonym, row.answers, row.checks, row.seconds) for row in rows] == [
        ("ana", 2, 0, 35.0)
    ]
    assert rows[0].total == pytest.approx(0.06)
    plain = payments_csv(campaign, rows)
    assert "SECRET" not in plain
    assert plain.splitlines()[1].endswith('"ana",2,0,0.58,0.06,"EUR",6.17,,0')
    full = payments_csv(campaign, rows, with_crowd_ids=True, for_excel=True)
    assert full.splitlines()[1].endswith('"prolific","\'=SECRET","st","sess"')


def test_simulated_answers_earn_nothing():
    campaign = answered([10], [5, 5])
    annotator = campaign.enrolments.get().annotator
    simulated = Annotator.objects.create(pseudonym="sim", is_simulated=True)
    other = factories.make_draft(slug="other", prompts=1, k=1, rules={"pay": PAY})
    open_campaign(campaign=other)
    person = enrol(campaign=other, annotator=simulated)
    factories.vote(person, factories.lease(person))
    assert [row.total for row in payments(other)] == [0.0]
    assert pay_summary(other).total == 0
    assert annotator.pseudonym == "ana"


def test_this_sites_own_median_counts_from_enough_votes_of_people(monkeypatch):
    answered([1, 1], [3, 5, 7])
    assert site_seconds("pair") is None
    monkeypatch.setattr(pay, "FEWEST_FOR_MEDIAN", 3)
    assert site_seconds("pair") == 5.0
    assert site_seconds("ranking") is None
