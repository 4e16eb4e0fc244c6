"""What `manage.py feedback start` can be asked, and what it makes of that."""

from pathlib import Path
from typing import Any, get_args

from django.core.management.base import CommandParser

from evalplatform.accounts.commands import add_project_option
from evalplatform.campaigns.criteria import CRITERIA
from evalplatform.campaigns.rules import Rules
from evalplatform.campaigns.rules_file import read_rules
from evalplatform.feedback.services import LoopWish
from evalplatform.runs.choices import Sampler

ASPECTS = ["attribute_binding", "spatial_relationship", "non_spatial_relationship"]


def add_start_arguments(parser: CommandParser) -> None:
    """Declare the options of `start`."""
    parser.add_argument("name", help="of the loop")
    parser.add_argument(
        "--gallery", action="append", required=True, metavar="MODEL",
        help="a registered checkpoint or image collection; give two to eight",
    )  # fmt: skip
    parser.add_argument("--tune", required=True, metavar="CHECKPOINT", help="what is tuned first")
    parser.add_argument("--prompts", required=True, metavar="SET", help="that people rank on")
    parser.add_argument(
        "--proof-prompts", required=True, metavar="SET",
        help="that the child is proved on; shares no prompt with the other set",
    )  # fmt: skip
    parser.add_argument(
        "--aspect", action="append", dest="aspects", choices=list(CRITERIA), metavar="CRITERION",
        help=f"what people rank by; may be repeated (default: {', '.join(ASPECTS)})",
    )  # fmt: skip
    parser.add_argument("--k", type=int, default=3, help="annotators an item (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--verify", type=float, default=0.1, metavar="SHARE",
        help="of the prompts on which people rank a child too (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--floor", type=float, default=0.6, metavar="SHARE",
        help="of the pairs placed by rewards that people must agree with (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--rules", type=Path, metavar="TOML", help="docs/campaign-rules.md")
    parser.add_argument("--sampler", choices=get_args(Sampler), default="ddim")
    parser.add_argument("--steps", type=int, default=25, help="of the sampler (%(default)s)")
    parser.add_argument("--guidance", type=float, default=4.0, help="(%(default)s)")
    add_project_option(parser)


def wish_of(options: dict[str, Any]) -> LoopWish:
    """Return the whole request."""
    return LoopWish(
        name=options["name"],
        gallery=options["gallery"],
        tuned=options["tune"],
        prompts=options["prompts"],
        proof_prompts=options["proof_prompts"],
        aspects=options["aspects"] or ASPECTS,
        sampler={
            "sampler": options["sampler"], "steps": options["steps"],
            "guidance_scale": options["guidance"], "negative_prompt": "",
            "height": None, "width": None,
        },
        k=options["k"],
        seed=options["seed"],
        verified_share=options["verify"],
        agreement_floor=options["floor"],
        rules=read_rules(options["rules"]) if options["rules"] else Rules(),
    )  # fmt: skip
