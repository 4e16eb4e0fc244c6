"""What answers took and what they cost: for planning, while a campaign runs, and to pay people.

How long an answer took: the time since the same person's answer before it in the campaign, checks
and loading counted, since all of it is work. A gap above `BREAK_SECONDS` is a break: then, and for
the first answer, the time from the images' appearance to the answer counts, at most
`BREAK_SECONDS`. Simulated answers have only the latter. Answers without any time are paid and in
no median.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import connection

from evalplatform.annotation.models import CrowdVisit
from evalplatform.campaigns.models import Campaign
from evalplatform.core.csv_text import csv_text
from evalplatform.reports.fingerprint import fingerprint

BREAK_SECONDS = 120
TIME_RULE = (
    "Time of an answer: since the same person's answer before it, checks and loading included; "
    f"after a break (more than {BREAK_SECONDS} s) and for the first answer, from the images' "
    f"appearance to the answer, at most {BREAK_SECONDS} s."
)
# Seconds an answer takes where this site has no votes of the form yet: guesses of ours, on the
# high side, to be replaced by the site's own median.
ASSUMED_SECONDS = {
    "pair": 10.0, "pair_both_neither": 10.0, "ranking": 30.0, "rating": 6.0, "keep_reject": 5.0,
    "caption": 60.0, "approve": 8.0,
}  # fmt: skip
FEWEST_FOR_MEDIAN = 100  # votes of a form, before this site's own median is used
_KEPT_SECONDS = 24 * 3600
_LATEST = 20_000  # votes of a form that the site's median looks at

PAYMENT_COLUMNS = [
    "campaign", "annotator", "answers", "checks", "minutes", "sum", "currency", "hourly",
    "excluded", "is_simulated",
]  # fmt: skip
CROWD_COLUMNS = ["platform", "crowd_id", "study", "submissions"]


@dataclass(frozen=True)
class PaySummary:
    """What a campaign's answers took and cost; None where nothing is known.

    Attributes:
        answers: stored and not taken back, checks and excluded people's among them.
        wanted: answers to items until it is complete, without checks.
        expected: answers with checks, by the rates of its rules.
        timed: answers of which it is known how long they took.
        breaks: gaps that were no work.
        median_seconds, p90_seconds: of an answer.
        hours: worked so far.
        per_vote: paid for an answer. Where the rules name a wage alone: at the seconds they
            expect, or at the median.
        implied_wage: per hour, at `per_vote` and the median.
        total, expected_total: so far, and at the end, without the fee.
        fee, expected_fee: of the panel.
        simulated: how many answers are simulated: those earn nothing.
    """

    answers: int
    wanted: int
    expected: int
    timed: int
    breaks: int
    simulated: int
    median_seconds: float | None
    p90_seconds: float | None
    hours: float
    currency: str
    wage_per_hour: float | None
    per_vote: float | None
    fee_percent: float

    @property
    def implied_wage(self) -> float | None:
        if self.per_vote is None or not self.median_seconds:
            return None
        return self.per_vote * 3600 / self.median_seconds

    @property
    def paid_answers(self) -> int:
        """Answers of people."""
        return self.answers - self.simulated

    @property
    def total(self) -> float | None:
        return None if self.per_vote is None else self.per_vote * self.paid_answers

    @property
    def expected_total(self) -> float | None:
        if self.per_vote is None:
            return None
        return self.per_vote * max(self.expected, self.paid_answers)

    @property
    def fee(self) -> float | None:
        return None if self.total is None else self.total * self.fee_percent / 100

    @property
    def expected_fee(self) -> float | None:
        return None if self.expected_total is None else self.expected_total * self.fee_percent / 100

    def as_dict(self) -> dict[str, Any]:
        """Return what a reporting checklist wants."""
        return {
            "pay_per_answer": self.per_vote,
            "currency": self.currency,
            "implied_hourly_wage": self.implied_wage,
            "median_seconds_per_answer": self.median_seconds,
            "p90_seconds_per_answer": self.p90_seconds,
            "answers": self.answers,
            "simulated_answers": self.simulated,
            "hours": self.hours,
            "total_paid": self.total,
            "panel_fee_percent": self.fee_percent,
            "time_rule": TIME_RULE,
        }


@dataclass(frozen=True)
class Payment:
    """What one annotator did and is owed; `total` is None where nothing is said of pay."""

    annotator_id: int
    pseudonym: str
    answers: int
    checks: int
    seconds: float
    excluded_by: str
    is_simulated: bool
    total: float | None

    @property
    def minutes(self) -> float:
        return self.seconds / 60

    @property
    def hourly(self) -> float | None:
        """What the sum comes to for an hour of work."""
        return None if self.total is None or not self.seconds else self.total * 3600 / self.seconds


_TIMED = """
SELECT v.annotator_id, v.is_simulated, a.purpose,
    v.response_time_ms / 1000.0 AS response,
    CASE WHEN NOT v.is_simulated THEN
        extract(epoch FROM v.voted_at - lag(v.voted_at) OVER (
            PARTITION BY v.annotator_id ORDER BY v.voted_at, v.id))
    END AS gap
FROM annotation_vote v JOIN annotation_assignment a ON a.id = v.assignment_id
WHERE a.campaign_id = %(campaign)s AND v.retracted_at IS NULL
"""
_SECONDS = """
SELECT *, CASE WHEN gap <= %(most)s THEN gap ELSE least(response, %(most)s) END AS seconds
FROM timed
"""
# Both in one pass: the order of half a million answers is what takes the time.
_FIGURES = f"""
WITH timed AS ({_TIMED}), each AS MATERIALIZED ({_SECONDS})
SELECT
    (SELECT json_build_array(count(*), count(seconds), count(*) FILTER (WHERE gap > %(most)s),
        count(*) FILTER (WHERE is_simulated), coalesce(sum(seconds), 0),
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds)) FROM each),
    (SELECT json_object_agg(annotator_id, told) FROM (
        SELECT annotator_id, json_build_array(count(*), count(*) FILTER (WHERE purpose <> 'main'),
            coalesce(sum(seconds), 0), bool_or(is_simulated)) AS told
        FROM each GROUP BY annotator_id) AS people)
"""
_PEOPLE = """
SELECT w.id, w.pseudonym,
    (SELECT x.rule FROM annotation_exclusion x JOIN annotation_enrolment n ON n.id = x.enrolment_id
        WHERE n.campaign_id = %(campaign)s AND n.annotator_id = w.id AND x.revoked_at IS NULL
        ORDER BY x.id DESC LIMIT 1)
FROM accounts_annotator w WHERE w.id = ANY (%(people)s) ORDER BY w.pseudonym
"""
_OF_FORM = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY least(ms / 1000.0, %(most)s))
FROM (SELECT v.response_time_ms AS ms FROM annotation_vote v
    WHERE v.form = %(form)s AND NOT v.is_simulated AND v.response_time_ms IS NOT NULL
        AND v.retracted_at IS NULL
    ORDER BY v.id DESC LIMIT %(latest)s) latest
"""


def pay_summary(campaign: Campaign) -> PaySummary:
    """Return what the campaign's answers took and cost so far, and what is to come."""
    (answers, timed, breaks, simulated, seconds, shares), _ = _figures(campaign)
    median, p90 = shares or (None, None)
    rules = campaign.checked_rules
    pay = rules.pay
    wanted = sum(
        criterion.k * criterion.items.main().count() for criterion in campaign.criteria.all()
    )
    people = campaign.enrolments.count()
    quality = rules.quality
    return PaySummary(
        answers=answers,
        wanted=wanted,
        expected=round(wanted * (1 + quality.gold_rate + quality.repeat_rate))
        + people * quality.qualification_pairs,
        timed=timed,
        breaks=breaks,
        simulated=simulated,
        median_seconds=_number(median),
        p90_seconds=_number(p90),
        hours=float(seconds) / 3600,
        currency=pay.currency,
        wage_per_hour=pay.wage_per_hour,
        per_vote=pay.unit(_number(median)),
        fee_percent=pay.fee_percent,
    )


def payments(campaign: Campaign, per_vote: float | None = None) -> list[Payment]:
    """Return a row for each annotator, by pseudonym, at the pay of the rules or at another one.

    Answers of excluded people are in it, with the rule that excluded them: whether those are paid
    is a person's decision.
    """
    unit = per_vote if per_vote is not None else pay_summary(campaign).per_vote
    _, worked = _figures(campaign)
    given = {"campaign": campaign.pk, "people": [int(who) for who in worked]}
    return [
        _payment(who, pseudonym, rule or "", worked[str(who)], unit)
        for who, pseudonym, rule in _rows(_PEOPLE, given)
    ]


def _payment(
    who: int, pseudonym: str, rule: str, worked: Sequence[Any], unit: float | None
) -> Payment:
    answers, checks, seconds, simulated = worked
    return Payment(
        annotator_id=who,
        pseudonym=pseudonym,
        answers=answers,
        checks=checks,
        seconds=float(seconds),
        excluded_by=rule,
        is_simulated=simulated,
        total=None if unit is None else 0.0 if simulated else unit * answers,
    )


def _figures(campaign: Campaign) -> tuple[list[Any], dict[str, list[Any]]]:
    """Return the figures of all answers and those of each annotator, by their number as text.

    They are kept until an answer comes or is taken back.
    """
    key = f"pay:{campaign.pk}:{fingerprint(campaign)}"
    kept: tuple[list[Any], dict[str, list[Any]]] | None = cache.get(key)
    if kept is None:
        whole, people = _row(_FIGURES, {"campaign": campaign.pk, "most": BREAK_SECONDS})
        kept = whole, people or {}
        cache.set(key, kept, _KEPT_SECONDS)
    return kept


def payments_csv(
    campaign: Campaign,
    rows: Sequence[Payment],
    *,
    with_crowd_ids: bool = False,
    for_excel: bool = False,
) -> str:
    """Return the list for payment; ids at a crowd platform only for those who may see them."""
    columns = PAYMENT_COLUMNS + (CROWD_COLUMNS if with_crowd_ids else [])
    ids = _crowd_ids(campaign) if with_crowd_ids else {}
    return csv_text(columns, _records(campaign, rows, ids), for_excel=for_excel)


def site_seconds(form: str) -> float | None:
    """Return the median seconds from images to answer of this site's own latest votes of a form.

    None before there are `FEWEST_FOR_MEDIAN`. No simulated votes are among them.
    """
    given = {"form": form, "latest": _LATEST, "most": BREAK_SECONDS}
    count, median = _row(_OF_FORM, given)
    return _number(median) if count >= FEWEST_FOR_MEDIAN else None


def _records(
    campaign: Campaign, rows: Sequence[Payment], ids: dict[int, dict[str, str]]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "campaign": campaign.slug,
            "annotator": row.pseudonym,
            "answers": row.answers,
            "checks": row.checks,
            "minutes": round(row.minutes, 2),
            "sum": None if row.total is None else round(row.total, 2),
            "currency": campaign.checked_rules.pay.currency,
            "hourly": None if row.hourly is None else round(row.hourly, 2),
            "excluded": row.excluded_by,
            "is_simulated": row.is_simulated,
        } | ids.get(row.annotator_id, {})


def _crowd_ids(campaign: Campaign) -> dict[int, dict[str, str]]:
    """Return what platforms call each annotator who came from one and was not erased."""
    found: dict[int, dict[str, str]] = {}
    visits = CrowdVisit.objects.telling().filter(enrolment__campaign=campaign)
    rows = visits.select_related("enrolment__annotator__crowd_identity").order_by("came_at", "pk")
    for visit in rows:
        annotator = visit.enrolment.annotator
        identity = getattr(annotator, "crowd_identity", None)
        row = found.setdefault(
            annotator.pk,
            {
                "platform": visit.platform,
                "crowd_id": identity.external_id if identity else "",
                "study": visit.study_id,
                "submissions": "",
            },
        )
        row["submissions"] = " ".join(filter(None, [row["submissions"], visit.session_id]))
    return found


def _rows(statement: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall())


def _row(statement: str, given: dict[str, Any]) -> tuple[Any, ...]:
    return _rows(statement, given)[0]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
