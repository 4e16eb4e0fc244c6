"""The texts of criteria by language, as a campaign keeps them.

What is shown is stored: a better translation of a later version changes no campaign that is there.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from evalplatform.campaigns.criteria import CRITERIA, CriterionPlan
from evalplatform.campaigns.rules import AnnotationRules

SHIPPED_IN = "en"  # the language in which shipped criteria are written


def translations_of(plan: CriterionPlan, rules: AnnotationRules) -> dict[str, Any]:
    """Return the texts of a criterion by language, without the one that it is written in.

    A shipped criterion has those of the catalogues, a researcher's own those of the rules file.
    """
    if plan.translations:
        return {code: dict(words) for code, words in plan.translations.items()}
    if not _is_shipped(plan):
        return {}
    found = {}
    for code in rules.languages or [code for code, _ in settings.LANGUAGES]:
        if code == SHIPPED_IN:
            continue
        with translation.override(code):
            found[code] = _words(gettext(plan.question), plan.instructions, plan.heads)
    return found


def _words(question: str, instructions: str, heads: Sequence[str]) -> dict[str, Any]:
    # An empty text is the catalogue's header.
    instructions = gettext(instructions) if instructions else ""
    return {"question": question, "instructions": instructions, "heads": list(heads)}


def _is_shipped(plan: CriterionPlan) -> bool:
    shipped = CRITERIA.get(plan.slug)
    words = shipped.wording.get(plan.form) if shipped else None
    return words is not None and words.question == plan.question
