"""Make, look at and close a flow: one question that a trainer asks again and again."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.campaigns.criteria import CRITERIA, plan_criterion
from evalplatform.campaigns.rules import Rules
from evalplatform.campaigns.rules_file import read_rules
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.site import site_link
from evalplatform.core.words import counted
from evalplatform.flows import services
from evalplatform.flows.models import Flow
from evalplatform.flows.selectors import batches, flow_named


class Command(PlatformCommand):
    help = (
        "A flow asks people one question again and again while a model is trained "
        "(docs/flows.md): start makes one and prints the annotators' link; status says what was "
        "asked; close takes no more batches and ends those under way."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_start(verbs.add_parser("start", help="make a flow"))
        verbs.add_parser("status", help="its batches, the latest first").add_argument("name")
        verbs.add_parser("close", help="take no more batches").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["verb"])(options)

    def start(self, options: dict[str, Any]) -> None:
        """Make a flow and say where people come and where a trainer asks."""
        form = options["form"]
        flow = services.make_flow(
            project=project_of(options),
            plan=services.FlowPlan(
                name=options["name"],
                criterion=plan_criterion(options["criterion"], options["k"], form),
                images_per_panel=options["images"] or services.usual_size(form),
                deadline_seconds=options["deadline"],
                rules=read_rules(options["rules"]) if options["rules"] else Rules(),
            ),
            user=None,
        )
        self.stdout.write(f"flow {flow} asks {flow.plan.question!r}")
        self._say(flow)

    def status(self, options: dict[str, Any]) -> None:
        """Print a flow and its latest batches."""
        flow = flow_named(options["name"])
        services.settle_due(flow=flow, now=timezone.now())
        self.stdout.write(
            f"flow {flow} is {flow.status}, {counted(flow.batches.count(), 'batch', 'batches')}"
        )
        for batch in batches(flow)[:20]:
            self.stdout.write(
                f"{batch.number:6}  {batch.status:8} {batch.panel_count} panels, until "
                f"{batch.deadline_at:%Y-%m-%d %H:%M:%S} UTC  {batch.reason}".rstrip()
            )
        self._say(flow)

    def close(self, options: dict[str, Any]) -> None:
        """Close a flow; what was said stays."""
        flow = flow_named(options["name"])
        services.close_flow(flow=flow, now=timezone.now())
        self.stdout.write(f"flow {flow} is closed; what was said stays")

    def _say(self, flow: Flow) -> None:
        self.stdout.write(f"{'annotators':12}{site_link(flow.entrance)}")
        self.stdout.write(f"{'page':12}{site_link(flow.get_absolute_url())}")
        self.stdout.write(f"{'trainer':12}{site_link(f'/api/v1/flows/{flow}')}")


def _add_start(parser: CommandParser) -> None:
    parser.add_argument("name", help="letters, digits, hyphens and underscores, 40 at most")
    parser.add_argument(
        "--criterion", choices=list(CRITERIA), default="visual_appeal", metavar="CRITERION",
        help="what is asked, as shipped (%(default)s); your own by the API",
    )  # fmt: skip
    parser.add_argument(
        "--form", choices=services.FORMS_OF_FLOWS, default="ranking", help="(%(default)s)"
    )
    parser.add_argument("--k", type=int, default=3, help="annotators a panel (%(default)s)")
    parser.add_argument(
        "--images", type=int, metavar="N", help="a panel (default: 4 to rank, 2 as a pair, else 1)"
    )
    parser.add_argument(
        "--deadline", type=int, default=3600, metavar="SECONDS",
        help="how long people have for a batch that says nothing else (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--rules", type=Path, metavar="TOML", help="docs/campaign-rules.md")
    add_project_option(parser)
