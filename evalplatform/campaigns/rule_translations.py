"""A researcher's own texts in further languages: tables named by language in the rules file."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from django.conf import settings
from pydantic import AfterValidator, Field

from evalplatform.campaigns.rule_section import RuleSection


def _is_spoken(code: str) -> str:
    spoken = [each for each, _ in settings.LANGUAGES]
    if code not in spoken:
        raise ValueError(f"the annotators' pages do not speak {code!r}; {', '.join(spoken)}")
    return code


LanguageCode = Annotated[str, AfterValidator(_is_spoken)]
Line = Annotated[str, Field(min_length=1, max_length=300)]


class CriterionWords(RuleSection):
    """A criterion's texts in one language."""

    question: str = Field(min_length=1, max_length=1000)
    instructions: str = Field(default="", max_length=4000)
    heads: list[Annotated[str, Field(min_length=1, max_length=80)]] = Field(
        default=[], description="in the order of the criterion's own; stored are those"
    )


class QuestionWords(RuleSection):
    """A question's texts in one language."""

    label: Line
    choices: list[Line] = Field(
        default=[], description="in the order of the question's own; stored are those"
    )
    why: str = Field(default="", max_length=1000)


class ConsentWords(RuleSection):
    """What people agree to, in one language."""

    consent: str = Field(min_length=1, max_length=4000)


def refuse_other_counts(own: Sequence[str], given: Mapping[str, Sequence[str]], what: str) -> None:
    """Raise `ValueError` where a language has more or fewer texts of a list than the original."""
    for code, texts in given.items():
        if texts and len(texts) != len(own):
            raise ValueError(f"{len(texts)} {what} in {code!r} for {len(own)}; give as many")
