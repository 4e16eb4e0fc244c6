"""Choices as a run takes them, and as a line of `run_eval` that says the same."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalplatform.campaigns.criteria import PRESETS, CriterionPlan, written
from evalplatform.campaigns.prompt_filter import PromptFilter
from evalplatform.campaigns.rules import Rules
from evalplatform.runs.choices import DraftChoices, parse_choices


@dataclass(frozen=True)
class RunPlan:
    """All that a run is asked, by names as a person gives them.

    Attributes:
        name: of the campaign.
        arms: registered checkpoints or image collections (`arm_named`).
        prompt_sets: NAME or NAME@VERSION.
        settings: how images are sampled, as `SamplerSettings` stores it.
        opens_when_ready: False leaves it at READY, to be looked at first.
        priority, budget_seconds: of generation; None: the usual.
    """

    name: str
    arms: Sequence[str]
    prompt_sets: Sequence[str]
    criteria: Sequence[CriterionPlan]
    settings: dict[str, Any]
    seed: int = 0
    design: str = "all-pairs"
    prompt_filter: PromptFilter = field(default_factory=PromptFilter)
    prompts_per_set: int | None = None
    images_per_prompt: int = 1
    rules: Rules = field(default_factory=Rules)
    gold_file: Path | None = None
    opens_when_ready: bool = True
    priority: int | None = None
    budget_seconds: int | None = None


def plan_of(choices: DraftChoices, rules: Rules | None = None) -> RunPlan:
    """Return the request for a campaign, which opens only when somebody says so."""
    minutes = choices.generation.budget_minutes
    return RunPlan(
        name=choices.name or usual_name(choices.arms),
        arms=choices.arms,
        prompt_sets=choices.prompts.sets,
        criteria=choices.criterion_plans,
        settings=choices.sampler.model_dump(),
        seed=choices.seed,
        design=choices.design,
        prompt_filter=choices.prompts.filter,
        prompts_per_set=choices.prompts.limit,
        images_per_prompt=choices.images_per_prompt,
        rules=rules or choices.rules,
        opens_when_ready=False,
        priority=choices.generation.priority,
        budget_seconds=None if minutes is None else max(1, round(60 * minutes)),
    )


def usual_name(arms: tuple[str, ...] | list[str]) -> str:
    """Return the name of a campaign that was given none."""
    names = [name.removeprefix("images:") for name in arms]
    if len(names) == 2:
        return "-vs-".join(names)[:80]
    return (f"{names[0][:60]}-and-{len(names) - 1}-more" if len(names) > 1 else "".join(names))[:80]


def choices_of_plan(plan: RunPlan) -> DraftChoices:
    """Return what a request chose."""
    rules = plan.rules.model_copy(update={"criteria": []})
    return parse_choices(
        {
            "name": plan.name,
            "arms": list(plan.arms),
            "prompts": {
                "sets": list(plan.prompt_sets),
                "filter": plan.prompt_filter.as_dict(),
                "limit": plan.prompts_per_set,
            },
            "criteria": [written(each) for each in plan.criteria],
            "design": plan.design,
            "images_per_prompt": plan.images_per_prompt,
            "seed": plan.seed,
            "sampler": plan.settings,
            "rules": rules.model_dump(mode="json", exclude_defaults=True),
        },
        "options",
    )


def run_eval_line(choices: DraftChoices) -> str:
    """Return the line of `run_eval` that asks the same.

    Own words and rules need a file: then it is the one that takes the draft's.
    """
    preset = next(
        (name for name, plans in PRESETS.items() if list(plans) == choices.criterion_plans), None
    )
    name = choices.name or usual_name(choices.arms) or "draft"
    if preset is None or choices.rules != Rules():
        return f"python manage.py run_eval --draft {shlex.quote(f'{name}.toml')}"
    said = ["python", "manage.py", "run_eval", *choices.arms]
    for each in choices.prompts.sets:
        said += ["--prompts", each]
    for kind, values in choices.prompts.filter.conditions.items():
        for value in values:
            said += ["--where", f"{kind}={value}"]
    options: dict[str, object] = {
        "--third": choices.prompts.filter.third,
        "--third-seed": choices.prompts.filter.third_seed,
        "--limit": choices.prompts.limit,
        "--name": choices.name or None,
        "--preset": preset if preset != "default" else None,
        "--design": choices.design if choices.design != "all-pairs" else None,
        "--images-per-prompt": choices.images_per_prompt if choices.images_per_prompt > 1 else None,
        "--seed": choices.seed or None,
        **_sampling(choices),
        "--priority": choices.generation.priority,
        "--budget-minutes": choices.generation.budget_minutes,
    }
    for option, given in options.items():
        if given is not None:
            said += [option, f"{given:g}" if isinstance(given, float) else str(given)]
    return shlex.join(said)


def _sampling(choices: DraftChoices) -> dict[str, object]:
    usual = type(choices.sampler)()
    return {
        f"--{'guidance' if name == 'guidance_scale' else name.replace('_', '-')}": value
        for name, value in choices.sampler.model_dump().items()
        if value != getattr(usual, name)
    }
