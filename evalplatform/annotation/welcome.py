"""What somebody reads before they agree to take part, or a researcher who looks at it first."""

from typing import Any

from django.conf import settings
from django.utils.translation import get_language

from evalplatform.annotation.examples import examples_for
from evalplatform.annotation.presentation import page_of
from evalplatform.campaigns.models import Campaign


def welcome_context(campaign: Campaign) -> dict[str, Any]:
    """Return what `annotation/welcome.html` shows of a campaign, whoever reads it."""
    rules = campaign.checked_rules
    language = get_language() or ""
    consent = rules.annotation.translations.get(language)
    return {
        "campaign": campaign,
        "criteria": [
            {
                "label": criterion.label,
                "question": words.question,
                "instructions": words.instructions,
                "shows_prompt": criterion.shows_prompt,
                "answers": criterion.shape.buttons,
                "page": page_of(criterion, rules.annotation.grid),
            }
            for criterion in campaign.criteria.all()
            for words in [criterion.in_language(language)]
        ],
        "consent": consent.consent if consent else rules.annotation.consent,
        "offered": rules.annotation.languages,
        "layout": rules.annotation.layout.value,
        "examples": examples_for(campaign),
        "widths": campaign.shown_widths,
        "pairs_expected": rules.annotation.session_cap,
        "keeps_places": settings.PLACES_KEPT_DAYS,
        "qualification": rules.quality.qualification_pairs,
        "tries": rules.quality.tries_at_gold,
        "comprehension": len(rules.comprehension),
    }
