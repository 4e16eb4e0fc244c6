"""Questions about the instructions, asked before the first item."""

from typing import Annotated

from pydantic import Field, model_validator

from evalplatform.campaigns.rule_section import RuleSection
from evalplatform.campaigns.rule_translations import (
    LanguageCode,
    QuestionWords,
    refuse_other_counts,
)

MOST_TRIES = 2
Words = Annotated[str, Field(min_length=1, max_length=300)]


class ComprehensionQuestion(RuleSection):
    """One question, its choices, and the one that is right."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: Words
    choices: list[Words]
    right: str
    why: str = Field(default="", max_length=1000, description="read after a wrong answer")
    translations: dict[LanguageCode, QuestionWords] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "ComprehensionQuestion":
        if len(self.choices) < 2 or len(set(self.choices)) != len(self.choices):
            raise ValueError("a question needs at least two choices, each of them once")
        if self.right not in self.choices:
            raise ValueError(f"right is none of the choices: {', '.join(self.choices)}")
        given = {code: each.choices for code, each in self.translations.items()}
        refuse_other_counts(self.choices, given, "choices")
        return self
