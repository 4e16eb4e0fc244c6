"""The short questionnaire at the end."""

from collections.abc import Mapping

from django.db import transaction

from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services.locking import lock
from evalplatform.campaigns.rules import Question
from evalplatform.core.errors import BadInputError

MAX_TEXT = 2000  # characters


def answer_questionnaire(*, enrolment: Enrolment, given: Mapping[str, str]) -> None:
    """Store the answers once; a second form changes nothing.

    Raises `BadInputError` for a required question left open, an unknown choice or a long text.
    """
    with transaction.atomic():
        lock(enrolment)
        answers = {
            question.name: _checked(question, given.get(question.name, "").strip())
            for question in enrolment.campaign.checked_rules.questionnaire
        }
        if enrolment.questionnaire is None:
            enrolment.questionnaire = answers
            enrolment.save(update_fields=["questionnaire"])


def _checked(question: Question, value: str) -> str:
    if not value and question.required:
        raise BadInputError(f"please answer “{question.label}”.")
    if value and question.kind == "choice" and value not in question.choices:
        raise BadInputError(
            f"{value!r} is no answer to “{question.label}”; choose one of "
            f"{', '.join(question.choices)}."
        )
    if "\0" in value:
        raise BadInputError(f"the answer to “{question.label}” holds a NUL, which is no text.")
    if len(value) > MAX_TEXT:
        raise BadInputError(f"the answer to “{question.label}” is over {MAX_TEXT:,} characters.")
    return value
