"""From two checkpoints to an open campaign."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_slug
from django.urls import reverse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import CRITERIA, PRESETS, CriterionPlan
from evalplatform.campaigns.management.generation_wait import wait_for_samples
from evalplatform.campaigns.management.safety_wait import filter_summary, wait_for_checks
from evalplatform.campaigns.models import Campaign, GoldPair
from evalplatform.campaigns.rules import Rules, read_rules
from evalplatform.campaigns.services import create_campaign, start_generation
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.quality.services import import_gold_pairs, make_gold_pairs

CHECKS_PER_CRITERION = 20  # an annotator meets each gold pair once
# As models_backend.families.base names them; importing it would load torch here.
SAMPLERS = ("ddim", "dpm++", "euler", "default")


class Command(PlatformCommand):
    help = (
        "Compare checkpoint A with checkpoint B: create a campaign, have Celery workers generate "
        "every sample, open it when all exist and print the annotators' link. Run it again with "
        "the same --name to resume."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("checkpoint_a", help="registered name, e.g. quality_tuned")
        parser.add_argument("checkpoint_b", help="registered name, e.g. pretrained")
        parser.add_argument(
            "--prompts",
            action="append",
            required=True,
            metavar="SET",
            help="prompt set NAME or NAME@VERSION; may be repeated",
        )
        parser.add_argument("--name", help="campaign name (default: A-vs-B)")
        parser.add_argument(
            "--preset",
            choices=PRESETS,
            default="default",
            help="criteria, annotators per comparison and answers: `default` asks five annotators "
            "for A, B or tie under both criteria; `emu` asks three of them for A, B, both or "
            "neither on text faithfulness, as Emu was evaluated (default: %(default)s)",
        )
        parser.add_argument(
            "--criteria",
            help="comma-separated subset, in the order annotators meet them "
            f"(default: {','.join(CRITERIA)})",
        )
        parser.add_argument(
            "--k", type=int, help="annotators per comparison, for every criterion (default: 5)"
        )
        parser.add_argument(
            "--rules",
            type=Path,
            metavar="TOML",
            help="gold and repeat rates, exclusion, session cap, undo window, questionnaire and "
            "more: docs/campaign-rules.md (default: none of them)",
        )
        parser.add_argument(
            "--safety",
            type=float,
            metavar="SCORE",
            help="keep prompts with an image that scores so much or more as unsafe, 0 to 1, from "
            "annotators, and report them: docs/safety.md (default: no filter)",
        )
        parser.add_argument(
            "--gold",
            type=Path,
            metavar="TSV",
            help="gold pairs of your own (docs/quality.md); what the rules need besides is made",
        )
        parser.add_argument(
            "--no-open",
            action="store_true",
            help="generate and make gold pairs, but do not open: to look at them first",
        )
        parser.add_argument(
            "--limit",
            type=int,
            metavar="N",
            help="a seeded random N prompts of each set (default: all)",
        )
        parser.add_argument("--seed", type=int, default=0, help="seed (default: %(default)s)")
        parser.add_argument(
            "--sampler",
            choices=SAMPLERS,
            default="ddim",
            help="`default` is a diffusers pipeline's own scheduler (default: %(default)s)",
        )
        parser.add_argument(
            "--steps", type=int, default=25, help="sampler steps (default: %(default)s)"
        )
        parser.add_argument(
            "--guidance", type=float, default=4.0, help="guidance scale (default: %(default)s)"
        )
        parser.add_argument("--negative-prompt", default="", help="negative prompt (default: none)")
        parser.add_argument(
            "--priority", type=int, help="higher goes first among what waits (default: 0)"
        )
        parser.add_argument(
            "--budget-minutes",
            type=float,
            metavar="M",
            help="worker time this campaign's samples may take; what is made by then is kept "
            "(default: no limit)",
        )
        parser.add_argument("--height", type=int, help="pixels (default: the checkpoint's own)")
        parser.add_argument("--width", type=int, help="pixels (default: the checkpoint's own)")
        parser.add_argument(
            "--site",
            default="http://127.0.0.1:8000",
            help="address of the site, for the link printed (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _check_numbers(options)
        campaign, created = create_campaign(
            slug=_slug(options),
            checkpoint_a=registered_checkpoint(options["checkpoint_a"]),
            checkpoint_b=registered_checkpoint(options["checkpoint_b"]),
            prompt_sets=[prompt_set_named(name) for name in dict.fromkeys(options["prompts"])],
            criteria=_criteria(options),
            rules=_rules(options),
            seed=options["seed"],
            prompts_per_set=options["limit"],
            settings={
                "sampler": options["sampler"],
                "steps": options["steps"],
                "guidance_scale": options["guidance"],
                "negative_prompt": options["negative_prompt"],
                "height": options["height"],
                "width": options["width"],
            },
        )
        self.stdout.write(f"campaign {campaign.slug} {'created' if created else 'resumed'}")
        if campaign.status in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
            budget = options["budget_minutes"]
            samples = start_generation(
                campaign=campaign,
                priority=options["priority"],
                budget_seconds=None if budget is None else max(1, round(60 * budget)),
            )
            wait_for_samples(samples, campaign.slug)
            wait_for_checks(campaign, samples)
            self._make_gold(campaign, options["gold"])
            if options["no_open"]:
                self._print_filter(campaign)
                self.stdout.write(
                    f"{campaign.slug} is ready and not open. Look at its gold pairs with "
                    f"`manage.py make_gold {campaign.slug} --sheet gold.html`; the same command "
                    "without --no-open opens it."
                )
                return
            self._open(campaign)
        self._print_summary(campaign, options["site"])

    def _open(self, campaign: Campaign) -> None:
        columns = (TextColumn("opening"), BarColumn(), MofNCompleteColumn(), TextColumn("slots"))
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=None)
            open_campaign(
                campaign=campaign,
                on_progress=lambda made, total: bar.update(task, completed=made, total=total),
            )

    def _make_gold(self, campaign: Campaign, file: Path | None) -> None:
        """Take the gold pairs of the file; make what the rules need besides, and examples."""
        if file is not None:
            import_gold_pairs(campaign=campaign, path=file)
        quality = campaign.checked_rules.quality
        criteria = campaign.criteria.count()
        needed: dict[str, int] = {
            GoldPair.Purpose.QUALIFICATION: -(-quality.qualification_pairs // criteria),
            GoldPair.Purpose.CHECK: CHECKS_PER_CRITERION if quality.gold_rate else 0,
        }
        make_gold_pairs(campaign=campaign, counts=needed)
        try:
            make_gold_pairs(campaign=campaign, counts={GoldPair.Purpose.EXAMPLE: 1})
        except BadInputError as error:  # the page explains itself without them too
            self.stderr.write(f"no example pairs for the welcome page: {error}")

    def _print_filter(self, campaign: Campaign) -> None:
        if line := filter_summary(campaign):
            self.stdout.write(line)

    def _print_summary(self, campaign: Campaign, site: str) -> None:
        comparisons = campaign.comparisons.count()
        votes = sum(
            criterion.k * criterion.comparisons.count() for criterion in campaign.criteria.all()
        )
        link = site.rstrip("/") + reverse("annotation:work", args=[campaign.invitation])
        self.stdout.write(
            f"{campaign.slug} is {campaign.status}: {campaign.checkpoint_a} (A) against "
            f"{campaign.checkpoint_b} (B), {comparisons:,} comparisons, {votes:,} votes wanted, "
            f"protocol {campaign.protocol_sha256[:12]}"
        )
        self._print_filter(campaign)
        self.stdout.write(f"annotators: {link}")


def _rules(options: dict[str, Any]) -> Rules:
    rules = read_rules(options["rules"]) if options["rules"] else Rules()
    return rules if options["safety"] is None else rules.with_safety(options["safety"])


def _slug(options: dict[str, Any]) -> str:
    slug = options["name"] or f"{options['checkpoint_a']}-vs-{options['checkpoint_b']}"
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise BadInputError(
            f"{slug!r} cannot name a campaign; use letters, digits, hyphens and underscores."
        ) from error
    return str(slug)


def _criteria(options: dict[str, Any]) -> list[CriterionPlan]:
    """Return the preset's plans, narrowed and reordered by --criteria, with --k put in."""
    preset = {plan.kind: plan for plan in PRESETS[options["preset"]]}
    names = (options["criteria"] or ",".join(preset)).split(",")
    kinds = [name.strip() for name in names if name.strip()]
    plans = [preset.get(kind, CriterionPlan(kind)) for kind in kinds]
    return plans if options["k"] is None else [replace(plan, k=options["k"]) for plan in plans]


def _check_numbers(options: dict[str, Any]) -> None:
    """Refuse numbers out of range at the door, before anything is stored."""
    ranges = {
        "steps": (1, 1000),
        "guidance": (0.0, 100.0),
        "seed": (0, 2**63 - 1),
        "limit": (1, 10**9),
        "height": (8, 8192),
        "width": (8, 8192),
        "priority": (-1000, 1000),
        "budget_minutes": (1 / 60, 10**7),
    }
    for name, (low, high) in ranges.items():
        value = options[name]
        if value is not None and not low <= value <= high:
            raise BadInputError(
                f"--{name.replace('_', '-')} {value} is out of range; accepted: {low} to {high}."
            )
