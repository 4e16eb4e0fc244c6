"""What the page of the questions about the instructions shows."""

from typing import Any

from django.utils.translation import get_language

from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.comprehension_rules import MOST_TRIES


def is_asked(enrolment: Enrolment) -> bool:
    """Whether the annotator has questions to answer before the first item."""
    return enrolment.understood_at is None and bool(enrolment.campaign.checked_rules.comprehension)


def has_failed(enrolment: Enrolment) -> bool:
    """Whether no try is left to an annotator who has not passed."""
    return is_asked(enrolment) and enrolment.comprehension_tries.count() >= MOST_TRIES


def questions_shown(enrolment: Enrolment) -> dict[str, Any]:
    """Return the questions without what is right, and after a try what was wrong in it.

    Keys: `try` (from 1), `tries`, `questions` with `name`, `label`, `choices`, `was_wrong`, and
    where it was wrong `answered` and `why`.
    """
    last = enrolment.comprehension_tries.last()
    language = get_language() or ""
    shown = []
    for question in enrolment.campaign.checked_rules.comprehension:
        was_wrong = last is not None and question.name in last.wrong
        words = question.translations.get(language)
        texts = (words.choices if words else None) or question.choices
        told: dict[str, Any] = {
            "name": question.name,
            "label": words.label if words else question.label,
            "choices": [
                {"value": value, "text": text}
                for value, text in zip(question.choices, texts, strict=True)
            ],
            "was_wrong": was_wrong,
        }
        if last is not None and was_wrong:
            answered = question.choices.index(last.answers[question.name])
            told |= {"answered": texts[answered], "why": words.why if words else question.why}
        shown.append(told)
    return {
        "try": 1 if last is None else last.number + 1,
        "tries": MOST_TRIES,
        "questions": shown,
    }
