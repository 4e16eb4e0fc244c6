"""Rehearse a campaign with simulated annotators."""

from collections.abc import Sequence
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
from evalplatform.core.words import counted
from evalplatform.simulation.behaviour import Judge
from evalplatform.simulation.client import SimulatedAnnotator
from evalplatform.simulation.group import draw_group, draw_known_group
from evalplatform.simulation.known_quality import known_images, read_truth
from evalplatform.simulation.reviewers import ROLES, Reviewer, draw_reviewers

POLL_SECONDS = 0.5


class Command(PlatformCommand):
    help = (
        "Let simulated annotators vote on an open campaign through the running site, until every "
        "item has its k votes. Each is a separate HTTP client with a seeded preference "
        "model. With a curation their taste for appeal is learned from its picks, else it is "
        "arithmetic on pixels. It is a rehearsal and no evidence of quality: their votes are "
        "marked simulated everywhere."
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
            "--curation",
            type=Path,
            metavar="FOLDER",
            help="captioned data set (manifest.jsonl) of which --picked names the picks",
        )
        parser.add_argument(
            "--picked", type=Path, metavar="TSV", help="style and concept of each picked drawing"
        )
        parser.add_argument(
            "--references",
            type=Path,
            metavar="FOLDER",
            help="held-out drawings (manifest.jsonl) by which text faithfulness is judged; refused "
            "where the curation holds one of them. Without: faithfulness is guessed",
        )

        parser.add_argument(
            "--truth",
            type=Path,
            metavar="TSV",
            help="quality of each image of a pool's stage, by SHA-256 of its source file: they are "
            "reviewers then, who keep by it with noise and mark heads",
        )
        parser.add_argument(
            "--role", choices=list(ROLES), default="generalists", help="of such reviewers"
        )
        parser.add_argument(
            "--noise", type=float, default=0.1, help="of what they think of a quality (%(default)s)"
        )
        parser.add_argument(
            "--known",
            action="store_true",
            help="all value one known formula (clear drawing; strong colour where the prompt is "
            "shown), so that what is true can be computed; for rehearsals of a feedback loop",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        _check(campaign, options["annotators"])
        judges = _judges(campaign, options)
        self.stdout.write(f"{campaign.slug}: {judges[0].as_dict()['says']}")
        clients = [
            self._client(campaign, index, judge, options) for index, judge in enumerate(judges)
        ]
        self._run(campaign, clients)
        missing = votes_missing(campaign)
        self.stdout.write(
            f"{campaign.slug}: every item has its votes (all by "
            f"{counted(len(clients), 'simulated annotator')} or people before them)"
            if not missing
            else f"{campaign.slug}: {counted(missing, 'vote is', 'votes are')} still missing: "
            "others hold those slots now"
        )

    def _client(
        self, campaign: Campaign, index: int, judge: Judge | Reviewer, options: dict[str, Any]
    ) -> SimulatedAnnotator:
        kind = f"sim-{judge.role}" if isinstance(judge, Reviewer) else "sim"
        kind += "-known" if options["known"] else ""
        annotator = ensure_simulated_annotator(
            pseudonym=f"{kind}-{options['seed']}-{index:02d}", behaviour=judge.as_dict()
        )
        path = reverse("annotation:work", args=[campaign.invitation])
        site = (options["site"] or site_url()).rstrip("/")
        link = f"{site}{path}?key={annotator.access_key}"
        return SimulatedAnnotator(link=link, judge=judge)

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


def _judges(campaign: Campaign, options: dict[str, Any]) -> Sequence[Judge | Reviewer]:
    """Return who votes: by known quality where a truth is given, by one formula, or by taste."""
    if options["truth"] is not None:
        known = known_images(campaign, read_truth(options["truth"]))
        return draw_reviewers(
            options["annotators"], role=options["role"], seed=options["seed"], known=known,
            noise=options["noise"],
        )  # fmt: skip
    taught_by = {name: options[name] for name in ("curation", "picked", "references")}
    if not options["known"]:
        return draw_group(options["annotators"], seed=options["seed"], **taught_by).judges
    if any(each is not None for each in taught_by.values()):
        raise BadInputError(
            "a known utility is a formula and learned from nothing; leave --curation, --picked and "
            "--references out."
        )
    return draw_known_group(options["annotators"], seed=options["seed"]).judges


def _check(campaign: Campaign, annotators: int) -> None:
    needed = max(criterion.k for criterion in campaign.criteria.all())
    if annotators < needed:
        raise BadInputError(
            f"{counted(annotators, 'annotator')} cannot give each item its "
            f"{counted(needed, 'vote')}; "
            f"use --annotators {needed} or more."
        )
    if campaign.status != Campaign.Status.OPEN:
        raise BadInputError(
            f"campaign {campaign.slug!r} is {campaign.status}; only an open campaign takes votes."
        )
