"""Under which conditions annotators judged, in words: the same in a checklist and in methods.

Each is None where it is not known: of votes that were cast elsewhere, or where nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evalplatform.annotation.answer_columns import UNKNOWN_PX, AnswerColumns
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.campaigns.prompt_filter import parse_filter
from evalplatform.campaigns.rules import Delivery, PairLayout
from evalplatform.core.words import counted

_LAYOUTS = {
    PairLayout.STACKED_ON_PHONES: (
        "two images side by side, on phones held upright one above the other"
    ),
    PairLayout.SIDE_BY_SIDE: "two images side by side on every screen",
}


@dataclass(frozen=True)
class ShownSizes:
    """How large images were shown: device pixels of a side before any zoom, of votes that count."""

    votes: int  # of which it is known
    low: float  # a twentieth were smaller
    median: float
    high: float  # a twentieth were larger

    @property
    def in_words(self) -> str:
        return (
            f"median {self.median:.0f} device pixels a side (5 % below {self.low:.0f}, 5 % above "
            f"{self.high:.0f}; {counted(self.votes, 'vote')})"
        )

    def as_dict(self) -> dict[str, Any]:
        return {"votes": self.votes, "p5": self.low, "median": self.median, "p95": self.high}


def shown_sizes(table: AnswerColumns) -> ShownSizes | None:
    """Return how large images were shown, where that was sent with votes."""
    known = table.shown_px[table.shown_px != UNKNOWN_PX]
    if not len(known):
        return None
    low, median, high = (float(each) for each in np.percentile(known, (5, 50, 95)))
    return ShownSizes(len(known), low, median, high)


def origin_in_words(arm: Arm) -> str:
    """Return whose images these are, where an arm's existed already; nothing of checkpoints."""
    if arm.collection is None:
        return ""
    collection = arm.collection
    licence = collection.licence and f"licence {collection.licence}"
    return ", ".join(
        each for each in (f"images of {collection.model}", collection.source, licence) if each
    )


def sampled_arms(campaign: Campaign) -> list[str]:
    """Return the letters of arms whose images were made for campaigns, with frozen settings."""
    return [arm.letter for arm in campaign.contenders if arm.checkpoint_id]


def imported_arms(campaign: Campaign) -> list[str]:
    """Return the letters of arms whose images existed already: how made, nobody here knows."""
    return [arm.letter for arm in campaign.contenders if arm.collection_id]


def layout_in_words(campaign: Campaign) -> str | None:
    """Return how images stand on the page, of every form that is asked."""
    if campaign.imported_from:
        return None
    largest = [criterion.shape.most for criterion in campaign.criteria.all()]
    said = [_LAYOUTS[campaign.checked_rules.annotation.layout]] if 2 in largest else []
    said += ["one image alone"] if 1 in largest else []
    said += ["several images in a grid"] if any(most > 2 for most in largest) else []
    return "; ".join(said) or None


def delivery_in_words(campaign: Campaign) -> str | None:
    """Return as which files images reached annotators."""
    if campaign.imported_from:
        return None
    rules = campaign.checked_rules.annotation
    if rules.delivery is Delivery.LOSSLESS:
        return "lossless PNG, every image with all its pixels"
    widths = (campaign.protocol or {}).get("shown_widths") or []
    said = f"WebP of quality {rules.delivery_quality} for every image"
    if not widths:
        return said
    listed = ", ".join(f"{width}" for width in widths)
    return f"{said}, {listed} px wide or whole as the screen needs, whole when zoomed"


def filter_in_words(campaign: Campaign) -> str | None:
    """Return which prompts of the sets were taken."""
    if campaign.imported_from:
        return None
    if not campaign.prompt_filter:
        return "none"
    asked = parse_filter(campaign.prompt_filter)
    said = ", ".join(asked.words(name) for name in asked.asked)
    count = ((campaign.protocol or {}).get("prompts") or {}).get("count")
    seed = f" (seed {asked.third_seed})" if asked.third else ""
    return f"{said}{seed}" + (f"; {counted(count, 'prompt')}" if count else "")


def pay_in_words(campaign: Campaign) -> str | None:
    """Return what the frozen rules say of pay."""
    pay = campaign.checked_rules.pay
    if not pay.is_set:
        return None
    said = []
    unit = pay.unit()
    if unit is not None:
        said.append(f"{unit:.4g} {pay.currency} an answer")
    if pay.wage_per_hour is not None:
        said.append(f"{pay.wage_per_hour:g} {pay.currency} an hour aimed at")
    if pay.seconds_per_vote is not None:
        said.append(f"{pay.seconds_per_vote:g} s an answer expected")
    if pay.fee_percent:
        said.append(f"{pay.fee_percent:g} % on top for the panel")
    return "; ".join(said)
