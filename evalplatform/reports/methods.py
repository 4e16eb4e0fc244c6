"""The methods paragraphs of a paper, generated from the frozen protocol and the results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalplatform.campaigns.models import Arm, Campaign, Criterion
from evalplatform.campaigns.sample_faults import frozen_faults
from evalplatform.core.words import counted
from evalplatform.reports.conditions import (
    delivery_in_words,
    filter_in_words,
    imported_arms,
    layout_in_words,
    origin_in_words,
    pay_in_words,
    sampled_arms,
)
from evalplatform.reports.deviations import excluded_by_hand
from evalplatform.reports.result_types import CampaignResults

# By key in the paper pack's references.bib, as a text without a list of works names them.
WORKS = {
    "krippendorff2018content": "Krippendorff 2018",
    "holm1979simple": "Holm 1979",
    "bradley1952rank": "Bradley and Terry 1952",
    "davidson1970extending": "Davidson 1970",
}
_QUALITY = (
    ("exclude_gold_below", "fewer than {:.0%} of gold items right"),
    ("exclude_repeats_below", "fewer than {:.0%} of repeats answered as before"),
    ("exclude_too_fast_above", "more than {:.0%} of answers too fast"),
    ("exclude_same_side_above", "more than {:.0%} of answers on one side"),
)


class PlainWording:
    """How sentences are set: as plain text here, as LaTeX in a paper pack."""

    gap = " "  # between a number and its unit
    alpha = "α"

    def text(self, said: object) -> str:
        """Return somebody's words as they are to be read."""
        return " ".join(str(said).split())

    def digest(self, sha256: str) -> str:
        """Return the beginning of a hash."""
        return f"SHA-256 {sha256[:12]}…"

    def emphasis(self, said: str) -> str:
        return self.text(said)

    def strong(self, said: str) -> str:
        return self.text(said)

    def quoted(self, said: str) -> str:
        return f"“{self.text(said)}”"

    def equation(self, said: str) -> str:
        return said

    def percent(self, value: float) -> str:
        """Return per cent of a number in [0, 100]."""
        return f"{value:g}{self.gap}%"

    def cited(self, what: str, *works: str) -> str:
        """Return words with the works they rest on, by their keys in references.bib."""
        return f"{what} ({'; '.join(WORKS[each] for each in works)})"


def methods(results: CampaignResults, wording: PlainWording) -> str:
    """Return paragraphs; each sentence rests on the protocol or on a count."""
    campaign = results.campaign
    paragraphs = [
        " ".join(_design(campaign, wording)),
        " ".join(_questions(campaign, wording)),
        " ".join(_people(results, wording)),
        " ".join(_analysis(results, wording)),
    ]
    notes = [results.simulated_stamp, results.imported_stamp]
    stamped = [wording.strong(each) for each in notes if each]
    return "\n\n".join([*stamped, *(each for each in paragraphs if each)]) + "\n"


def _design(campaign: Campaign, wording: PlainWording) -> Iterator[str]:
    protocol = campaign.protocol or {}
    text = wording.text
    arms = "; ".join(_arm(arm, wording) for arm in campaign.contenders)
    yield f"We compared {len(campaign.contenders)} arms ({arms})."
    for each in protocol.get("prompt_sets", []):
        name, digest = text(each["name"]), wording.digest(each["sha256"])
        yield f"Prompts came from {name}, version {each['version']} ({digest})."
    if campaign.prompt_filter:
        yield f"Of them those were taken that meet {text(filter_in_words(campaign))}."
    if campaign.prompts_per_set:
        yield f"Of each set a seeded random {campaign.prompts_per_set:,} were taken."
    yield from _samples(campaign, wording)
    if any(criterion.shape.most > 1 for criterion in campaign.criteria.all()):
        yield f"Who meets whom: {text(campaign.design)}."
    rules: dict[str, Any] = protocol.get("rules", {})
    if "image_order" in rules:
        yield f"Places of the images were {text(rules['image_order'])}."
    if "shown_size" in rules:
        yield f"For display, {text(rules['shown_size'])}."
    layout, delivery = layout_in_words(campaign), delivery_in_words(campaign)
    if layout and delivery:
        yield f"The page showed {text(layout)}; images were sent as {text(delivery)}."
    if not campaign.imported_from:
        yield "Annotators were not told which arm made an image."
    amendments = protocol.get("amendments", [])
    hashes = [each["protocol_sha256_before"] for each in amendments] + [campaign.protocol_sha256]
    yield f"The protocol was frozen before the first vote ({wording.digest(hashes[0])})."
    if amendments:
        joined = ", ".join(text(each["arm"]["name"]) for each in amendments)
        yield f"Later it was amended as arms joined: {joined} ({wording.digest(hashes[-1])})."


def _arm(arm: Arm, wording: PlainWording) -> str:
    origin = wording.text(origin_in_words(arm))
    known = "; ".join(filter(None, (origin, wording.digest(arm.sha256) if arm.sha256 else "")))
    return f"{arm.letter} = {wording.text(arm.name)}" + (f" ({known})" if known else "")


def _samples(campaign: Campaign, wording: PlainWording) -> Iterator[str]:
    """Where the images came from; nothing is said of how imported ones were made or chosen."""
    text = wording.text
    settings = (campaign.protocol or {}).get("sampler_settings")
    made, brought = sampled_arms(campaign), imported_arms(campaign)
    count = campaign.images_per_prompt
    how_many = "one image" if count == 1 else f"{count} images"
    if settings and made:
        told = ", ".join(f"{text(name)} {text(value)}" for name, value in settings.items()
                         if value not in (None, ""))  # fmt: skip
        who = f"each of {', '.join(made)}" if brought else "each arm"
        yield f"Of every prompt {who} made {how_many}, none selected by hand ({told})."
    if brought:
        whose = f"of {', '.join(brought)}" if made else "of every arm"
        yield (
            f"The images {whose} existed already and were imported, {how_many} of every prompt; "
            "how they were made and chosen was not recorded."
        )
    yield from _faults(campaign, wording)


def _faults(campaign: Campaign, wording: PlainWording) -> Iterator[str]:
    """What of the images annotators were shown was let through though it was counted as faulty."""
    faults = frozen_faults(campaign)
    if faults is None:
        return
    cut = [
        f"{each.prompts_cut:,} of {each.prompts_cut + each.prompts_read_in_full:,} for {letter}"
        for letter, each in faults.by_letter
        if each.prompts_cut
    ]
    if cut:
        yield f"Text encoders cut prompts that were longer than they read: {', '.join(cut)}."
    plain = [
        f"{each.of_one_colour:,} of {each.images:,} of {letter}"
        for letter, each in faults.by_letter
        if each.of_one_colour
    ]
    if plain:
        yield f"Images of one colour were shown: {', '.join(plain)}."
    if faults.identical:
        yield f"{faults.identical:,} of {faults.sets:,} sets showed the same image twice."


def _questions(campaign: Campaign, wording: PlainWording) -> Iterator[str]:
    for each in campaign.criteria.all():
        shown = "was shown" if each.shows_prompt else "was hidden"
        yield (
            f"For {wording.emphasis(each.label)} annotators were asked "
            f"{wording.quoted(each.question)} ({_answers(each, wording)}); the prompt {shown}; "
            f"{wording.equation(f'k = {each.k}')} votes per item."
        )


def _answers(criterion: Criterion, wording: PlainWording) -> str:
    shape = criterion.shape
    if shape.most == 1:
        return f"form {wording.text(shape.label)}: {wording.text(', '.join(shape.buttons))}"
    if shape.most == 2:
        return f"pairs; answers {wording.text(', '.join(shape.buttons))}"
    return f"rankings of {shape.least} to {shape.most} images, ties allowed"


def _people(results: CampaignResults, wording: PlainWording) -> Iterator[str]:
    quality, completeness = results.quality, results.completeness
    yield (
        f"{counted(results.n_annotators, 'annotator')} cast {results.n_votes:,} "
        f"{'vote that counts' if results.n_votes == 1 else 'votes that count'} on "
        f"{counted(completeness.items, 'item')} of {counted(results.n_prompts, 'prompt')} "
        f"({completeness.votes:,} of {completeness.votes_wanted:,} wanted)."
    )
    if len(results.languages) > 1:
        told = ", ".join(each.in_words for each in results.languages)
        yield f"They read the question in {wording.text(told)}."
    if results.shown_sizes:
        yield f"Images were shown at {wording.text(results.shown_sizes.in_words)}."
    pay = pay_in_words(results.campaign)
    if pay:
        yield f"Pay, fixed before the first vote: {wording.text(pay)}."
    rules = results.campaign.checked_rules.quality
    if quality.gold.total:
        yield f"Gold items were answered right in {wording.text(quality.gold)} cases."
    if quality.repeats.total:
        yield f"Repeats were answered as before in {wording.text(quality.repeats)} cases."
    fixed = [
        said.format(getattr(rules, name))
        for name, said in _QUALITY
        if getattr(rules, name) is not None
    ]
    if fixed:
        told = wording.text("; ".join(fixed))
        yield f"Rules fixed before the first vote excluded annotators with {told}."
    yield _excluded(results)
    if results.median_response_ms is not None:
        seconds = f"{results.median_response_ms / 1000:.1f}{wording.gap}s"
        yield f"The median time of an answer was {seconds}."


def _excluded(results: CampaignResults) -> str:
    """Who was excluded, and who of them for a reason that was not fixed before."""
    excluded = sum(1 for each in results.quality.annotators if each.excluded_by)
    if not excluded:
        return "No annotator was excluded."
    who = "1 annotator was" if excluded == 1 else f"{excluded:,} annotators were"
    votes = counted(results.quality.excluded_votes, "vote")
    by_hand = excluded_by_hand(results)
    decided = f", {by_hand:,} of them by hand, by no rule fixed beforehand" if by_hand else ""
    return f"{who} excluded{decided} ({votes})."


def _analysis(results: CampaignResults, wording: PlainWording) -> Iterator[str]:
    holm = wording.cited("Holm's procedure", "holm1979simple")
    if results.groups:
        net = results.groups[0].rates.net
        yield (
            "The net preference is the share of votes for A less that for B; ties count as neither."
        )
        yield from _intervals(net.level, net.method, wording)
    if results.galleries:
        ranking = results.galleries[0].ranking
        model = wording.cited(
            f"a {wording.text('Bradley–Terry')} model with ties after Davidson",
            "bradley1952rank", "davidson1970extending",
        )  # fmt: skip
        yield f"Strengths come from {model}; ranks hold for all arms at once."
        yield from _intervals(ranking.level, ranking.method, wording)
        yield (
            "The net of two arms is the share of their comparisons that the first won less that "
            f"it lost; {wording.equation('p')}-values of all pairs are adjusted by {holm}."
        )
    if results.gradings:
        ratings = results.gradings[0].ratings
        yield (
            "Single images are compared by their mean grade, whose steps are taken as equal; ranks "
            "hold for all arms at once."
        )
        yield from _intervals(ratings.level, ratings.method, wording)
    if results.groups or results.galleries or results.gradings:
        alpha = wording.cited(f"Krippendorff's {wording.alpha}", "krippendorff2018content")
        yield (
            f"Agreement is {alpha}; groups of prompts are exploratory, their "
            f"{wording.equation('p')}-values adjusted by {holm}."
        )


def _intervals(level: float, method: str, wording: PlainWording) -> Iterator[str]:
    if method != "none":
        yield f"{wording.percent(100 * level)} intervals: {wording.text(method)}."
