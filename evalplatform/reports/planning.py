"""Planning a campaign before money is spent: what the command and the page share."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from evalplatform.annotation.answer_columns import vote_columns
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.reports.stats_votes import is_duel, of_criterion, pair_votes
from evalplatform.reports.table import WIDTH
from evalplatform.stats import (
    Components,
    State,
    StatsError,
    StudyPlan,
    detectable_effect,
    plan_study,
    variance_components,
)

BOUNDS = ("annotators", "prompts", "votes_per_annotator")

# What to expect before there is a pilot: guesses of ours, to be replaced by a pilot's figures.
EXPECTED_TIES = 0.2
EXPECTED_PROMPT_SHARE = 0.1
EXPECTED_ANNOTATOR_SHARE = 0.05
_FACTORS = (0.5, 1, 2, 4)


@dataclass(frozen=True)
class StudyQuestion:
    """What is asked: `bound` is one of `BOUNDS` and `number` its value; shares, not per cent."""

    components: Components
    effect: float
    bound: str
    number: int
    votes_per_prompt: int = 5
    power: float = 0.8
    price: float | None = None  # of one vote


@dataclass(frozen=True)
class StudyAnswer:
    """The plan, and what other sizes would detect: rows by annotators, columns by prompts."""

    question: StudyQuestion
    plan: StudyPlan
    others: list[list[StudyPlan]]

    @property
    def cost(self) -> float | None:
        if self.question.price is None or self.plan.votes is None:
            return None
        return self.question.price * self.plan.votes

    @property
    def sentences(self) -> list[str]:
        """The answer in words."""
        plan, asked = self.plan, self.question
        if plan.prompts is None:
            return [plan.reason]
        assert plan.annotators is not None
        assert plan.votes is not None
        assert plan.floor is not None
        per_person = plan.votes / plan.annotators
        said = [
            f"{plan.prompts:,} prompts, each judged by {plan.votes_per_prompt:,} of "
            f"{plan.annotators:,} annotators: {plan.votes:,} votes on each criterion, "
            f"{per_person:,.0f} from each annotator.",
            f"A net preference of {100 * asked.effect:.1f} % or more is then found in "
            f"{100 * plan.power:.4g} of 100 such studies.",
            f"However many prompts these annotators judge, nothing below "
            f"{100 * plan.floor:.1f} % can be found so often: their habits stay. Only more "
            "annotators lower this floor.",
        ]
        if self.cost is not None:
            said.append(f"At {asked.price:,.10g} a vote: {self.cost:,.2f} for each criterion.")
        return said


def pilot_components(campaign: Campaign, criterion: str) -> Components:
    """Estimate the components from the votes that count. Raises `BadInputError` without enough."""
    asked = campaign.criteria.filter(slug=criterion).first()
    if asked is None:
        slugs = ", ".join(campaign.criteria.values_list("slug", flat=True)) or "none"
        raise BadInputError(f"{campaign.slug!r} does not ask {criterion!r}; it asks: {slugs}.")
    if not is_duel(campaign, asked):
        raise BadInputError(
            f"{campaign.slug!r} cannot serve as a pilot on {criterion!r}: plans are for pairs of "
            "two arms; name a campaign of two arms that are compared side by side."
        )
    votes = of_criterion(vote_columns(campaign).counting(), asked)
    if not len(votes):
        raise BadInputError(f"{campaign.slug!r} has no votes on {criterion!r} that count.")
    components = variance_components(pair_votes(votes))
    if components.state is not State.DEFINED:
        raise BadInputError(f"{campaign.slug!r} cannot serve as a pilot: {components.reason}")
    if components.total == 0.0:
        raise BadInputError(f"{campaign.slug!r} cannot serve as a pilot: all its votes are alike.")
    return components


def answer(question: StudyQuestion) -> StudyAnswer:
    """Plan the study. Raises `BadInputError` for what cannot be asked."""
    price = question.price
    if price is not None and not 0 <= price < math.inf:
        raise BadInputError(f"a vote's price is {price:g}; give 0 or more, such as 0.05.")
    if question.components.total == 0.0:
        raise BadInputError(
            "where all votes are ties there is no preference to find; give ties below 1 (100 %)."
        )
    try:
        plan = plan_study(
            question.components,
            question.effect,
            votes_per_prompt=question.votes_per_prompt,
            power=question.power,
            **{question.bound: question.number},
        )
        return StudyAnswer(question, plan, _others(question, plan))
    except StatsError as error:
        raise BadInputError(str(error)) from error


def _others(question: StudyQuestion, plan: StudyPlan) -> list[list[StudyPlan]]:
    if plan.prompts is None or plan.annotators is None:
        return []
    fewest = max(2, question.votes_per_prompt)
    people = sorted({max(fewest, round(factor * plan.annotators)) for factor in _FACTORS})
    prompts = sorted({max(2, round(factor * plan.prompts)) for factor in _FACTORS})
    return [
        [
            detectable_effect(
                question.components,
                prompts=some,
                annotators=annotators,
                votes_per_prompt=question.votes_per_prompt,
                power=question.power,
            )
            for some in prompts
        ]
        for annotators in people
    ]


def components_in_words(components: Components) -> str:
    """Say what part of a vote's variance lies where."""
    shares = [
        f"{100 * getattr(components, name) / components.total:.0f} % {words}"
        for name, words in (
            ("prompt", "between prompts"),
            ("annotator", "between annotators"),
            ("residual", "within"),
        )
    ]
    zero = "".join(
        f" The estimate for {name}s came out below 0 and is taken as 0."
        for name in components.set_to_zero
    )
    return f"Variance of a vote: {components.total:.2f}, of it {', '.join(shares)}.{zero}"


def detects(plan: StudyPlan) -> str:
    """The effect a study detects, in per cent."""
    return "–" if plan.effect is None else f"{100 * plan.effect:.1f}"


def answer_table(found: StudyAnswer) -> str:
    """Return the answer as plain text."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    for sentence in found.sentences:
        console.print(sentence)
    console.print(components_in_words(found.question.components))
    if found.others:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="net found, %", title_style="")
        table.add_column("annotators", justify="right")
        for plan in found.others[0]:
            table.add_column(f"{plan.prompts:,} prompts", justify="right")
        for row in found.others:
            table.add_row(f"{row[-1].annotators:,}", *(detects(plan) for plan in row))
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"
