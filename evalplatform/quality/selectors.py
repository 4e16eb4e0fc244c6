"""Reading how annotators work."""

from collections import defaultdict

from django.db.models import Count, Q, QuerySet

from evalplatform.annotation.models import (
    Enrolment,
    Exclusion,
    Release,
    SurplusVote,
    Vote,
)
from evalplatform.annotation.services.skipping import SKIP_REASONS
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.quality.measures import (
    AnnotatorMeasures,
    Answers,
    Share,
    columns_of,
    medians_of,
    shares_of,
)

_ANSWER = (
    "annotator_id", "assignment__purpose", "assignment__comparison_id", "outcome", "choice",
    "response_time_ms", "exclusion_id",
)  # fmt: skip


def annotator_measures(campaign: Campaign) -> list[AnnotatorMeasures]:
    """Return everybody enrolled in a campaign, by pseudonym, in five queries however many."""
    enrolments = campaign.enrolments.select_related("annotator").order_by("annotator__pseudonym")
    rows = _answers(campaign).values_list(*_ANSWER)
    return _measures(campaign, list(enrolments), columns_of(list(rows)), people=Q())


def measures_of(enrolment: Enrolment) -> AnnotatorMeasures:
    """Return one annotator's measures, reading only their answers and what others said there."""
    me = Q(annotator=enrolment.annotator_id)
    answers = _answers(enrolment.campaign)
    mine = list(answers.filter(me).values_list(*_ANSWER))
    comparisons = {row[_ANSWER.index("assignment__comparison_id")] for row in mine} - {None}
    others = answers.filter(~me, assignment__comparison__in=comparisons).values_list(*_ANSWER)
    columns = columns_of(mine + list(others))
    return _measures(enrolment.campaign, [enrolment], columns, people=me)[0]


def _answers(campaign: Campaign) -> QuerySet[Vote]:
    return Vote.objects.filter(assignment__campaign=campaign, retracted_at__isnull=True)


def _measures(
    campaign: Campaign, enrolments: list[Enrolment], columns: Answers, *, people: Q
) -> list[AnnotatorMeasures]:
    quality = campaign.checked_rules.quality
    shares = shares_of(columns, min_response_ms=quality.min_response_ms)
    medians = medians_of(columns)
    rules, skips = _rules_in_force(campaign), _skips(campaign, people)
    surplus = _surplus(campaign, people)
    measures = []
    for enrolment in enrolments:
        who = enrolment.annotator_id
        mine = {name: by_person.get(who, Share(0, 0)) for name, by_person in shares.items()}
        measures.append(
            AnnotatorMeasures(
                pseudonym=enrolment.annotator.pseudonym,
                is_simulated=enrolment.annotator.is_simulated,
                excluded_by=rules.get(enrolment.pk, ""),
                votes=mine.pop("votes").total,
                answers=mine.pop("answers").total,
                median_response_ms=medians.get(who),
                skips=skips.get(who, {}),
                surplus=surplus.get(who, 0),
                **mine,
            )
        )
    return measures


def _rules_in_force(campaign: Campaign) -> dict[int, str]:
    """Return the rule by which each excluded enrolment is excluded now."""
    in_force = Exclusion.objects.filter(enrolment__campaign=campaign, revoked_at__isnull=True)
    return dict(in_force.values_list("enrolment", "rule"))


def _skips(campaign: Campaign, people: Q) -> dict[int, dict[str, int]]:
    counted = (
        Release.objects.filter(people, assignment__campaign=campaign, reason__in=SKIP_REASONS)
        .values_list("annotator", "reason")
        .annotate(count=Count("pk"))
    )
    skips: dict[int, dict[str, int]] = defaultdict(dict)
    for annotator, reason, count in counted:
        skips[annotator][reason] = count
    return skips


def _surplus(campaign: Campaign, people: Q) -> dict[int, int]:
    late = SurplusVote.objects.filter(people, assignment__campaign=campaign)
    return dict(late.values_list("annotator").annotate(count=Count("pk")))


def decided_by_hand(enrolment: Enrolment) -> bool:
    """Whether somebody reinstated this annotator: rules do not exclude them again."""
    return enrolment.exclusions.filter(revoked_at__isnull=False).exists()


def enrolment_named(campaign: Campaign, pseudonym: str) -> Enrolment:
    """Return the enrolment of this pseudonym. Raises `BadInputError` for who took no part."""
    found = campaign.enrolments.filter(annotator__pseudonym=pseudonym).select_related(
        "annotator", "campaign"
    )
    enrolment = found.first()
    if enrolment is None:
        raise BadInputError(
            f"{pseudonym!r} took no part in {campaign.slug!r}; `manage.py review_annotators "
            f"{campaign.slug}` lists who did."
        )
    return enrolment
