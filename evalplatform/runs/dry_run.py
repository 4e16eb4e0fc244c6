"""What a draft would ask, make, take and cost, and what keeps it from being launched.

The campaign is created as a launch would, looked at, and taken back: so the numbers are the
campaign's own, and what would be refused is refused here in the same words.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from evalplatform.accounts.models import Project
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.campaigns.prompt_filter import (
    FilteredPrompts,
    filter_prompts,
    refuse_nothing_left,
)
from evalplatform.campaigns.selectors import (
    PlannedSet,
    planned_prompts,
    planned_sets,
    wanted_seeds,
)
from evalplatform.campaigns.transparent_arms import ground_caution
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.awaiting import count_made
from evalplatform.generation.estimates import seconds_per_image
from evalplatform.generation.selectors import live_workers
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.reports.pay import ASSUMED_SECONDS, site_seconds
from evalplatform.runs.choices import DraftChoices
from evalplatform.runs.estimates import (
    USUAL_VOTES_PER_ANNOTATOR,
    CriterionEstimate,
    PromptCount,
    RunEstimate,
    SampleEstimate,
    SetCount,
)
from evalplatform.runs.power import power_on
from evalplatform.runs.run_plans import plan_of
from evalplatform.runs.services import CHECKS_PER_CRITERION, arm_named, rehearsed_run

EXAMPLES = 5
_CUT_WORDS = 50  # words of a prompt from which a CLIP text encoder (77 tokens) may cut it


def dry_run(
    *, choices: DraftChoices, project: Project, now: datetime, own_name: str = ""
) -> RunEstimate:
    """Return what these choices would come to in a project; nothing is stored.

    `own_name`: of a campaign that may have the name already, since it was made of them.
    """
    errors, prompts = count_prompts(choices, project)
    errors += _missing(choices)
    errors += _unknown_arms(choices, project)
    plan = plan_of(choices)
    if plan.name != own_name and Campaign.objects.filter(slug=plan.name).exists():
        errors.append(f"there is a campaign {plan.name!r} already; choose another name.")
    if errors:
        return RunEstimate(errors=tuple(errors), prompts=prompts)
    try:
        with rehearsed_run(project=project, plan=plan) as campaign:
            return replace(_estimate(campaign, choices, now), prompts=_taken(campaign, prompts))
    except BadInputError as error:
        return RunEstimate(errors=(str(error),), prompts=prompts)


def count_prompts(choices: DraftChoices, project: Project) -> tuple[list[str], PromptCount]:
    """Return what is wrong with the choice of prompts, and how many it takes."""
    asked = choices.prompts
    if not asked.sets:
        return ["no prompt set is chosen; take one or more."], PromptCount()
    try:
        found = [prompt_set_named(name, project) for name in dict.fromkeys(asked.sets)]
        sets = {each.pk: each for each in found}
        left = filter_prompts(list(sets.values()), asked.filter, choices.seed)
    except BadInputError as error:
        return [str(error)], PromptCount()
    counted = _counted(sets, left, asked.limit)
    if not left.total:
        return ["the prompt sets that are chosen have no prompts."], counted
    try:
        refuse_nothing_left(left)
    except BadInputError as error:
        return [str(error)], counted
    return [], counted


def _missing(choices: DraftChoices) -> list[str]:
    errors = []
    if not choices.arms:
        errors.append("no arm is chosen; take two checkpoints or image collections, or more.")
    if not choices.criteria:
        errors.append("nothing is asked of annotators; choose a preset or a criterion.")
    return errors


def _unknown_arms(choices: DraftChoices, project: Project) -> list[str]:
    errors = []
    for name in choices.arms:
        try:
            arm_named(name, project)
        except BadInputError as error:
            errors.append(str(error))
    return errors


def _counted(sets: dict[int, PromptSet], left: FilteredPrompts, limit: int | None) -> PromptCount:
    taken = Counter(each.prompt_set_id for each in left.prompts)
    return PromptCount(
        sets=tuple(
            SetCount(str(each), each.prompts.count(), min(taken[key], limit or taken[key]))
            for key, each in sets.items()
        ),
        steps=tuple(left.steps),
        examples=_examples(left.prompts),
    )


def _examples(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    """Return some texts from all over the list."""
    step = max(1, len(prompts) // EXAMPLES)
    return tuple(prompt.text for prompt in prompts[::step][:EXAMPLES])


def _taken(campaign: Campaign, counted: PromptCount) -> PromptCount:
    """Show examples of what the subset left."""
    return replace(counted, examples=_examples(planned_prompts(campaign)))


@dataclass(frozen=True)
class _Planned:
    """A rehearsed campaign, read once."""

    campaign: Campaign
    prompts: list[Prompt]
    sets: list[PlannedSet]
    criteria: list[Criterion]

    def items(self, criterion: Criterion) -> int:
        return sum(criterion.shape.takes(len(each.places)) for each in self.sets)


def _estimate(campaign: Campaign, choices: DraftChoices, now: datetime) -> RunEstimate:
    prompts = planned_prompts(campaign)
    planned = _Planned(
        campaign, prompts, planned_sets(campaign, prompts), list(campaign.criteria.all())
    )
    criteria = tuple(criterion_estimate(each, planned.items(each)) for each in planned.criteria)
    votes = sum(each.votes for each in criteria)
    each_gives = _votes_per_annotator(choices, sum(each.items for each in criteria))
    most_k = max((each.k for each in criteria), default=1)
    annotators = max(most_k, 2, ceil(votes / each_gives)) if votes else 0
    quality, pay = choices.rules.quality, choices.rules.pay
    answers = round(votes * (1 + quality.gold_rate + quality.repeat_rate))
    answers += annotators * quality.qualification_pairs
    mean = sum(each.votes * each.seconds for each in criteria) / votes if votes else None
    return RunEstimate(
        warnings=tuple(_warnings(planned, choices)),
        comparisons=len(planned.sets),
        criteria=criteria,
        samples=tuple(_samples(planned)),
        workers=len(live_workers(now)),
        annotators=annotators,
        votes_per_annotator=each_gives,
        answers=answers,
        unit=pay.unit(mean),
        currency=pay.currency if pay.is_set else "",
        fee_percent=pay.fee_percent,
        power=tuple(power_on(campaign, each, planned.sets, annotators) for each in planned.criteria)
        if annotators
        else (),
    )


def criterion_estimate(criterion: Criterion, items: int) -> CriterionEstimate:
    """Return what so many items of a criterion take."""
    measured = site_seconds(criterion.form)
    return CriterionEstimate(
        slug=criterion.slug,
        label=criterion.label,
        form=criterion.form,
        k=criterion.k,
        items=items,
        seconds=measured or ASSUMED_SECONDS.get(criterion.form, 10.0),
        is_measured=measured is not None,
    )


def _votes_per_annotator(choices: DraftChoices, items: int) -> int:
    """Nobody judges an item twice, nor more than the session cap."""
    wanted = choices.votes_per_annotator or USUAL_VOTES_PER_ANNOTATOR
    cap = choices.rules.annotation.session_cap
    return max(1, min(wanted, items, cap if cap is not None else wanted))


def _samples(planned: _Planned) -> list[SampleEstimate]:
    checkpoints = [arm.checkpoint for arm in planned.campaign.contenders]
    return [
        sample_estimate(planned.campaign, planned.prompts, each) for each in checkpoints if each
    ]


def sample_estimate(
    campaign: Campaign, prompts: Sequence[Prompt], checkpoint: Checkpoint
) -> SampleEstimate:
    """Return what a checkpoint's images of a campaign's prompts take; those there take nothing."""
    settings = campaign.sampler_settings
    made, total = count_made(
        checkpoint=checkpoint, settings=settings, wanted=wanted_seeds(campaign, prompts)
    )
    missing, each = total - made, seconds_per_image(checkpoint, settings)
    return SampleEstimate(checkpoint.name, total, missing, None if each is None else each * missing)


def _warnings(planned: _Planned, choices: DraftChoices) -> list[str]:
    rules = choices.rules
    quality = rules.quality
    said = _about_gold(planned, choices) + _about_length(planned, choices)
    if not (quality.gold_rate or quality.repeat_rate or quality.qualification_pairs):
        said.append("no checks are mixed in: careless answers cannot be told from careful ones.")
    if rules.annotation.door == "open" and rules.pay.is_set:
        said.append("people are paid, and the door is open: whoever has the link may take part.")
    if caution := ground_caution(planned.campaign):
        said.append(caution)
    return said


def _about_gold(planned: _Planned, choices: DraftChoices) -> list[str]:
    quality = choices.rules.quality
    images = len(planned.prompts) * len(planned.campaign.contenders)
    if quality.gold_rate and images < CHECKS_PER_CRITERION:
        return [
            f"gold is made of the campaign's own images, {CHECKS_PER_CRITERION} sets for each "
            f"criterion, and there are only {images}: opening may be refused. Take more prompts, "
            "or no gold."
        ]
    none = [each.label for each in planned.criteria if not each.gold]
    if not none or not (quality.gold_rate or quality.qualification_pairs):
        return []
    if len(none) < len(planned.criteria):
        return [f"no gold can be made for {', '.join(none)}; the others have all of it."]
    return [
        "its rules ask for gold, and none can be made for any criterion: give pairs of your own "
        "as gold, or opening will be refused."
    ]


def _about_length(planned: _Planned, choices: DraftChoices) -> list[str]:
    long = sum(len(prompt.text.split()) > _CUT_WORDS for prompt in planned.prompts)
    if not long or not any(each.shows_prompt for each in planned.criteria):
        return []
    return [
        f"{long:,} of {len(planned.prompts):,} prompts have more than {_CUT_WORDS} words: text "
        f"encoders that read 77 tokens may cut them, and more than "
        f"{choices.rules.samples.allow_cut:.0%} cut keeps it from opening."
    ]
