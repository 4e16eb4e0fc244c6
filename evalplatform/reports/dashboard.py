"""The dashboard as one HTML page: on the site, or as a file that opens offline."""

from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.template.loader import render_to_string

from evalplatform.annotation.models import Release, SurplusVote
from evalplatform.campaigns.forms import Form, form_named
from evalplatform.campaigns.models import Campaign, arm_letter
from evalplatform.campaigns.rules import Start
from evalplatform.quality.summary import NARROW, QualitySummary
from evalplatform.reports.answers import answers, few_annotators
from evalplatform.reports.cells import (
    coefficient,
    early_net,
    p_value,
    percent,
    percent_interval,
    percent_of,
    ring_cells,
)
from evalplatform.reports.figures import all_figures
from evalplatform.reports.gallery_page import gallery_context, grading_context
from evalplatform.reports.result_types import CampaignResults, CriterionOrder
from evalplatform.reports.safety import NOTE, TEST, prompt_of, share_in_words
from evalplatform.reports.samples import samples_context
from evalplatform.reports.sets_on_page import first_sets
from evalplatform.reports.table import NOT_EXCLUDED, UNTESTED, complete
from evalplatform.stats import EarlyLook, Estimate, Verdicts
from evalplatform.stats.pairs.sequential import ASSUMES


def dashboard_context(results: CampaignResults, *, offline: bool = False) -> dict[str, Any]:
    """Return what `reports/_dashboard.html` shows."""
    figures = all_figures(results)
    return {
        "results": results,
        "campaign": results.campaign,
        "completeness": results.completeness,
        "stamp": results.simulated_stamp,
        "imported": results.imported_stamp,
        "answers": answers(results),
        "asked": _asked(results.campaign),
        "frozen_arms": [
            arm | {"letter": arm_letter(arm["place"])}
            for arm in (results.campaign.protocol or {}).get("arms", [])
        ],
        "rows": [_row(group) for group in results.groups],
        "galleries": gallery_context(results, figures),
        "gradings": grading_context(results),
        "exploratory": _exploratory(results),
        "side_bias": percent(results.side_bias.left) if results.side_bias else None,
        "order_effects": [_order_effect(each) for each in results.order_effects],
        "has_own_starts": results.campaign.checked_rules.annotation.start is Start.OWN,
        "quality": results.quality,
        "samples": samples_context(results.campaign),
        "safety": _safety(results),
        "early_looks": _early_looks(results),
        "early_assumes": ASSUMES,
        "few_annotators": few_annotators(results),
        "untested": UNTESTED,
        "people": [
            (each, results.profiles.get(each.pseudonym)) for each in results.quality.annotators
        ],
        "quality_facts": _quality_facts(results.quality),
        "set_aside": _set_aside(results.quality),
        "with_excluded": _with_excluded(results),
        "rings": results.rings.rings,
        "without_rings": [
            (each.criterion_label, each.prompts, *ring_cells(each), f"{each.votes_fewer:,}")
            for each in results.without_rings
        ],
        "not_excluded": NOT_EXCLUDED,
        "sets": first_sets(results.campaign, offline=offline),
        "figures": figures,
        "drawn": {name.removeprefix("figure-"): True for name in figures},
        "why_no_interval": results.groups[0].rates.net.reason if results.groups else "",
    }


def _exploratory(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": each.criterion_label,
            "kind": each.test.kind,
            "name": each.test.name,
            "n": each.test.rates.tally.total,
            "net": percent(each.test.rates.net, signed=True),
            "p": p_value(each.test.p_value),
            "p_holm": p_value(each.test.p_holm),
            "untested": each.test.reason,
        }
        for each in results.categories
    ]


def _early_looks(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": each.criterion_label,
            "n": each.look.sequence.n_prompts,
            "net": early_net(each.look.sequence),
            "says": _what_it_says(each.look),
        }
        for each in results.early_looks
    ]


def _with_excluded(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": each.criterion_label,
            "prompts": each.prompts,
            "without": percent(each.without, signed=True) if each.without else "–",
            "with_excluded": percent(each.with_excluded, signed=True),
            "votes": each.votes_excluded,
        }
        for each in results.with_excluded
    ]


def _order_effect(found: CriterionOrder) -> dict[str, str]:
    effect, net = found.effect, found.effect.net
    return {
        "criterion": found.criterion_label,
        "first": percent(net.first, signed=True),
        "second": percent(net.second, signed=True),
        "difference": percent_interval(net.value, net.low, net.high, net.state, signed=True),
        "p": p_value(net.p_value),
        "ties_first": percent(effect.ties_first),
        "ties_second": percent(effect.ties_second),
    }


def _asked(campaign: Campaign) -> list[dict[str, Any]]:
    """The criteria as the protocol froze them, with the answers that each offers in words."""
    asked = (campaign.protocol or {}).get("criteria", [])
    return [each | {"answers": _offered(form_named(each["form"]))} for each in asked]


def _offered(form: Form) -> str:
    return f"answers {', '.join(form.buttons)}" if form.buttons else form.label


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


def _what_it_says(look: EarlyLook) -> str:
    """Return what an early look may say: of these annotators, and only with reason of others."""
    sequence = look.sequence
    if sequence.low is None or sequence.high is None:
        return sequence.reason
    if not sequence.decided:
        return "no preference shown yet"
    leader = "A" if sequence.low > 0.0 else "B"
    if look.is_claim:
        return f"{leader} preferred"
    return f"these annotators prefer {leader}; {look.reason}"


def _cell(estimate: Estimate, *, signed: bool = False) -> str:
    """Return an estimate for a table: on a phone it breaks before its interval, not within."""
    return percent(estimate, signed=signed).replace(", ", ",\N{NO-BREAK SPACE}")


def _verdict_cells(verdicts: Verdicts) -> dict[str, str]:
    parts = ("win", "tie", "no_majority", "lose")
    if not verdicts.tally.total:
        return dict.fromkeys(parts, "–")
    return {part: _cell(getattr(verdicts, part)) for part in parts}


def _row(group: Any) -> dict[str, Any]:
    agreement = group.agreement
    return {
        "criterion": group.criterion_label,
        "prompts": group.prompts,
        "depth": group.depth,
        "k": group.k,
        "votes": {part: _cell(getattr(group.rates, part)) for part in ("win", "tie", "lose")},
        "votes_n": group.rates.tally.total,
        "net": _cell(group.rates.net, signed=True),
        "p": p_value(group.test.p_value),
        "design_effect": group.rates.net.design_effect,
        "verdicts": _verdict_cells(group.verdicts),
        "verdicts_n": complete(group.verdicts),
        "verdicts_net": (
            _cell(group.verdicts.net, signed=True) if group.verdicts.tally.total else "–"
        ),
        "percent_agreement": percent_of(agreement.percent),
        "alpha": coefficient(agreement.alpha),
        "alpha_ordinal": coefficient(agreement.alpha_ordinal),
        "gwet_ac1": coefficient(agreement.gwet_ac1),
        "method": group.rates.win.method,
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


def offline_dashboard(results: CampaignResults) -> str:
    """Return the dashboard as one HTML file with everything inside: no server, no network."""
    static = Path(settings.BASE_DIR) / "static"
    context = dashboard_context(results, offline=True) | {
        "icon": "data:image/svg+xml," + quote((static / "icon.svg").read_text()),
        "css": (static / "css/site.css").read_text() + (static / "css/dashboard.css").read_text(),
        "dashboard_js": (static / "js/dashboard.js").read_text(),
        "plotly_js": (static / "vendor/plotly/plotly-basic.min.js").read_text(),
    }
    return render_to_string("reports/dashboard_offline.html", context)
