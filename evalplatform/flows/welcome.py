"""What somebody reads before they agree to take part in a flow."""

from typing import Any

from django.conf import settings
from django.utils.translation import get_language

from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.translations import translations_of
from evalplatform.flows.models import Flow


def flow_welcome(flow: Flow) -> dict[str, Any]:
    """Return what `annotation/welcome.html` shows, before any of the flow's batches is open."""
    rules, plan = flow.checked_rules, flow.plan
    language = get_language() or ""
    words = translations_of(plan, rules.annotation).get(language, {})
    consent = rules.annotation.translations.get(language)
    form = form_named(plan.form)
    return {
        "flow": flow,
        "criteria": [
            {
                "label": plan.label,
                "question": words.get("question") or plan.question,
                "instructions": words.get("instructions") or plan.instructions,
                "shows_prompt": plan.shows_prompt,
                "answers": form.buttons,
                "page": form.page,
            }
        ],
        "consent": consent.consent if consent else rules.annotation.consent,
        "offered": rules.annotation.languages,
        "layout": rules.annotation.layout.value,
        "keeps_places": settings.PLACES_KEPT_DAYS,
    }
