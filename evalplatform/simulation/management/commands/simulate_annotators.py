"""Rehearse a campaign with simulated annotators."""

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evalplatform.accounts.services import ensure_simulated_annotator
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.selectors import votes_missing
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_url
from evalplatform.simulation.behaviour import NoReferences, References, draw_behaviour
from evalplatform.simulation.client import SimulatedAnnotator
from evalplatform.simulation.references import ManifestReferences

POLL_SECONDS = 0.5


class Command(PlatformCommand):
    help = (
        "Let simulated annotators vote on an open campaign through the running site, until every "
        "comparison has its k votes. Each is a separate HTTP client with a seeded preference "
        "model, noise, side bias and tie rate. Their votes are marked simulated everywhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of an open campaign")
        parser.add_argument(
            "--annotators", type=int, default=12, help="how many (default: %(default)s)"
        )
        parser.add_argument("--seed", type=int, default=0, help="seed (default: %(default)s)")
        parser.add_argument(
            "--site", help="address of the site to vote at (default: the setting SITE_URL)"
        )
        parser.add_argument(
            "--references",
            type=Path,
            metavar="MANIFEST",
            help="manifest.jsonl of captioned pictures, by which text faithfulness is judged",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        _check(campaign, options["annotators"])
        references: References = NoReferences()
        if options["references"]:
            references = ManifestReferences(options["references"])
        clients = [
            self._client(campaign, index, references, options)
            for index in range(options["annotators"])
        ]
        self._run(campaign, clients)
        missing = votes_missing(campaign)
        self.stdout.write(
            f"{campaign.slug}: every comparison has its votes (all by {len(clients)} simulated "
            f"annotators or people before them)"
            if not missing
            else f"{campaign.slug}: {missing} votes are still missing: others hold those slots now"
        )

    def _client(
        self, campaign: Campaign, index: int, references: References, options: dict[str, Any]
    ) -> SimulatedAnnotator:
        behaviour = draw_behaviour(seed=options["seed"], index=index)
        annotator = ensure_simulated_annotator(
            pseudonym=f"sim-{options['seed']}-{index:02d}", behaviour=behaviour.as_dict()
        )
        path = reverse("annotation:work", args=[campaign.invitation])
        site = (options["site"] or site_url()).rstrip("/")
        link = f"{site}{path}?key={annotator.access_key}"
        return SimulatedAnnotator(link=link, behaviour=behaviour, references=references)

    def _run(self, campaign: Campaign, clients: list[SimulatedAnnotator]) -> None:
        total = Assignment.objects.filter(campaign=campaign).main().count()
        columns = (
            TextColumn("voting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("votes"),
            TimeRemainingColumn(),
        )
        with (
            Progress(*columns, console=Console(stderr=True)) as bar,
            ThreadPoolExecutor(max_workers=len(clients)) as pool,
        ):
            task = bar.add_task("", total=total, completed=total - votes_missing(campaign))
            jobs = [pool.submit(client.judge_all) for client in clients]
            # Counted in the database: what a client judges may be a check, which is no vote.
            while wait(jobs, timeout=POLL_SECONDS).not_done:
                bar.update(task, completed=total - votes_missing(campaign))
            bar.update(task, completed=total - votes_missing(campaign))
            for job in jobs:
                job.result()


def _check(campaign: Campaign, annotators: int) -> None:
    needed = max(criterion.k for criterion in campaign.criteria.all())
    if annotators < needed:
        raise BadInputError(
            f"{annotators} annotators cannot give {needed} votes each comparison; "
            f"use --annotators {needed} or more."
        )
    if campaign.status != Campaign.Status.OPEN:
        raise BadInputError(
            f"campaign {campaign.slug!r} is {campaign.status}; only an open campaign takes votes."
        )
