"""What run_eval can be asked, and what it makes of that."""

from argparse import BooleanOptionalAction
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from django.core.management.base import CommandParser

from evalplatform.accounts.commands import add_project_option
from evalplatform.campaigns.criteria import (
    CRITERIA,
    PRESETS,
    CriterionPlan,
    in_form,
    plan_criterion,
)
from evalplatform.campaigns.designs import ACCEPTED
from evalplatform.campaigns.forms import FORMS
from evalplatform.campaigns.prompt_filter import ACCEPTED as WHERE_ACCEPTED
from evalplatform.campaigns.prompt_filter import PromptFilter, parse_where
from evalplatform.campaigns.rules import Rules, SampleRules
from evalplatform.campaigns.rules_file import read_rules
from evalplatform.core.errors import BadInputError
from evalplatform.core.names import check_slug
from evalplatform.runs.choices import Sampler, criterion_plan, read_choices
from evalplatform.runs.run_plans import RunPlan, plan_of

SAMPLERS = get_args(Sampler)
DEFAULTS = {
    "preset": "default", "design": "all-pairs", "images_per_prompt": 1, "seed": 0,
    "sampler": "ddim", "steps": 25, "guidance": 4.0, "negative_prompt": "",
}  # fmt: skip
# What may be said anew of a campaign that is there; all else is in it.
_WITH_RESUME = {
    "resume", "open", "priority", "budget_minutes", "allow_constant", "allow_identical",
    "allow_cut",
}  # fmt: skip
# What a file of choices does not say, or says to be gone over.
_WITH_DRAFT = (_WITH_RESUME - {"resume"}) | {"draft", "dry_run", "project", "gold"}
_OURS = _WITH_RESUME | _WITH_DRAFT | {
    "checkpoints", "prompts", "name", "project", "design", "form", "images_per_prompt", "preset",
    "criteria", "k", "rules", "safety", "gold", "where", "third", "third_seed", "limit", "seed",
    "sampler", "steps", "guidance", "negative_prompt", "height", "width",
}  # fmt: skip


def add_arguments(parser: CommandParser) -> None:
    """Declare every option; what is not given is None, so that `--resume` can tell."""
    parser.add_argument(
        "checkpoints",
        nargs="*",
        metavar="ARM",
        help="registered checkpoints or image collections; two are compared (A and B), more are "
        "ranked",
    )
    parser.add_argument(
        "--resume",
        metavar="NAME",
        help="go on with this campaign as it was asked; nothing needs to be given again",
    )
    parser.add_argument(
        "--draft",
        type=Path,
        metavar="TOML",
        help="take all that is asked from this file, as the page of a draft gives it: "
        "docs/campaigns.md",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        default=None,
        help="say what it would ask, take and cost, and what it could find; make nothing",
    )
    parser.add_argument(
        "--prompts",
        action="append",
        metavar="SET",
        help="prompt set NAME or NAME@VERSION; may be repeated",
    )
    parser.add_argument("--name", help="campaign name (default: A-vs-B, or A-and-2-more)")
    add_project_option(parser)
    _add_prompt_filter(parser)
    _add_what_is_asked(parser)
    _add_rules(parser)
    _add_sampling(parser)
    _add_generation(parser)
    _add_allowances(parser)


def _add_prompt_filter(parser: CommandParser) -> None:
    taken = parser.add_argument_group("which prompts of the sets are taken")
    taken.add_argument(
        "--where",
        action="append",
        metavar="FIELD=VALUE",
        help=f"{WHERE_ACCEPTED}; may be repeated: one value of a field is enough, every field "
        "counts (default: all prompts)",
    )
    taken.add_argument(
        "--third",
        type=int,
        metavar="1|2|3",
        help="one of three random thirds of each set, which share no prompt (default: all)",
    )
    taken.add_argument(
        "--third-seed", type=int, metavar="SEED", help="of the thirds (default: --seed)"
    )
    taken.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="a seeded random N prompts of what is left of each set (default: all)",
    )


def _add_what_is_asked(parser: CommandParser) -> None:
    asked = parser.add_argument_group("what annotators are asked")
    asked.add_argument(
        "--design",
        metavar="DESIGN",
        help=f"who meets whom: {ACCEPTED}; M is of pairs a prompt (default: {DEFAULTS['design']})",
    )
    asked.add_argument(
        "--form",
        choices=FORMS,
        help="how every criterion is asked (default: as the preset says; `ranking` where the "
        "design is together)",
    )
    asked.add_argument(
        "--preset",
        choices=PRESETS,
        help="criteria, annotators and forms: `default` asks five annotators for left, tie or "
        "right under both criteria; `emu` asks three of them for left, both, neither or right on "
        "text faithfulness, as Emu was evaluated; `diffusion-dpo` three questions; `composition` "
        f"appeal and three aspects (default: {DEFAULTS['preset']})",
    )
    asked.add_argument(
        "--criteria",
        help="comma-separated, in the order annotators meet them: of the preset, of the rules "
        f"file, or of {', '.join(CRITERIA)} (default: the preset's and the rules file's)",
    )
    asked.add_argument(
        "--k", type=int, help="annotators per item, for every criterion (default: 5)"
    )
    asked.add_argument(
        "--images-per-prompt",
        type=int,
        metavar="N",
        help="images of each prompt and arm, of as many seeds (default: 1)",
    )


def _add_rules(parser: CommandParser) -> None:
    rules = parser.add_argument_group("rules, gold and opening")
    rules.add_argument(
        "--rules",
        type=Path,
        metavar="TOML",
        help="gold and repeat rates, exclusion, session cap, undo window, questionnaire and "
        "more: docs/campaign-rules.md (default: none of them)",
    )
    rules.add_argument(
        "--safety",
        type=float,
        metavar="SCORE",
        help="keep prompts with an image that scores so much or more as unsafe, 0 to 1, from "
        "annotators, and report them: docs/safety.md (default: no filter)",
    )
    rules.add_argument(
        "--gold",
        type=Path,
        metavar="TSV",
        help="gold pairs of your own (docs/quality.md); what the rules need besides is made",
    )
    rules.add_argument(
        "--open",
        action=BooleanOptionalAction,
        help="--no-open: generate and make gold, but do not open, to look at them first "
        "(default: open; with --resume: as asked before)",
    )


def _add_sampling(parser: CommandParser) -> None:
    sampling = parser.add_argument_group("how images are sampled")
    sampling.add_argument("--seed", type=int, help=f"seed (default: {DEFAULTS['seed']})")
    sampling.add_argument(
        "--sampler",
        choices=SAMPLERS,
        help=f"`default` is a diffusers pipeline's own scheduler (default: {DEFAULTS['sampler']})",
    )
    sampling.add_argument("--steps", type=int, help=f"sampler steps (default: {DEFAULTS['steps']})")
    sampling.add_argument(
        "--guidance", type=float, help=f"guidance scale (default: {DEFAULTS['guidance']})"
    )
    sampling.add_argument("--negative-prompt", help="negative prompt (default: none)")
    sampling.add_argument("--height", type=int, help="pixels (default: the checkpoint's own)")
    sampling.add_argument("--width", type=int, help="pixels (default: the checkpoint's own)")


def _add_generation(parser: CommandParser) -> None:
    generation = parser.add_argument_group("who makes them when")
    generation.add_argument(
        "--priority", type=int, help="higher goes first among what waits (default: 0)"
    )
    generation.add_argument(
        "--budget-minutes",
        type=float,
        metavar="M",
        help="worker time this campaign's samples may take; what is made by then is kept "
        "(default: no limit)",
    )


def _add_allowances(parser: CommandParser) -> None:
    allowances = parser.add_argument_group(
        "what does not keep it from opening",
        "Shares from 0 to 1, frozen with the protocol: docs/campaign-rules.md#samples.",
    )
    said = {
        "constant": "of a checkpoint's images may be of one colour",
        "identical": "of sets may show the same image twice",
        "cut": "of prompts may be longer than a checkpoint's text encoders read, where annotators "
        "see the prompt",
    }
    for name, what in said.items():
        default = SampleRules.model_fields[f"allow_{name}"].default
        allowances.add_argument(
            f"--allow-{name}",
            type=float,
            metavar="SHARE",
            help=f"{what} (default: {default}, or as the rules file says)",
        )


# -- reading them ---------------------------------------------------------------------------------


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with their defaults. Raises `BadInputError` for what makes no sense."""
    _check_numbers(options)
    if options["resume"]:
        _refuse_beside_resume(name for name in _OURS if options[name] not in (None, []))
        return options
    if options["draft"]:
        _refuse_beside_draft(name for name in _OURS if options[name] not in (None, []))
        return options
    if not options["checkpoints"]:
        raise BadInputError(
            "name the checkpoints to compare, two or more, or give --resume NAME to go on with a "
            "campaign."
        )
    if not options["prompts"]:
        raise BadInputError("no prompt set; give at least one with --prompts NAME.")
    given = {name: value for name, value in options.items() if value is not None}
    return options | DEFAULTS | given


def _refuse_beside_resume(given: Iterable[str]) -> None:
    if others := _named(set(given) - _WITH_RESUME):
        raise BadInputError(
            f"--resume takes all that was asked from the campaign; leave out {others}."
        )


def _refuse_beside_draft(given: Iterable[str]) -> None:
    if others := _named(set(given) - _WITH_DRAFT):
        raise BadInputError(
            f"--draft takes all that is asked from the file; leave out {others}, or write it there."
        )


def _named(options: set[str]) -> str:
    return ", ".join(
        sorted(
            "ARM" if name == "checkpoints" else f"--{name.replace('_', '-')}" for name in options
        )
    )


def allowances(options: dict[str, Any]) -> dict[str, float | None]:
    """Return the shares that the options let through, by their names in the rules."""
    return {name: options[name] for name in SampleRules.model_fields}


def budget_seconds(options: dict[str, Any]) -> int | None:
    """Return the budget of worker time, in seconds."""
    minutes = options["budget_minutes"]
    return None if minutes is None else max(1, round(60 * minutes))


def rules(options: dict[str, Any]) -> Rules:
    """Return the rules of the file, with what single options say put in."""
    found = read_rules(options["rules"]) if options["rules"] else Rules()
    if options["safety"] is not None:
        found = found.with_safety(options["safety"])
    return found.with_samples(**allowances(options))


def slug(options: dict[str, Any]) -> str:
    """Return the campaign's name."""
    name = options["name"] or _usual_name(options["checkpoints"])
    check_slug(name, "a campaign")
    return str(name)


def _usual_name(names: list[str]) -> str:
    if len(names) == 2:
        return "-vs-".join(names)
    return f"{names[0]}-and-{len(names) - 1}-more" if len(names) > 1 else names[0]


def criteria(options: dict[str, Any], own: Rules) -> list[CriterionPlan]:
    """Return what is asked: the preset's and the rules file's criteria, or those of --criteria.

    In the form that --form or the design says, with --k put in.
    """
    preset = {plan.slug: plan for plan in PRESETS[options["preset"]]}
    written = {each.slug: criterion_plan(each) for each in own.criteria}
    usual = written if written and options["preset"] == DEFAULTS["preset"] else preset | written
    names = (options["criteria"] or ",".join(usual)).split(",")
    slugs = [name.strip() for name in names if name.strip()]
    known = preset | written
    plans = [known[slug] if slug in known else plan_criterion(slug) for slug in slugs]
    form = options["form"] or ("ranking" if options["design"] == "together" else None)
    if form:
        words = [plan for plan in plans if plan.slug not in written]
        in_words = {plan.slug: plan for plan in in_form(words, form)}
        plans = [in_words.get(plan.slug, plan) for plan in plans]
    return plans if options["k"] is None else [replace(plan, k=options["k"]) for plan in plans]


def plan(options: dict[str, Any]) -> RunPlan:
    """Return the whole request. Raises `BadInputError` for what makes no sense."""
    if options["draft"]:
        return _plan_of_draft(options)
    own = rules(options)
    return RunPlan(
        name=slug(options),
        arms=options["checkpoints"],
        prompt_sets=options["prompts"],
        criteria=criteria(options, own),
        settings=sampler_settings(options),
        seed=options["seed"],
        design=options["design"],
        prompt_filter=prompt_filter(options),
        prompts_per_set=options["limit"],
        images_per_prompt=options["images_per_prompt"],
        rules=own,
        gold_file=options["gold"],
        opens_when_ready=options["open"] is not False,
        priority=options["priority"],
        budget_seconds=budget_seconds(options),
    )


def _plan_of_draft(options: dict[str, Any]) -> RunPlan:
    found = plan_of(read_choices(options["draft"]))
    seconds = budget_seconds(options)
    return replace(
        found,
        rules=found.rules.with_samples(**allowances(options)),
        gold_file=options["gold"],
        opens_when_ready=options["open"] is not False,
        priority=found.priority if options["priority"] is None else options["priority"],
        budget_seconds=found.budget_seconds if seconds is None else seconds,
    )


def prompt_filter(options: dict[str, Any]) -> PromptFilter:
    """Return which prompts are taken. Raises `BadInputError` for what no filter knows."""
    if options["third_seed"] is not None and options["third"] is None:
        raise BadInputError("--third-seed divides the prompts for --third; give that too.")
    return parse_where(
        options["where"] or [], third=options["third"], third_seed=options["third_seed"]
    )


def sampler_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return how images are sampled, as `SamplerSettings` stores it."""
    names = ("sampler", "steps", "negative_prompt", "height", "width")
    return {name: options[name] for name in names} | {"guidance_scale": options["guidance"]}


def _check_numbers(options: dict[str, Any]) -> None:
    """Refuse numbers out of range at the door, before anything is stored."""
    if options["limit"] is not None and options["limit"] < 1:
        raise BadInputError(
            f"--limit {options['limit']} leaves no prompt to judge; give 1 or more, or leave "
            "--limit out to take every prompt."
        )
    ranges = {
        "steps": (1, 1000),
        "guidance": (0.0, 100.0),
        "seed": (0, 2**63 - 1),
        "limit": (1, 10**9),
        "third": (1, 3),
        "third_seed": (0, 2**63 - 1),
        "images_per_prompt": (1, 1000),
        "height": (8, 8192),
        "width": (8, 8192),
        "priority": (-1000, 1000),
        "budget_minutes": (1 / 60, 10**7),
        **dict.fromkeys(SampleRules.model_fields, (0, 1)),
    }
    for name, (low, high) in ranges.items():
        value = options[name]
        if value is not None and not low <= value <= high:
            raise BadInputError(
                f"--{name.replace('_', '-')} {value} is out of range; accepted: {low} to {high}."
            )
