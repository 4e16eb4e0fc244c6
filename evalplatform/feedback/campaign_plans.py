"""The campaigns of a feedback loop: the ranking, the check of the child's places, and the proof."""

from dataclasses import replace
from math import ceil

from evalplatform.campaigns.criteria import CriterionPlan, in_form, plan_criterion
from evalplatform.campaigns.designs import LEAST_TOGETHER, MOST_TOGETHER
from evalplatform.campaigns.prompt_filter import PromptFilter
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound
from evalplatform.runs.services import RunPlan


def ranking_plan(loop: FeedbackLoop) -> RunPlan:
    """Return the campaign in which people rank the gallery, an aspect a criterion.

    IterComp has a ranking an aspect; here they are criteria of one campaign, over the same images.
    """
    return _plan(loop, f"{loop.slug}-ranking", loop.gallery)


def verification_plan(round: FeedbackRound, members: list[str]) -> RunPlan:
    """Return the campaign in which people rank the child among the gallery, on some prompts.

    `members` are the arms that were ranked before it, by name; the prompts are a seeded random
    share of those that were ranked. The seed of the images stays the loop's: people are to see
    those that rewards have placed.
    """
    loop = round.loop
    assert round.child
    whole = loop.prompt_set.prompts.count()
    count = ceil(loop.verified_share * whole)
    plan = _plan(
        loop, f"{loop.slug}-check-{round.number}", [*members, round.child.name], round.child.name
    )
    # Drawn from a third of its own: the same prompts again would verify the same places again.
    third = PromptFilter(third=1, third_seed=loop.seed + round.number)
    if count > whole // 3:
        third = PromptFilter()
    return replace(plan, prompts_per_set=count, prompt_filter=third)


def proof_plan(round: FeedbackRound) -> RunPlan:
    """Return the blind campaign of the child against its parent, on held-out prompts."""
    loop = round.loop
    assert round.child
    names = [round.child.name, round.parent.name]
    plan = _plan(loop, f"{loop.slug}-proof-{round.number}", names)
    return replace(plan, prompt_sets=[str(loop.proof_prompt_set)])


def _plan(loop: FeedbackLoop, name: str, arms: list[str], newcomer: str | None = None) -> RunPlan:
    together = LEAST_TOGETHER <= len(arms) <= MOST_TOGETHER
    apart = "all-pairs" if newcomer is None else f"against={newcomer}"
    return RunPlan(
        name=name,
        arms=arms,
        prompt_sets=[str(loop.prompt_set)],
        criteria=aspect_plans(loop.aspects, loop.k, "ranking" if together else "pair"),
        settings=dict(loop.sampler),
        seed=loop.seed,
        design="together" if together else apart,
        rules=loop.checked_rules,
    )


def aspect_plans(aspects: list[str], k: int, form: str) -> list[CriterionPlan]:
    """Return the criteria of these slugs in a form. Raises `BadInputError` for unknown ones."""
    return in_form([plan_criterion(each, k=k) for each in aspects], form)
