"""What somebody reads before they agree to take part, or a researcher who looks at it first."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from evalplatform.annotation.examples import examples_for
from evalplatform.campaigns.models import Campaign


def welcome_context(campaign: Campaign) -> dict[str, Any]:
    """Return what `annotation/welcome.html` shows of a campaign, whoever reads it."""
    rules = campaign.checked_rules
    return {
        "campaign": campaign,
        "criteria": [
            {
                "label": criterion.label,
                "question": gettext(criterion.question),
                "instructions": gettext(criterion.instructions) if criterion.instructions else "",
                "shows_prompt": criterion.shows_prompt,
                "answers": criterion.shape.buttons,
                "page": criterion.shape.page,
            }
            for criterion in campaign.criteria.all()
        ],
        "examples": examples_for(campaign),
        "pairs_expected": rules.annotation.session_cap,
        "keeps_places": settings.PLACES_KEPT_DAYS,
        "qualification": rules.quality.qualification_pairs,
        "comprehension": len(rules.comprehension),
    }
