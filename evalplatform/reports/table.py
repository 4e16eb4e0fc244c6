"""The win / tie / lose table as text."""

import io

from rich.console import Console

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.sample_faults import READ_RULE, frozen_faults
from evalplatform.campaigns.transparent_arms import ground_caution
from evalplatform.core.words import counted
from evalplatform.quality.summary import QualitySummary
from evalplatform.reports.answers import answers, few_annotators
from evalplatform.reports.cells import (
    coefficient,
    early_net,
    other_votes_cells,
    p_value,
    percent,
    percent_interval,
    stacked,
    text_table,
)
from evalplatform.reports.conditions import imported_arms, origin_in_words
from evalplatform.reports.criteria_beside import (
    DEFINITION,
    CriteriaPair,
    orders_beside,
    turned_orders,
)
from evalplatform.reports.gallery_table import print_orders
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.safety import NOTE, TEST, share_in_words
from evalplatform.reports.serve_order import serve_order_in_words
from evalplatform.stats import Verdicts
from evalplatform.stats.pairs.groups import FEWEST_PROMPTS
from evalplatform.stats.pairs.sequential import ASSUMES

WIDTH = 120
NARROWEST = 80  # below, numbers would be folded in their middle
INDENT = "  "  # of a part below what it is part of
FOOTNOTE = (
    "Brackets: 95 % intervals for other prompts judged by other annotators. Votes: two-way "
    "clustered by prompt and annotator. Verdicts: what more than half of an item's votes say, "
    "once it has all of them; no majority: they are divided. p: two-way clustered test of net = 0."
)
GROUPS_FOOTNOTE = (
    "By category and challenge: exploratory. Holm p: adjusted for all groups of the criterion; "
    "claim a preference by it. Intervals are for each group alone."
)


NOT_EXCLUDED = (
    "Their votes count in all other figures. A ring is a reason to look, no proof: who should not "
    "count is excluded by hand (review_annotators)."
)
UNTESTED = (
    f"Groups of fewer than {FEWEST_PROMPTS} prompts have no p: they speak of those prompts alone."
)


def results_table(results: CampaignResults, *, width: int = WIDTH) -> str:
    """Return the results as tables of plain text, at most `width` columns wide.

    What does not fit is wrapped, never cut: a p-value without its end is another p-value.
    """
    campaign = results.campaign
    console = Console(file=io.StringIO(), width=max(width, NARROWEST), color_system=None)
    if results.is_simulated:
        console.print(results.simulated_stamp, style="bold")
    if results.imported_stamp:
        console.print(results.imported_stamp, style="bold", markup=False)
    for arm in campaign.contenders:
        origin = origin_in_words(arm)
        known = f" ({origin})" if origin else ""
        console.print(f"{arm.letter} = {arm.name}{known}", markup=False)
    counts, people = results.completeness, results.n_annotators
    console.print(
        f"{counts.votes:,} of {counts.votes_wanted:,} votes on {counted(counts.items, 'item')} "
        f"by {people:,} annotator{'' if people == 1 else 's'}"
    )
    for answer in answers(results):
        console.print(f"{answer.criterion_label}: {answer.sentence}")
    caution = few_annotators(results)
    if caution:
        console.print(caution)
    if results.why_no_answer:
        console.print(results.why_no_answer)
    if results.groups:
        _print_duels(console, results)
    print_orders(console, results)
    _print_consensus(console, results)
    for line in serve_order_in_words(results):
        console.print(f"Order of showing, {line}", markup=False)
    _print_early_looks(console, results)
    _print_categories(console, results)
    _print_beside(console, results)
    _print_exclusions(console, results)
    _print_rings(console, results)
    _print_samples(console, results.campaign)
    _print_safety(console, results)
    _print_quality(console, results.quality)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def _print_duels(console: Console, results: CampaignResults) -> None:
    """Print win, tie and lose of two arms at vote level and at verdict level."""
    table = text_table(
        ("criterion\nprompts", "level"),
        ("n", "A wins %", "tie %", "no ma-\njority %", "B wins %", "net %", "p"),
    )
    for group in results.groups:
        rates, verdicts = group.rates, group.verdicts
        name = f"{group.criterion_label}\n{INDENT * group.depth}{group.prompts}"
        table.add_row(
            name, "votes", f"{rates.tally.total:,}",
            stacked(rates.win), stacked(rates.tie), "", stacked(rates.lose),
            stacked(rates.net, signed=True), p_value(group.test.p_value),
        )  # fmt: skip
        table.add_row(
            "", "verdicts", complete(verdicts), *_verdict_cells(verdicts), "", end_section=True,
        )  # fmt: skip
    console.print(table)
    console.print(FOOTNOTE)
    for reason in dict.fromkeys(group.rates.net.reason for group in results.groups):
        if reason:
            console.print(f"[–]: no interval. {reason}", markup=False)


def complete(verdicts: Verdicts) -> str:
    """Return how many items have all their votes, of how many while some have not."""
    total = f"{verdicts.tally.total:,}"
    if verdicts.n_incomplete:
        total += f" of {verdicts.tally.total + verdicts.n_incomplete:,}"
    return total


def _verdict_cells(verdicts: Verdicts) -> list[str]:
    if not verdicts.tally.total:
        return [""] * 5
    shares = (verdicts.win, verdicts.tie, verdicts.no_majority, verdicts.lose)
    return [*(stacked(share) for share in shares), stacked(verdicts.net, signed=True)]


def _print_consensus(console: Console, results: CampaignResults) -> None:
    """Print how often one person sides with the rest, and how alike people's orders are."""
    for each in results.consensus:
        found = each.one_person
        said = f"{percent(found.agreement)} %" if found.agreement else "– (nobody to compare with)"
        line = (
            f"One person against the rest, {each.criterion_label}: {said} of "
            f"{found.n_compared:,} judgements of two images; ties {percent(found.tie_share)} %"
        )
        for order in each.orders:
            assert order.kendall_w is not None
            assert order.mean_tau is not None
            line += (
                f"; of {order.images} images Kendall's W {coefficient(order.kendall_w)}, "
                f"tau-b {coefficient(order.mean_tau)}"
            )
        console.print(f"{line}.", markup=False)


def _print_early_looks(console: Console, results: CampaignResults) -> None:
    """Print bounds that may be read before all votes are in."""
    for each in results.early_looks:
        sequence = each.look.sequence
        console.print(
            f"By these annotators, {each.criterion_label}: net {early_net(sequence)} on "
            f"{sequence.n_prompts:,} complete prompts."
        )
    if results.early_looks:
        console.print(f"Those bounds may be read at every look. {ASSUMES}")


def _print_categories(console: Console, results: CampaignResults) -> None:
    """Print the net preference by category and challenge."""
    if not results.categories:
        return
    table = text_table(("criterion", "by", "group"), ("n", "net %", "p", "Holm p"))
    for each in results.categories:
        test = each.test
        table.add_row(
            each.criterion_label, test.kind, test.name, f"{test.rates.tally.total:,}",
            percent(test.rates.net, signed=True), p_value(test.p_value), p_value(test.p_holm),
        )  # fmt: skip
    console.print(table)
    console.print(f"{GROUPS_FOOTNOTE} {UNTESTED}")


def _print_beside(console: Console, results: CampaignResults) -> None:
    """Print every two criteria beside each other, and orders of arms that two of them turn."""
    if results.criteria_beside:
        table = text_table(("first - second",), ("net %,\nfirst", "net %,\nsecond", "difference",
                                                 "Holm p"))  # fmt: skip
        for each in results.criteria_beside:
            table.add_row(f"{each.first_label} - {each.second_label}", *beside_cells(each))
        console.print(table)
        console.print(DEFINITION)
    orders = orders_beside(results.galleries, results.gradings)
    for turned in turned_orders(orders):
        console.print(
            f"{turned.ahead_in_first} is ahead of {turned.ahead_in_second} in "
            f"{turned.first_label}, and behind it in {turned.second_label}."
        )


def beside_cells(pair: CriteriaPair) -> tuple[str, str, str, str]:
    """Return both nets, their difference and Holm's p, for a table."""
    found = pair.difference
    return (
        percent(found.first, signed=True),
        percent(found.second, signed=True),
        percent_interval(found.value, found.low, found.high, found.state, signed=True),
        p_value(pair.p_holm),
    )


def _print_exclusions(console: Console, results: CampaignResults) -> None:
    """Print who was excluded, and the net preference with and without their votes."""
    if results.with_excluded:
        table = text_table(
            ("criterion", "prompts", "figure"), ("as reported", "with excluded", "excluded\nvotes")
        )
        for each in results.with_excluded:
            table.add_row(
                each.criterion_label, each.prompts, *other_votes_cells(each), f"{each.votes:,}"
            )
        console.print(table)
    for line in results.quality.exclusions:
        out = counted(line.votes, "vote")
        fate = f"{out} out, {line.replaced:,} replaced, {line.still_open:,} open"
        back = "reinstated, " if line.revoked_at else ""
        console.print(f"Excluded {line.pseudonym} ({line.rule}: {line.detail}): {back}{fate}.")


def _print_rings(console: Console, results: CampaignResults) -> None:
    """Print who answers alike by agreement, and the results with and without their votes."""
    if not results.rings.rings:
        return
    for ring in results.rings.rings:
        console.print(ring.sentence, markup=False)
        console.print(INDENT + ", ".join(each.pseudonym for each in ring.members), markup=False)
    table = text_table(
        ("criterion", "prompts", "figure"),
        ("with them,\nas reported", "without\nthem", "votes\nfewer"),
    )
    for each in results.without_rings:
        table.add_row(
            each.criterion_label, each.prompts, *other_votes_cells(each), f"{each.votes:,}"
        )
    console.print(table)
    console.print(NOT_EXCLUDED)


def _print_samples(console: Console, campaign: Campaign) -> None:
    """Print what annotators were shown: what was cut, of one colour, or the same twice."""
    faults = frozen_faults(campaign)
    if faults is None:
        return
    console.print("Samples:")
    names = [arm.name for arm in campaign.contenders]
    for line in faults.lines(names, imported_arms(campaign)):
        console.print(f"{INDENT}{line}", markup=False)
    if faults.some_are_cut:
        console.print(f"{INDENT}{READ_RULE}")
    if caution := ground_caution(campaign):
        console.print(f"{INDENT}{caution}", markup=False)


def _print_safety(console: Console, results: CampaignResults) -> None:
    """Print what the safety filter took out, for whose images."""
    if results.safety is None:
        return
    safety = results.safety
    arms = "; ".join(
        f"{letter} {share.hits:,} of {share.total:,}, {share_in_words(share)} %"
        for letter, share in safety.unsafe
    )
    tested = f"; p {p_value(safety.p_value)}, {TEST}" if results.campaign.is_duel else ""
    console.print(
        f"Safety filter ({safety.detector} at {safety.threshold:g}): {safety.counts.sentence}. "
        f"Filtered: {arms}{tested}. {NOTE}"
    )


def _print_quality(console: Console, quality: QualitySummary) -> None:
    facts = [
        f"{quality.items_complete:,} items have all their votes, {quality.items_short:,} fewer"
    ]
    facts += [
        f"{what} {share}"
        for what, share in (
            ("gold right", quality.gold),
            ("repeats answered as before", quality.repeats),
        )
        if share.total
    ]
    if quality.min_response_ms:
        facts.append(f"faster than {quality.min_response_ms} ms {quality.too_fast}")
    facts.append(f"undone {quality.undone:,}")
    facts.append(f"skipped {sum(quality.skips.values()):,}")
    facts.append(f"too late {sum(quality.surplus.values()):,}")
    console.print("Data quality: " + "; ".join(facts) + ".")
