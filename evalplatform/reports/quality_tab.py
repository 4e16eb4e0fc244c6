"""The tab about the quality of the data: checks, side and order, images, what was kept back."""

from statistics import median
from typing import Any

from evalplatform.annotation.models import Release, SurplusVote
from evalplatform.campaigns.rules import Start
from evalplatform.quality.summary import NARROW, QualitySummary
from evalplatform.reports.cells import coefficient, p_value, percent, percent_interval
from evalplatform.reports.consensus import CriterionConsensus
from evalplatform.reports.languages import LanguageResult
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.safety import NOTE, TEST, prompt_of, share_in_words
from evalplatform.reports.samples import samples_context
from evalplatform.reports.serve_order import halves_rows, place_rows, serve_order_in_words


def quality_context(results: CampaignResults) -> dict[str, Any]:
    """Return what `reports/tabs/_quality.html` shows."""
    return {
        "quality": results.quality,
        "quality_facts": _quality_facts(results.quality),
        "set_aside": _set_aside(results.quality),
        "side_bias": percent(results.side_bias.left) if results.side_bias else None,
        "languages": results.languages,
        "by_language": [_by_language(each) for each in results.by_language],
        "consensus": [_consensus(each) for each in results.consensus],
        "order_said": serve_order_in_words(results),
        "order_effects": halves_rows(results),
        "places": place_rows(results),
        "has_own_starts": results.campaign.checked_rules.annotation.start is Start.OWN,
        "samples": samples_context(results.campaign),
        "safety": _safety(results),
    }


def _by_language(found: LanguageResult) -> dict[str, str]:
    rates = found.test.rates
    return {
        "criterion": found.criterion_label,
        "language": found.name,
        "votes": f"{rates.tally.total:,}",
        "win": percent(rates.win),
        "tie": percent(rates.tie),
        "lose": percent(rates.lose),
        "net": percent_interval(
            rates.net.value, rates.net.low, rates.net.high, rates.net.state, signed=True
        ),
        "p": p_value(found.test.p_holm) if found.test.p_holm is not None else "–",
        "why": found.test.reason,
    }


def _consensus(found: CriterionConsensus) -> dict[str, Any]:
    one = found.one_person
    return {
        "criterion": found.criterion_label,
        "one_person": percent(one.agreement) if one.agreement else "–",
        "compared": f"{one.n_compared:,}",
        "pairs": f"{one.n_pairs:,}",
        "ties": percent(one.tie_share),
        "orders": [
            {
                "images": order.images,
                "kendall_w": coefficient(order.kendall_w) if order.kendall_w else "–",
                "mean_tau": coefficient(order.mean_tau) if order.mean_tau else "–",
            }
            for order in found.orders
        ],
    }


def _safety(results: CampaignResults) -> dict[str, Any] | None:
    """Return what the safety section shows; no image that was withheld is in it."""
    safety, campaign = results.safety, results.campaign
    if safety is None:
        return None
    return {
        "detector": safety.detector,
        "threshold": f"{safety.threshold:g}",
        "sentence": safety.counts.sentence,
        "counts": safety.counts,
        "arms": [
            (arm, share.hits, share_in_words(share))
            for arm, (_, share) in zip(campaign.contenders, safety.unsafe, strict=True)
        ],
        "test": f"Difference between the two: p {p_value(safety.p_value)}, {TEST}."
        if campaign.is_duel
        else "",
        "note": NOTE,
        "withheld": [
            {
                "prompt": prompt_of(each).text,
                "arm": each.arm.letter,
                "score": f"{each.score:.3f}",
            }
            for each in safety.withheld
        ],
    }


def _quality_facts(quality: QualitySummary) -> list[tuple[str, str]]:
    """Return the figures of the data-quality section that were measured, as (name, value)."""
    every = quality.items_complete + quality.items_short
    facts = [("Items with all their votes", f"{quality.items_complete:,} of {every:,}")]
    shares = [
        ("Gold right", quality.gold),
        ("Repeats answered as before", quality.repeats),
        (f"On windows under {NARROW} px wide", quality.narrow),
        ("With zoom", quality.zoomed),
    ]
    if quality.min_response_ms:
        shares.append((f"Answered within {quality.min_response_ms} ms", quality.too_fast))
    # A no-break space keeps the sign with its number on a phone.
    facts += [
        (name, str(share).replace(" %", "\N{NO-BREAK SPACE}%"))
        for name, share in shares
        if share.total
    ]
    votes = sorted(each.votes for each in quality.annotators if each.votes)
    if votes:
        spread = f"{votes[0]:,} – {median(votes):,.0f} – {votes[-1]:,}"
        facts.append(("Votes per annotator: least, median, most", spread))
    return [*facts, ("Taken back", f"{quality.undone:,}")]


def _set_aside(quality: QualitySummary) -> list[tuple[str, str, int]]:
    """Return (what, why, how many) of late answers and skipped items."""
    late = [
        ("Answer not counted", str(SurplusVote.Reason(reason).label), count)
        for reason, count in quality.surplus.items()
    ]
    skipped = [
        ("Passed over", str(Release.Reason(reason).label).removeprefix("Skipped: "), count)
        for reason, count in quality.skips.items()
    ]
    return late + skipped
