"""The answer of each criterion in one sentence, from the numbers that the tables show."""

from __future__ import annotations

from dataclasses import dataclass

from evalplatform.campaigns.models import Campaign
from evalplatform.core.words import counted
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.orders import claimed_early, lead_in_words, listed, order_said
from evalplatform.reports.result_types import CampaignResults, CriterionLook, GroupResult
from evalplatform.stats import Estimate, State


@dataclass(frozen=True)
class Finding:
    """What one criterion's votes on all its prompts say.

    `leader` is the letter of the arm that is preferred to all others, otherwise empty.
    """

    criterion: str
    criterion_label: str
    leader: str
    sentence: str


def answers(results: CampaignResults) -> list[Finding]:
    """Return an answer for each criterion with votes that count, in the campaign's order."""
    looks = {each.criterion: each for each in results.early_looks}
    found = []
    for group in results.groups:
        if group.depth:
            continue
        look = looks.get(group.criterion)
        speaks_for_others = group.rates.net.has_interval
        leader, sentence = (
            _early(results, look) if look and speaks_for_others else _final(results, group)
        )
        found.append(Finding(group.criterion, group.criterion_label, leader, sentence))
    ordered: list[GalleryResult | GradeResult] = [*results.galleries, *results.gradings]
    for each in ordered:
        if not each.depth:
            leader, sentence = order_in_words(results, each)
            found.append(Finding(each.criterion, each.criterion_label, leader, sentence))
    places = {each.slug: each.position for each in results.campaign.criteria.all()}
    return sorted(found, key=lambda answer: places[answer.criterion])


def _final(results: CampaignResults, group: GroupResult) -> tuple[str, str]:
    net = group.rates.net
    if net.value is None:
        return "", net.reason
    if net.low is None or net.high is None:
        value = f"net {100 * net.value:+.1f} %"
        if net.state is State.ONE_ANNOTATOR:
            return "", f"One annotator: {value} of their votes, no interval for others."
        return "", f"{value[0].upper()}{value[1:]}, no interval: {net.reason}"
    bounds = Bounds.of(net)
    if not bounds.leader:
        return "", f"{_people(results)} show no preference between A and B: {bounds}."
    return bounds.leader, f"{_people(results)} prefer {bounds.order}: {bounds}."


def _early(results: CampaignResults, look: CriterionLook) -> tuple[str, str]:
    """Say what may be said before all votes are in: only what bounds for any time allow."""
    early = look.look
    sequence = early.sequence
    why = (
        "voting was stopped before all votes were in"
        if results.campaign.status == Campaign.Status.CLOSED
        else "voting is not finished"
    )
    if sequence.value is None or sequence.low is None or sequence.high is None:
        return "", f"Not decided yet: {why}. {sequence.reason}"
    bounds = Bounds(sequence.value, sequence.low, sequence.high)
    if not sequence.decided:
        return "", f"Not decided yet: {why}; so far, by these annotators, {bounds}."
    who = _people(results).replace("People", "annotators").lower()
    lead = f"these {who} prefer {bounds.order} so far: {bounds}, bounds for every look"
    if not early.is_claim or early.net is None:
        return "", f"No claim yet, {why}: {lead}, but {early.reason}."
    return bounds.leader, (
        f"{_people(results)} prefer {bounds.order}: {Bounds.of(early.net)} at "
        f"{100 * early.net.level:.4g} %, which may be said although {why}."
    )


def order_in_words(results: CampaignResults, found: GalleryResult | GradeResult) -> tuple[str, str]:
    """Return the letter of the one arm at the top, or "", and the order of all in a sentence."""
    leader, said = order_said(found)
    who = _people(results)
    if not results.completeness.is_complete:
        why = (
            "voting was stopped before all votes were in"
            if results.campaign.status == Campaign.Status.CLOSED
            else "voting is not finished"
        )
        claims = claimed_early(found)
        already = f" What may be said already: {listed(claims)}." if claims else ""
        return "", f"Not decided yet: {why}; so far {who[0].lower()}{who[1:]} {said}.{already}"
    return leader, f"{who} {said}. {lead_in_words(found)}".rstrip()


FEW_ANNOTATORS = 3
"""So many annotators or fewer, but more than one, are warned of beside their results."""


def few_annotators(results: CampaignResults) -> str:
    """Return what to think of intervals made from two or three people; empty for more, or one."""
    people = results.n_annotators
    if not 1 < people <= FEW_ANNOTATORS:
        return ""
    return (
        f"Only {counted(people, 'annotator')}: how people differ is nearly unknown, so "
        "intervals are rough "
        "and wide. Read this as a pilot, not as a result."
    )


@dataclass(frozen=True)
class Bounds:
    """A net preference with its interval, each in [-1, 1]."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, net: Estimate) -> Bounds:
        """Those of a net that has an interval."""
        assert net.value is not None
        assert net.low is not None
        assert net.high is not None
        return cls(net.value, net.low, net.high)

    @property
    def leader(self) -> str:
        if self.low > 0:
            return "A"
        return "B" if self.high < 0 else ""

    @property
    def order(self) -> str:
        return "A over B" if self.leader == "A" else "B over A"

    def __str__(self) -> str:
        return f"net {100 * self.value:+.1f} % [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


def _people(results: CampaignResults) -> str:
    """Return who voted, so that no simulated vote is ever said to be a person's."""
    if not results.n_simulated_votes:
        return "People"
    if results.n_simulated_votes == results.n_votes:
        return "Simulated annotators"
    return "Annotators, some of them simulated,"
