"""Plan a campaign: prompts, annotators and votes, before money is spent."""

import argparse
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.reports.planning import (
    BOUNDS,
    EXPECTED_ANNOTATOR_SHARE,
    EXPECTED_PROMPT_SHARE,
    EXPECTED_TIES,
    StudyQuestion,
    answer,
    answer_table,
    pilot_components,
)
from evalplatform.stats import Components, StatsError, stated_components

_EXPECTED = {
    "ties": (EXPECTED_TIES, "share of ties"),
    "prompt_share": (EXPECTED_PROMPT_SHARE, "share of variance between prompts"),
    "annotator_share": (EXPECTED_ANNOTATOR_SHARE, "share of variance between annotators"),
}


class Command(PlatformCommand):
    help = (
        "How many prompts, annotators and votes does a campaign need to find a net preference of "
        "--effect (votes for A less votes for B, as a share)? Give one bound: the annotators or "
        "the prompts there are, or the votes one annotator casts at most. How much votes differ "
        "comes from a campaign that serves as --pilot, or is stated. Says the floor that more "
        "prompts cannot lower."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--effect", type=float, required=True, help="e.g. 0.1 for 10 %%")
        bound = parser.add_mutually_exclusive_group(required=True)
        for name in BOUNDS:
            bound.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N")
        parser.add_argument("--pilot", metavar="CAMPAIGN", help="estimate from its votes")
        parser.add_argument(
            "--criterion",
            default="visual_appeal",
            metavar="SLUG",
            help="of the pilot (default: %(default)s)",
        )
        for name, (default, words) in _EXPECTED.items():
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                type=float,
                default=argparse.SUPPRESS,
                help=f"{words}, without a pilot (default: {default}, a guess of ours)",
            )
        parser.add_argument("--votes-per-prompt", type=int, default=5, metavar="K")
        parser.add_argument("--power", type=float, default=0.8, help="(default: %(default)s)")
        parser.add_argument("--price", type=float, help="of one vote, to say what it costs")

    def handle(self, *args: Any, **options: Any) -> None:
        bound = next(name for name in BOUNDS if options[name] is not None)
        question = StudyQuestion(
            components=_components(options),
            effect=options["effect"],
            bound=bound,
            number=options[bound],
            votes_per_prompt=options["votes_per_prompt"],
            power=options["power"],
            price=options["price"],
        )
        self.stdout.write(answer_table(answer(question)), ending="")


def _components(options: dict[str, Any]) -> Components:
    stated = {name: options[name] for name in _EXPECTED if name in options}
    if options["pilot"]:
        if stated:
            given = ", ".join(f"--{name.replace('_', '-')}" for name in stated)
            raise BadInputError(f"{given} would be estimated from --pilot; give one or the other.")
        return pilot_components(campaign_named(options["pilot"]), options["criterion"])
    whole = {name: stated.get(name, default) for name, (default, _) in _EXPECTED.items()}
    try:
        return stated_components(tie=whole.pop("ties"), **whole)
    except StatsError as error:
        raise BadInputError(str(error)) from error
