"""What the safety filter kept from annotators: a result of its own, and a bias of all others."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalplatform import stats
from evalplatform.campaigns.models import Campaign, FilteredPair
from evalplatform.campaigns.safety import FilterCounts, filter_counts
from evalplatform.generation.models import SafetyDetector

NOTE = (
    "Filtered prompts were judged by nobody and are in no other figure: those hold for prompts of "
    "which both images passed."
)
TEST = "exact test of prompts filtered for one side only (McNemar)"


@dataclass(frozen=True)
class SafetySummary:
    """The filter of one campaign; `unsafe_a` and `unsafe_b` are shares of all its prompts."""

    detector: SafetyDetector
    threshold: float
    counts: FilterCounts
    unsafe_a: stats.Proportion
    unsafe_b: stats.Proportion
    p_value: float | None  # that A and B are alike; None where no prompt tells
    pairs: list[FilteredPair]

    @property
    def sides(self) -> list[tuple[str, stats.Proportion]]:
        return [("A", self.unsafe_a), ("B", self.unsafe_b)]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        counts = self.counts
        return self.detector.as_dict() | {
            "threshold": self.threshold,
            "prompts": counts.prompts,
            "filtered": counts.filtered,
            "filtered_for_a": counts.only_a,
            "filtered_for_b": counts.only_b,
            "filtered_for_both": counts.both,
            "unsafe_a": _share(self.unsafe_a),
            "unsafe_b": _share(self.unsafe_b),
            "p_value": self.p_value,
            "test": TEST,
            "note": NOTE,
            "filtered_prompts": [
                {
                    "prompt_set": str(pair.prompt.prompt_set),
                    "prompt": pair.prompt.text,
                    "side": pair.sides,
                    "score_a": pair.score_a,
                    "score_b": pair.score_b,
                }
                for pair in self.pairs
            ],
        }


def safety_summary(campaign: Campaign) -> SafetySummary | None:
    """Return what the filter did; None where the campaign has none or has not opened."""
    detector, threshold = campaign.safety_detector, campaign.checked_rules.safety.threshold
    if detector is None or threshold is None:
        return None
    counts = filter_counts(campaign)
    # Each prompt has an image of both, so the difference lies in those filtered for one alone.
    test = stats.exact_sign_test(
        stats.Tally(
            win=counts.only_a,
            tie=counts.prompts - counts.only_a - counts.only_b,
            lose=counts.only_b,
        )
    )
    pairs = campaign.filtered_pairs.select_related("prompt__prompt_set", "sample_a", "sample_b")
    return SafetySummary(
        detector=detector,
        threshold=threshold,
        counts=counts,
        unsafe_a=stats.proportion(counts.unsafe_a, counts.prompts),
        unsafe_b=stats.proportion(counts.unsafe_b, counts.prompts),
        p_value=test.p_value,
        pairs=list(pairs.order_by("prompt__prompt_set", "prompt__position")),
    )


def share_in_words(share: stats.Proportion) -> str:
    """Return a share in per cent with its interval, such as "1.0 [0.3, 2.9]"."""
    if share.value is None or share.low is None or share.high is None:
        return "–"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def filtered_records(summary: SafetySummary) -> Iterator[dict[str, Any]]:
    """Yield one record for each filtered pair, with all that is needed to find its images."""
    for pair in summary.pairs:
        prompt = pair.prompt
        yield {
            "prompt_set": prompt.prompt_set.name,
            "prompt_set_version": prompt.prompt_set.version,
            "prompt_text": prompt.text,
            "category": prompt.category,
            "challenge": prompt.challenge,
            "side": pair.sides,
            "score_a": pair.score_a,
            "score_b": pair.score_b,
            "threshold": pair.threshold,
            "detector": summary.detector.name,
            "detector_version": summary.detector.version,
            "weights_sha256": summary.detector.weights_sha256,
            "sample_a": pair.sample_a_id,
            "sample_b": pair.sample_b_id,
            "sample_a_sha256": pair.sample_a.image_sha256,
            "sample_b_sha256": pair.sample_b.image_sha256,
            "seed": pair.sample_a.seed,
        }


def _share(share: stats.Proportion) -> dict[str, Any]:
    return {
        "count": share.hits,
        "of": share.total,
        "share": share.value,
        "low": share.low,
        "high": share.high,
    }
