"""From votes to results: which groups of prompts are reported, and what is computed of each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from django.utils import timezone

from evalplatform import stats
from evalplatform.annotation.answer_columns import (
    LEFT,
    MAIN,
    NO_SIDE,
    UNKNOWN_MS,
    AnswerColumns,
)
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.core.version import code_version
from evalplatform.quality.rings import RingReport, rings_among
from evalplatform.quality.summary import summary_of
from evalplatform.reports.conditions import shown_sizes
from evalplatform.reports.consensus import consensus
from evalplatform.reports.criteria_beside import criteria_beside
from evalplatform.reports.facts import CampaignFacts, read_facts
from evalplatform.reports.gallery import Gallery, GalleryResult, GradeResult
from evalplatform.reports.languages import language_results, language_votes
from evalplatform.reports.other_votes import OtherVotes, of_net, of_orders, outside
from evalplatform.reports.prompts import ALL_PROMPTS, GROUPS, Prompts, stylized_of
from evalplatform.reports.result_types import (
    CampaignResults,
    CategoryResult,
    CriterionLook,
    CriterionOrder,
    GroupResult,
)
from evalplatform.reports.samples import in_full
from evalplatform.reports.stats_votes import is_duel, of_criterion, pair_votes


@dataclass(frozen=True)
class PromptPart:
    """Some of a campaign's prompts, as `GroupResult` names and places them."""

    name: str
    depth: int


def campaign_results(campaign: Campaign, facts: CampaignFacts | None = None) -> CampaignResults:
    """Compute a campaign's results from the votes that count now.

    With `facts` from those alone: nothing is read then, so that whoever has them in files can
    compute the same.
    """
    facts = facts or read_facts(campaign)
    answers, prompts = facts.answers, facts.prompts
    stored = answers.where(answers.purpose == MAIN)
    table = stored.counting()
    duels = _on_duels(campaign, table)
    times = table.response_ms[table.response_ms != UNKNOWN_MS]
    groups = list(_groups(campaign, duels, prompts))
    completeness = facts.completeness
    is_open = not completeness.is_complete
    gallery = Gallery(
        campaign, prompts, facts.pseudonyms, facts.arms, planned=facts.planned, is_open=is_open
    )
    others = list(_others(campaign, table, prompts, gallery))
    rings = rings_among(
        answers,
        letters=[arm.letter for arm in campaign.contenders],
        arms=facts.arms,
        people=facts.people,
        item_in_words=facts.item_in_words,
    )
    beside = partial(_beside, campaign, prompts, gallery, groups, others)
    return CampaignResults(
        campaign=campaign,
        n_stored=len(stored),
        n_stored_simulated=int(stored.is_simulated.sum()),
        simulated_as=facts.simulated_as,
        completeness=completeness,
        quality=summary_of(campaign, answers, facts.quality),
        safety=facts.safety,
        n_annotators=len(np.unique(table.annotator)),
        n_votes=len(table),
        n_simulated_votes=int(table.is_simulated.sum()),
        groups=groups,
        galleries=[each for each in others if isinstance(each, GalleryResult)],
        gradings=[each for each in others if isinstance(each, GradeResult)],
        with_excluded=list(beside(stored)) if len(table) < len(stored) else [],
        rings=rings,
        without_rings=list(beside(_outside(rings, facts, table))) if rings.rings else [],
        categories=list(_categories(campaign, duels, prompts)),
        criteria_beside=criteria_beside(campaign, duels, is_open=is_open),
        languages=language_votes(campaign, table),
        by_language=list(language_results(campaign, duels)),
        early_looks=list(_early_looks(facts, campaign, duels)) if is_open else [],
        profiles=_profiles(campaign, duels, facts.pseudonyms),
        side_bias=_side_bias(table),
        consensus=list(consensus(campaign, table, gallery, others)),
        order_effects=[] if campaign.imported_from else list(_order_effects(campaign, duels)),
        median_response_ms=float(np.median(times)) if len(times) else None,
        shown_sizes=shown_sizes(table),
        code_version=code_version(),
        made_at=timezone.now(),
    )


def _on_duels(campaign: Campaign, votes: AnswerColumns) -> AnswerColumns:
    """The votes on criteria that ask for a pair of just two arms."""
    asked = [each.pk for each in campaign.criteria.all() if is_duel(campaign, each)]
    return votes.where(np.isin(votes.criterion, asked))


def _on_orders(campaign: Campaign, votes: AnswerColumns) -> AnswerColumns:
    """The votes on all other criteria, but for texts, which grade nothing."""
    asked = [
        each.pk
        for each in campaign.criteria.all()
        if not is_duel(campaign, each) and not each.shape.is_written
    ]
    return votes.where(np.isin(votes.criterion, asked))


def _side_bias(table: AnswerColumns) -> stats.SideBias | None:
    decided = table.where(table.side != NO_SIDE)
    if not len(decided):
        return None
    return stats.side_bias(decided.side == LEFT, decided.annotator)


def _parts(
    campaign: Campaign, table: AnswerColumns, prompts: Prompts
) -> Iterator[tuple[Criterion, PromptPart, AnswerColumns]]:
    """Each criterion on all its prompts, then on each of several sets and its stylized part.

    Where annotators see the prompt and some was cut: on those that every arm read in full, too.
    """
    for criterion in campaign.criteria.all():
        votes = of_criterion(table, criterion)
        names = prompts.values(votes, "prompt_set")
        depth = 0
        if len(names) > 1:
            yield criterion, PromptPart(ALL_PROMPTS, 0), votes
            depth = 1
        for name in names:
            part = votes.where(prompts.mask(votes, "prompt_set", name))
            yield criterion, PromptPart(name, depth), part
            stylized = part.where(prompts.marked(part, "stylized"))
            if 0 < len(stylized) < len(part):
                yield criterion, PromptPart(stylized_of(name), depth + 1), stylized
        whole = votes.where(prompts.marked(votes, "read_in_full"))
        if criterion.shows_prompt and 0 < len(whole) < len(votes):
            yield criterion, PromptPart(in_full(campaign), 1), whole


def _groups(campaign: Campaign, table: AnswerColumns, prompts: Prompts) -> Iterator[GroupResult]:
    for criterion, part, votes in _parts(campaign, table, prompts):
        yield _group(criterion, part, votes)


def _others(
    campaign: Campaign, table: AnswerColumns, prompts: Prompts, gallery: Gallery
) -> Iterator[GalleryResult | GradeResult]:
    """The criteria that are no pair of two arms."""
    table = _on_orders(campaign, table)
    for criterion, part, votes in _parts(campaign, table, prompts):
        found = gallery.result(criterion, part.name, part.depth, votes)
        yield found if part.depth else gallery.detailed(found, criterion, votes)


def _outside(rings: RingReport, facts: CampaignFacts, table: AnswerColumns) -> AnswerColumns:
    """The votes without those of accounts that are in a ring."""
    flagged = set(rings.pseudonyms)
    return outside(table, [who for who, name in facts.pseudonyms.items() if name in flagged])


def _beside(
    campaign: Campaign,
    prompts: Prompts,
    gallery: Gallery,
    groups: list[GroupResult],
    others: list[GalleryResult | GradeResult],
    votes: AnswerColumns,
) -> Iterator[OtherVotes]:
    """Each net, and on all prompts each arm's figure, as reported and as it is from these votes."""
    reported = {(group.criterion, group.prompts): group.rates.net for group in groups}
    nets = {
        (criterion.slug, part.name): stats.win_rates(pair_votes(of_part)).net
        for criterion, part, of_part in _parts(campaign, _on_duels(campaign, votes), prompts)
    }
    criteria = {each.slug: each for each in campaign.criteria.all()}
    for slug, name in dict.fromkeys([*reported, *nets]):
        yield of_net(criteria[slug], name, reported.get((slug, name)), nets.get((slug, name)))
    orders = {each.criterion: each for each in others if not each.depth}
    found = {
        criterion.slug: gallery.result(criterion, part.name, 0, asked)
        for criterion, part, asked in _parts(campaign, _on_orders(campaign, votes), prompts)
        if not part.depth
    }
    for slug in dict.fromkeys([*orders, *found]):
        yield from of_orders(orders.get(slug), found.get(slug))


_NO_ITEMS = np.empty(0, dtype=np.int64)


def _group(criterion: Criterion, part: PromptPart, table: AnswerColumns) -> GroupResult:
    votes = pair_votes(table)
    verdicts = stats.verdicts(votes, votes_per_item=criterion.k)
    # Results are kept and read for every page: without the verdicts item by item, which no page
    # shows and which are most of their size.
    shares = replace(
        verdicts, item=_NO_ITEMS, outcome=_NO_ITEMS, prompt=_NO_ITEMS, n_votes=_NO_ITEMS
    )
    return GroupResult(
        criterion=criterion.slug,
        criterion_label=criterion.label,
        prompts=part.name,
        depth=part.depth,
        k=criterion.k,
        rates=stats.win_rates(votes),
        prompt_means=stats.win_rates(votes, estimand="prompts"),
        verdicts=shares,
        test=stats.sign_test(votes),
        agreement=stats.agreement(votes),
    )


def _categories(
    campaign: Campaign, table: AnswerColumns, prompts: Prompts
) -> Iterator[CategoryResult]:
    for criterion in campaign.criteria.all():
        votes = of_criterion(table, criterion)
        if not len(votes):
            continue
        labels: dict[str, stats.Labels] = {kind: prompts.labels(votes, kind) for kind in GROUPS}
        for test in stats.group_tests(pair_votes(votes), labels):
            yield CategoryResult(criterion.slug, criterion.label, test)


def _early_looks(
    facts: CampaignFacts, campaign: Campaign, table: AnswerColumns
) -> Iterator[CriterionLook]:
    for criterion in campaign.criteria.all():
        votes = of_criterion(table, criterion)
        if not len(votes):
            continue
        planned = facts.planned(criterion)
        wanted = planned.on(votes.prompt) if planned else criterion.k
        look = stats.early_look(pair_votes(votes), wanted)
        yield CriterionLook(criterion.slug, criterion.label, look)


def _order_effects(campaign: Campaign, table: AnswerColumns) -> Iterator[CriterionOrder]:
    for criterion in campaign.criteria.all():
        votes = of_criterion(table, criterion)
        effect = stats.order_effect(pair_votes(votes)) if len(votes) else None
        if effect:
            yield CriterionOrder(criterion.slug, criterion.label, effect)


def _profiles(
    campaign: Campaign, table: AnswerColumns, names: dict[int, str]
) -> dict[str, stats.AnnotatorProfile]:
    if not len(table):
        return {}
    times = np.where(table.response_ms == UNKNOWN_MS, np.nan, table.response_ms)
    left = table.side == LEFT if campaign.knows_sides else None
    found = stats.annotators(pair_votes(table), chosen_left=left, response_ms=times)
    return {names[each.annotator]: each for each in found.profiles}
