"""The tab with what was frozen as the campaign opened, and the text that tells it in a paper."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evalplatform.campaigns.forms import Form, form_named
from evalplatform.campaigns.models import Campaign, arm_letter
from evalplatform.reports.conditions import imported_arms, sampled_arms
from evalplatform.reports.methods import PlainWording, methods
from evalplatform.reports.result_types import CampaignResults


@dataclass(frozen=True)
class Amendment:
    """An arm that joined: what the protocol said before, and says since."""

    at: datetime
    arm: str  # its letter and name
    items: int
    arms_before: str  # letters
    arms_after: str
    sha256_before: str
    sha256_after: str
    code_version: str


def protocol_context(campaign: Campaign, results: CampaignResults | None) -> dict[str, Any]:
    """Return what `reports/tabs/_protocol.html` shows; the methods need results."""
    protocol = campaign.protocol or {}
    return {
        "asked": _asked(campaign),
        "frozen_arms": [
            arm | {"letter": arm_letter(arm["place"])} for arm in protocol.get("arms", [])
        ],
        "compares": any(each.shape.most > 1 for each in campaign.criteria.all()),
        "arms_sampled": sampled_arms(campaign),
        "arms_imported": imported_arms(campaign),
        "amendments": amendments_of(campaign),
        "methods": methods(results, PlainWording()).strip() if results and protocol else "",
    }


def amendments_of(campaign: Campaign) -> list[Amendment]:
    """Return the protocol's amendments, oldest first."""
    told = (campaign.protocol or {}).get("amendments", [])
    hashes = [each["protocol_sha256_before"] for each in told] + [campaign.protocol_sha256]
    return [
        Amendment(
            at=datetime.fromisoformat(each["at"]),
            arm=f"{arm_letter(each['arm']['place'])}, {each['arm']['name']}",
            items=each["items"],
            arms_before=_letters(each["arm"]["place"]),
            arms_after=_letters(each["arm"]["place"] + 1),
            sha256_before=hashes[at],
            sha256_after=hashes[at + 1],
            code_version=each["code_version"],
        )
        for at, each in enumerate(told)
    ]


def _letters(count: int) -> str:
    return ", ".join(arm_letter(place) for place in range(count))


def _asked(campaign: Campaign) -> list[dict[str, Any]]:
    """The criteria as the protocol froze them, with the answers that each offers in words."""
    asked = (campaign.protocol or {}).get("criteria", [])
    return [each | {"answers": _offered(form_named(each["form"]))} for each in asked]


def _offered(form: Form) -> str:
    return f"answers {', '.join(form.buttons)}" if form.buttons else form.label
