"""The reporting checklist of human evaluation, filled from the database; missing is missing.

Its items are those that the literature asks for (Otani et al. 2023, ITU-T P.910, HEIM).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evalplatform.annotation.models import CrowdVisit
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.core.words import counted
from evalplatform.exports.documents.card import marked_down
from evalplatform.exports.paper.latex import latex
from evalplatform.reports.conditions import (
    delivery_in_words,
    filter_in_words,
    imported_arms,
    layout_in_words,
    origin_in_words,
    pay_in_words,
    sampled_arms,
)
from evalplatform.reports.deviations import deviations
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.pay import pay_summary
from evalplatform.reports.result_types import CampaignResults


@dataclass(frozen=True)
class Reply:
    """One item: what is known, or None where only a person can say."""

    section: str
    item: str
    known: str | None


def checklist(results: CampaignResults, *, consent: str, licence: str) -> list[Reply]:
    """Return every item with what the platform knows of it; nothing is guessed."""
    return [
        *_question(results),
        *_material(results),
        *_setting(results),
        *_people(results, consent),
        *_checks(results),
        *_analysis(results),
        *_release(results, licence),
    ]


_DESIGN = "Design"


def _question(results: CampaignResults) -> Iterator[Reply]:
    """What people were asked."""
    campaign, of = results.campaign, _DESIGN
    criteria = list(campaign.criteria.all())
    yield Reply(
        of,
        "Exact question of each criterion",
        "; ".join(f"{each.label}: {each.question}" for each in criteria),
    )
    yield Reply(
        of,
        "Answers offered, and the tie rule",
        "; ".join(
            f"{each.slug}: {', '.join(each.shape.buttons) or each.form}" for each in criteria
        ),
    )
    yield Reply(of, "Screenshot of the page", None)
    yield Reply(
        of,
        "Criteria asked apart; prompt shown or hidden",
        "; ".join(
            f"{each.slug}: {'shown' if each.shows_prompt else 'hidden'}" for each in criteria
        ),
    )


def _material(results: CampaignResults) -> Iterator[Reply]:
    """Of which prompts and models, and how their images were made."""
    campaign, of = results.campaign, _DESIGN
    protocol = campaign.protocol or {}
    sets = protocol.get("prompt_sets") or []
    yield Reply(
        of,
        "Prompt sets with version and hash",
        "; ".join(f"{each['name']}@{each['version']} {each['sha256'][:12]}" for each in sets)
        or None,
    )
    yield Reply(
        of,
        "How prompts were sampled",
        f"seeded random {campaign.prompts_per_set:,} of each set"
        if campaign.prompts_per_set
        else None
        if campaign.imported_from
        else "every prompt",
    )
    yield Reply(of, "Filter of prompts", filter_in_words(campaign))
    yield Reply(
        of,
        "Images per prompt, and no selection by hand",
        _of_samples(campaign, f"{campaign.images_per_prompt}, as sampled with frozen seeds"),
    )
    yield Reply(
        of,
        "Models with the hash of their weights, or of their images",
        "; ".join(_arm(arm) for arm in campaign.contenders if arm.sha256) or None,
    )
    settings = protocol.get("sampler_settings") or {}
    told = ", ".join(f"{name} {said}" for name, said in settings.items() if said not in (None, ""))
    yield Reply(of, "Sampler, steps, guidance, resolution", _of_samples(campaign, told))


def _of_samples(campaign: Campaign, known: str) -> str | None:
    """Return what is known of samples, and of which arms it is not: their images were imported."""
    made, brought = sampled_arms(campaign), imported_arms(campaign)
    if not made:
        return None
    if not brought:
        return known or None
    return f"{', '.join(made)}: {known}; {', '.join(brought)}: imported, only their maker can say"


def _arm(arm: Arm) -> str:
    origin = origin_in_words(arm)
    return f"{arm.letter} = {arm.name}{f' ({origin})' if origin else ''} {arm.sha256[:12]}"


def _setting(results: CampaignResults) -> Iterator[Reply]:
    """How the images were shown, and to how many."""
    campaign, of = results.campaign, _DESIGN
    rules = (campaign.protocol or {}).get("rules") or {}
    sizes = results.shown_sizes
    yield Reply(of, "Displayed size, by the protocol", rules.get("shown_size"))
    yield Reply(of, "Displayed size, as measured", sizes.in_words if sizes else None)
    yield Reply(of, "Layout of the page", layout_in_words(campaign))
    yield Reply(of, "Delivery: as which files images were sent", delivery_in_words(campaign))
    yield Reply(
        of,
        "Comparison design, and k",
        f"{_met(campaign)}; "
        + ", ".join(f"{each.slug}: k = {each.k}" for each in campaign.criteria.all()),
    )
    yield Reply(of, "Balance of sides", rules.get("image_order"))
    yield Reply(of, "Blinding", None if campaign.imported_from
                 else "annotators receive nothing that names an arm")  # fmt: skip


def _met(campaign: Campaign) -> str:
    """Who meets whom; a design is stored where single images are judged, too."""
    compares = any(each.shape.most > 1 for each in campaign.criteria.all())
    return campaign.design if compares else "single images"


def _people(results: CampaignResults, consent: str) -> Iterator[Reply]:
    of, campaign = "People", results.campaign
    platforms = sorted(
        set(
            CrowdVisit.objects.filter(enrolment__campaign=campaign).values_list(
                "platform", flat=True
            )
        )
    )
    yield Reply(
        of,
        "Where annotators came from",
        ", ".join(platforms) or f"door: {campaign.checked_rules.annotation.door}"
        if not campaign.imported_from
        else None,
    )
    enrolled = len(results.quality.annotators)
    excluded = sum(1 for each in results.quality.annotators if each.excluded_by)
    yield Reply(
        of, "Number recruited and excluded", f"{enrolled:,} enrolled, {excluded:,} excluded"
    )
    yield Reply(of, "Language in which the question was read", _languages(results))
    yield Reply(of, "Locale of annotators", None)
    yield Reply(of, "Consent", consent or None)
    yield Reply(of, "Approval by an ethics board", None)
    yield Reply(of, "Pay per item, and hourly wage", _pay(campaign))
    median = results.median_response_ms
    yield Reply(of, "Median time per item", None if median is None else f"{median / 1000:.1f} s")
    votes = sorted(each.votes for each in results.quality.annotators if not each.excluded_by)
    yield Reply(
        of,
        "Votes per annotator",
        f"min {votes[0]:,}, median {votes[len(votes) // 2]:,}, max {votes[-1]:,}"
        if votes
        else None,
    )
    narrow = results.quality.narrow
    yield Reply(of, "Screens", f"narrower than 600 CSS px: {narrow}" if narrow.total else None)
    yield Reply(of, "Test of vision and colour", None)  # fmt: skip


def _languages(results: CampaignResults) -> str | None:
    known = [each for each in results.languages if each.language]
    return ", ".join(each.in_words for each in known) or None


def _pay(campaign: Campaign) -> str | None:
    """What the rules say, and what it came to an hour."""
    said = pay_in_words(campaign)
    if said is None:
        return None
    summary = pay_summary(campaign)
    if summary.implied_wage is None:
        return said
    return (
        f"{said}; came to {summary.implied_wage:.2f} {summary.currency} an hour at the median of "
        f"{summary.median_seconds:.1f} s"
    )


def _checks(results: CampaignResults) -> Iterator[Reply]:
    of, quality = "Quality control", results.quality
    yield Reply(
        of,
        "Gold items and their accuracy",
        f"right: {quality.gold}" if quality.gold.total else "none answered",
    )
    rules = results.campaign.checked_rules.quality
    told = {
        name: value
        for name, value in rules.model_dump().items()
        if name.startswith("exclude_") and name.endswith(("below", "above")) and value is not None
    }
    yield Reply(
        of,
        "Rules of exclusion, fixed before the first vote",
        ", ".join(f"{name} {value}" for name, value in told.items()) or "none",
    )
    excluded = (  # once, however many arms have a figure of these votes
        f"{each.criterion}, {each.prompts}: {counted(each.votes, 'vote')} excluded"
        for each in results.with_excluded
    )
    with_and_without = "; ".join(dict.fromkeys(excluded))
    yield Reply(
        of,
        "Result with and without the excluded",
        with_and_without or "nobody was excluded, or their votes were replaced",
    )
    yield Reply(
        of,
        "Repeats answered as before",
        str(quality.repeats) if quality.repeats.total else "none answered",
    )
    bias = results.side_bias
    yield Reply(of, "Side bias", None if bias is None or bias.left.value is None
                 else f"left chosen in {100 * bias.left.value:.1f} % of decided votes")  # fmt: skip


def _analysis(results: CampaignResults) -> Iterator[Reply]:
    of, done = "Analysis", results.completeness
    yield Reply(
        of,
        "Prompts, items, votes; exactly k",
        f"{counted(results.n_prompts, 'prompt')}, {counted(done.items, 'item')}, "
        f"{done.votes:,} of {counted(done.votes_wanted, 'vote')}; "
        f"{counted(results.quality.items_short, 'item')} with fewer than k; "
        f"{counted(done.surplus_votes, 'late answer')}, not counted",
    )
    yield Reply(of, "Win, tie, lose with intervals; method", "; ".join(_estimates(results)) or None)
    yield Reply(
        of,
        "Agreement",
        "; ".join(_alphas(results)) or None,
    )
    yield Reply(
        of,
        "Test, and control of many comparisons",
        "; ".join(_tests(results)) or None,
    )
    yield Reply(of, "Power, planned before launch", None)
    yield Reply(of, "More than two models: ranks and what decides them",
                 "in results.json: galleries" if results.galleries else "two models"
                 if results.campaign.is_duel else None)  # fmt: skip


def _estimates(results: CampaignResults) -> Iterator[str]:
    """How each kind of estimate and its interval were made."""
    level = f"{100 * results.level:g} %"
    for group in results.groups[:1]:
        yield f"win, tie, lose and net with {level} intervals: {group.rates.net.method}"
    for gallery in results.galleries[:1]:
        yield f"strengths with {level} intervals: {gallery.ranking.method}"
    for grading in results.gradings[:1]:
        yield f"mean grades with {level} intervals: {grading.ratings.method}"


def _tests(results: CampaignResults) -> Iterator[str]:
    if results.groups:
        yield "two-way clustered t test; groups by Holm"
    if results.galleries:
        yield "two-way clustered t test of each two arms; pairs and groups by Holm"
    if results.galleries or results.gradings:
        yield "ranks hold for all arms at once"


def _alphas(results: CampaignResults) -> Iterator[str]:
    """Krippendorff's alpha of each criterion on all its prompts, where it is defined."""
    for group in results.groups:
        if not group.depth and group.agreement.alpha.value is not None:
            yield f"{group.criterion}: alpha {group.agreement.alpha.value:.2f}"
    others: list[GalleryResult | GradeResult] = [*results.galleries, *results.gradings]
    for found in others:
        for each in found.agreement:
            if not found.depth and each.alpha.value is not None:
                yield f"{found.criterion}: alpha {each.alpha.value:.2f}"


def _release(results: CampaignResults, licence: str) -> Iterator[Reply]:
    of, campaign = "Release", results.campaign
    yield Reply(of, "Votes, one by one, under pseudonyms", "export --as parquet")
    yield Reply(of, "Code of the analysis", f"evalplatform {results.code_version}")
    yield Reply(of, "Licence", licence or None)
    known = "; ".join(deviations(results))
    yield Reply(
        of,
        "Deviations from the protocol",
        f"{known}; add those that happened outside of the platform" if known else None,
    )
    opened = campaign.opened_at.date().isoformat() if campaign.opened_at else None
    closed = campaign.closed_at.date().isoformat() if campaign.closed_at else "still open"
    yield Reply(of, "Dates", f"opened {opened}, {closed}" if opened else None)
    yield Reply(
        of, "Hash of the protocol", f"{campaign.protocol_sha256[:16]} (whole: export.json)"
    )  # fmt: skip


def as_latex(answers: list[Reply]) -> str:
    """Return the checklist as a long table; what is missing stands out."""
    lines = [r"\begin{longtable}{@{}p{.34\linewidth}p{.6\linewidth}@{}}", r"\toprule"]
    section = ""
    for each in answers:
        if each.section != section:
            section = each.section
            lines.append(rf"\multicolumn{{2}}{{@{{}}l}}{{\textbf{{{latex(section)}}}}} \\")
        known = latex(each.known) if each.known else r"\textbf{missing}"
        lines.append(rf"{latex(each.item)} & {known} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{longtable}", ""])


def as_markdown(answers: list[Reply]) -> str:
    """Return the same for people who write no LaTeX."""
    lines, section = ["# Reporting checklist"], ""
    for each in answers:
        if each.section != section:
            section = each.section
            lines += ["", f"## {section}", ""]
        mark = "x" if each.known else " "
        known = marked_down(each.known) if each.known else "**missing**"
        lines.append(f"- [{mark}] {each.item}: {known}")
    return "\n".join(lines) + "\n"
