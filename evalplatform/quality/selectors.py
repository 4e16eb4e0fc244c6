"""Reading how annotators work."""

from collections import defaultdict

import numpy as np
from django.db.models import Count, Q

from evalplatform.annotation.answer_columns import AnswerColumns, answer_columns, grades_of
from evalplatform.annotation.models import (
    ComprehensionTry,
    Enrolment,
    Exclusion,
    Release,
    SurplusVote,
)
from evalplatform.annotation.services.skipping import SKIP_REASONS
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.quality.measures import (
    AnnotatorFacts,
    AnnotatorMeasures,
    IsRight,
    Mask,
    measures_from,
)


def annotator_measures(
    campaign: Campaign, answers: AnswerColumns | None = None
) -> list[AnnotatorMeasures]:
    """Return everybody enrolled in a campaign, by pseudonym; `answers` where they are read."""
    columns = answer_columns(campaign) if answers is None else answers
    return _measures(campaign, columns, annotator_facts(campaign))


def annotator_facts(campaign: Campaign) -> list[AnnotatorFacts]:
    """Return what is known of everybody enrolled beside their answers, by pseudonym."""
    enrolments = campaign.enrolments.select_related("annotator").order_by("annotator__pseudonym")
    return _facts(campaign, list(enrolments), Q())


def measures_of(enrolment: Enrolment) -> AnnotatorMeasures:
    """Return one annotator's measures, reading only their answers and what others said there."""
    who = enrolment.annotator_id
    columns = answer_columns(enrolment.campaign, annotator=who)
    facts = _facts(enrolment.campaign, [enrolment], Q(annotator=who))
    return _measures(enrolment.campaign, columns, facts)[0]


def gold_stock(campaign: Campaign) -> dict[tuple[str, str], int]:
    """Return how many sets of gold there are, by slug of a criterion and purpose."""
    counted = (
        campaign.image_sets.gold()
        .order_by("criterion__position", "purpose")
        .values_list("criterion__slug", "purpose")
        .annotate(count=Count("pk"))
    )
    return {(slug, purpose): count for slug, purpose, count in counted}


def rightness(campaign: Campaign) -> IsRight:
    """Return how answers to the campaign's gold are judged."""
    gold = campaign.image_sets.gold().values_list("items", "criterion__form", "expected")
    known = {item: (form_named(form), expected) for item, form, expected in gold}

    def is_right(item: int, said: int) -> bool:
        form, expected = known[item]
        grades = grades_of(np.array([said]), len(expected or ()))[0].tolist()
        return form.is_right(grades, expected or ())

    return is_right


def _measures(
    campaign: Campaign, columns: AnswerColumns, people: list[AnnotatorFacts]
) -> list[AnnotatorMeasures]:
    return measures_from(
        columns,
        people,
        min_response_ms=campaign.checked_rules.quality.min_response_ms,
        is_right=rightness(campaign),
        pairs=of_pairs(campaign, columns),
    )


def of_pairs(campaign: Campaign, columns: AnswerColumns) -> Mask:
    """Return which answers are to two images."""
    pairs = [each.pk for each in campaign.criteria.all() if each.shape.most == 2]
    return np.isin(columns.criterion, pairs)


def _facts(campaign: Campaign, enrolments: list[Enrolment], people: Q) -> list[AnnotatorFacts]:
    rules, skips = _rules_in_force(campaign), _skips(campaign, people)
    surplus = _surplus(campaign, people)
    tries = _comprehension_tries(enrolments)
    return [
        AnnotatorFacts(
            annotator=each.annotator_id,
            pseudonym=each.annotator.pseudonym,
            is_simulated=each.annotator.is_simulated,
            excluded_by=rules.get(each.pk, ""),
            skips=skips.get(each.annotator_id, {}),
            surplus=surplus.get(each.annotator_id, 0),
            comprehension_tries=tries.get(each.pk, 0),
        )
        for each in enrolments
    ]


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


def _comprehension_tries(enrolments: list[Enrolment]) -> dict[int, int]:
    tries = ComprehensionTry.objects.filter(enrolment__in=[each.pk for each in enrolments])
    counted = tries.order_by().values_list("enrolment")  # not by number
    return dict(counted.annotate(count=Count("pk")))


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
            f"{pseudonym!r} took no part in {campaign.slug!r}; name somebody who did.",
            by_command=f"`manage.py review_annotators {campaign.slug}` lists them.",
        )
    return enrolment
