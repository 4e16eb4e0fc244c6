"""What the safety filter kept from annotators: a result of its own, and a bias of all others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evalplatform import stats
from evalplatform.campaigns.models import Campaign, Withheld
from evalplatform.campaigns.safety import FilterCounts, filter_counts
from evalplatform.promptsets.models import Prompt
from evalplatform.safety.models import SafetyDetector

NOTE = (
    "Images withheld were judged by nobody and are in no other figure: those hold for prompts of "
    "which all images of a set passed."
)
TEST = "exact test of prompts filtered for one arm only (McNemar)"


@dataclass(frozen=True)
class SafetySummary:
    """The filter of one campaign.

    Attributes:
        unsafe: each arm's letter and the share of all prompts of which it lost an image.
        p_value: that two arms are alike; None where no prompt tells, and for more than two.
    """

    detector: SafetyDetector
    threshold: float
    counts: FilterCounts
    unsafe: list[tuple[str, stats.Proportion]]
    p_value: float | None
    withheld: list[Withheld]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        counts = self.counts
        return self.detector.as_dict() | {
            "threshold": self.threshold,
            "prompts": counts.prompts,
            "filtered": counts.filtered,
            "filtered_for": [
                {"arms": [counts.letters[place] for place in pattern], "prompts": count}
                for pattern, count in sorted(counts.patterns.items())
            ],
            "sets": counts.sets,
            "sets_left_out": counts.dropped,
            "unsafe": [{"arm": letter} | _share(share) for letter, share in self.unsafe],
            "p_value": self.p_value,
            "test": TEST if len(self.unsafe) == 2 else None,
            "note": NOTE,
            "withheld_images": [
                {
                    "prompt_set": str(prompt_of(each).prompt_set),
                    "prompt": prompt_of(each).text,
                    "arm": each.arm.letter,
                    "score": each.score,
                }
                for each in self.withheld
            ],
        }


def safety_summary(campaign: Campaign) -> SafetySummary | None:
    """Return what the filter did; None where the campaign has none or has not opened."""
    detector, threshold = campaign.safety_detector, campaign.checked_rules.safety.threshold
    if detector is None or threshold is None:
        return None
    withheld = campaign.withheld.select_related(
        "arm__checkpoint", "arm__collection",
        "sample__prompt__prompt_set", "collected__prompt__prompt_set",
    )  # fmt: skip
    return summary_of_filter(campaign, detector, threshold, filter_counts(campaign), withheld)


def summary_of_filter(
    campaign: Campaign,
    detector: SafetyDetector,
    threshold: float,
    counts: FilterCounts,
    withheld: Iterable[Withheld],
) -> SafetySummary:
    """Return what a filter of these counts did; nothing is read but the images withheld."""
    return SafetySummary(
        detector=detector,
        threshold=threshold,
        counts=counts,
        unsafe=[
            (letter, stats.proportion(counts.unsafe(place), counts.prompts))
            for place, letter in enumerate(counts.letters)
        ],
        p_value=_difference(counts) if campaign.is_duel else None,
        withheld=sorted(withheld, key=_place),
    )


def prompt_of(withheld: Withheld) -> Prompt:
    """Return the prompt that an image withheld answers."""
    prompt = withheld.picture.prompt
    assert prompt  # an image that belongs to a set answers a prompt
    return prompt


def _place(withheld: Withheld) -> tuple[int, int, int, int]:
    prompt = prompt_of(withheld)
    return prompt.prompt_set_id, prompt.position, withheld.number, withheld.arm.place


def _difference(counts: FilterCounts) -> float | None:
    """Each prompt has images of both, so the difference lies in those filtered for one alone."""
    one, other = counts.only(0), counts.only(1)
    tally = stats.Tally(win=one, tie=counts.prompts - one - other, lose=other)
    return stats.exact_sign_test(tally).p_value


def share_in_words(share: stats.Proportion) -> str:
    """Return a share in per cent with its interval, such as "1.0 [0.3, 2.9]"."""
    if share.value is None or share.low is None or share.high is None:
        return "–"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def withheld_records(summary: SafetySummary) -> Iterator[dict[str, Any]]:
    """Yield one record for each image withheld, with all that is needed to find it."""
    for each in summary.withheld:
        prompt, picture = prompt_of(each), each.picture
        yield {
            "prompt_set": prompt.prompt_set.name,
            "prompt_set_version": prompt.prompt_set.version,
            "prompt_position": prompt.position,
            "prompt_text": prompt.text,
            "category": prompt.category,
            "challenge": prompt.challenge,
            "arm": each.arm.letter,
            "arm_name": each.arm.name,
            "score": each.score,
            "threshold": each.threshold,
            "detector": summary.detector.name,
            "detector_version": summary.detector.version,
            "weights_sha256": summary.detector.weights_sha256,
            "sample": each.sample_id or "",
            "image_sha256": picture.image_sha256,
            "seed": "" if picture.seed is None else picture.seed,
        }


def _share(share: stats.Proportion) -> dict[str, Any]:
    return {
        "count": share.hits,
        "of": share.total,
        "share": share.value,
        "low": share.low,
        "high": share.high,
    }
