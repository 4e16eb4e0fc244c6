"""The questions about the instructions: two tries, then somebody is screened out."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from evalplatform.annotation.models import ComprehensionTry, Enrolment
from evalplatform.annotation.services.exclusion import COMPREHENSION, exclude
from evalplatform.annotation.services.locking import lock
from evalplatform.campaigns.comprehension_rules import MOST_TRIES, ComprehensionQuestion
from evalplatform.core.errors import BadInputError


def answer_comprehension(
    *, enrolment: Enrolment, number: int, given: Mapping[str, str], now: datetime
) -> None:
    """Store try `number` at the questions; all right lets the annotator begin.

    Something wrong at the last try excludes them, as a failed qualification does. A try that was
    stored before changes nothing. Raises `BadInputError` for a question left open or an answer
    that is no choice; that is no try.
    """
    with transaction.atomic():
        lock(enrolment)
        questions = enrolment.campaign.checked_rules.comprehension
        is_over = enrolment.understood_at or enrolment.status != Enrolment.Status.ACTIVE
        if not questions or is_over or number != enrolment.comprehension_tries.count() + 1:
            return
        answers = {each.name: _checked(each, given.get(each.name, "")) for each in questions}
        wrong = [each.name for each in questions if answers[each.name] != each.right]
        ComprehensionTry.objects.create(
            enrolment=enrolment, number=number, answers=answers, wrong=wrong, answered_at=now
        )
        if not wrong:
            enrolment.understood_at = now
            enrolment.save(update_fields=["understood_at"])
        elif number == MOST_TRIES:
            right = len(questions) - len(wrong)
            exclude(
                enrolment=enrolment,
                rule=COMPREHENSION,
                detail=f"{right} of {len(questions)} answers right at try {number}, all needed",
                now=now,
            )


def _checked(question: ComprehensionQuestion, value: str) -> str:
    if not value:
        raise BadInputError(f"please answer “{question.label}”.")
    if value not in question.choices:
        raise BadInputError(
            f"{value[:40]!r} is no answer to “{question.label}”; choose one of "
            f"{', '.join(question.choices)}."
        )
    return value
