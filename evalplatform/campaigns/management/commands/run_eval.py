"""From two checkpoints to an open campaign."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction
from django.urls import reverse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.management import run_eval_options as asked
from evalplatform.campaigns.management.generation_wait import wait_for_samples
from evalplatform.campaigns.management.safety_wait import filter_summary, wait_for_checks
from evalplatform.campaigns.models import Campaign, GoldPair
from evalplatform.campaigns.safety import screen
from evalplatform.campaigns.sample_faults import (
    READ_RULE,
    SampleFaults,
    count_faults,
    frozen_faults,
    refuse_faults,
)
from evalplatform.campaigns.selectors import campaign_named, sample_pairs
from evalplatform.campaigns.services import allow, create_campaign, plan_opening, start_generation
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.generation.models import Sample
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.quality.services import import_gold_pairs, make_gold_pairs

CHECKS_PER_CRITERION = 20  # an annotator meets each gold pair once


class Command(PlatformCommand):
    help = (
        "Compare checkpoint A with checkpoint B: create a campaign, have Celery workers generate "
        "every sample, open it when all exist and print the annotators' link. Interrupted, "
        "`run_eval --resume NAME` goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        asked.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        options = asked.checked(options)
        with transaction.atomic():  # priority and budget are kept with what was asked
            campaign, created = self._resumed(options) or self._created(options)
            samples = self._generate(campaign, options)
        if not campaign.is_frozen:
            self.stdout.write(f"campaign {campaign.slug} {'created' if created else 'resumed'}")
            wait_for_samples(samples, campaign.slug)
            wait_for_checks(campaign, samples)
            if not self._look_at_samples(campaign):
                return
            self._make_gold(campaign)
            if not campaign.opens_when_ready:
                self._print_ready(campaign)
                return
            self._open(campaign)
        elif faults := frozen_faults(campaign):
            self._print_samples(campaign, faults)
        self._print_summary(campaign)

    def _resumed(self, options: dict[str, Any]) -> tuple[Campaign, bool] | None:
        """Return the campaign to go on with, as it was asked."""
        if not options["resume"]:
            return None
        campaign = campaign_named(options["resume"])
        allow(campaign=campaign, **asked.allowances(options))
        if options["open"] is not None:
            plan_opening(campaign=campaign, gold_file=None, opens_when_ready=options["open"])
        return campaign, False

    def _created(self, options: dict[str, Any]) -> tuple[Campaign, bool]:
        campaign, created = create_campaign(
            slug=asked.slug(options),
            checkpoint_a=registered_checkpoint(options["checkpoint_a"]),
            checkpoint_b=registered_checkpoint(options["checkpoint_b"]),
            prompt_sets=[prompt_set_named(name) for name in dict.fromkeys(options["prompts"])],
            criteria=asked.criteria(options),
            rules=asked.rules(options),
            seed=options["seed"],
            prompts_per_set=options["limit"],
            settings=asked.sampler_settings(options),
        )
        plan_opening(
            campaign=campaign,
            gold_file=options["gold"],
            opens_when_ready=options["open"] is not False,
        )
        return campaign, created

    def _generate(self, campaign: Campaign, options: dict[str, Any]) -> list[Sample]:
        if campaign.is_frozen:
            return []
        return start_generation(
            campaign=campaign,
            priority=options["priority"],
            budget_seconds=asked.budget_seconds(options),
        )

    def _look_at_samples(self, campaign: Campaign) -> bool:
        """Say what is wrong with the samples; return whether the campaign is to go on.

        Raises `BadInputError` where it would open with more than its rules let through.
        """
        pairs = screen(campaign, sample_pairs(campaign)).passed
        self._print_samples(campaign, count_faults(pairs))
        try:
            refuse_faults(campaign, pairs)
        except BadInputError as error:
            if campaign.opens_when_ready:
                raise
            self.stderr.write(str(error))
            return False
        return True

    def _open(self, campaign: Campaign) -> None:
        columns = (
            TextColumn("opening"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            images, slots = (bar.add_task(each, total=None) for each in ("images", "slots"))
            open_campaign(
                campaign=campaign,
                on_images=lambda made, total: bar.update(images, completed=made, total=total),
                on_progress=lambda made, total: bar.update(slots, completed=made, total=total),
            )

    def _make_gold(self, campaign: Campaign) -> None:
        """Take the gold pairs of the file; make what the rules need besides, and examples."""
        if campaign.gold_file:
            import_gold_pairs(campaign=campaign, path=Path(campaign.gold_file))
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

    def _print_samples(self, campaign: Campaign, faults: SampleFaults) -> None:
        self.stdout.write("samples:")
        for line in faults.lines(campaign.checkpoint_a.name, campaign.checkpoint_b.name):
            self.stdout.write(f"  {line}")
        if faults.some_are_cut:
            self.stdout.write(f"  {READ_RULE}")

    def _print_filter(self, campaign: Campaign) -> None:
        if line := filter_summary(campaign):
            self.stdout.write(line)

    def _print_ready(self, campaign: Campaign) -> None:
        self._print_filter(campaign)
        self.stdout.write(
            f"{campaign.slug} is ready and not open. Look at its gold pairs with "
            f"`manage.py make_gold {campaign.slug} --sheet gold.html`; "
            f"`manage.py run_eval --resume {campaign.slug} --open` opens it."
        )

    def _print_summary(self, campaign: Campaign) -> None:
        comparisons = campaign.comparisons.count()
        votes = sum(
            criterion.k * criterion.comparisons.count() for criterion in campaign.criteria.all()
        )
        self.stdout.write(
            f"{campaign.slug} is {campaign.status}: {campaign.checkpoint_a} (A) against "
            f"{campaign.checkpoint_b} (B), {comparisons:,} comparisons, {votes:,} votes wanted, "
            f"protocol {campaign.protocol_sha256[:12]}"
        )
        self._print_filter(campaign)
        self.stdout.write(_where_to_go_on(campaign))


def _where_to_go_on(campaign: Campaign) -> str:
    if campaign.status == Campaign.Status.CLOSED:
        return (
            f"it was closed on {campaign.closed_at:%Y-%m-%d} and takes no more votes; read it with "
            f"`manage.py report {campaign.slug}`"
        )
    link = site_link(reverse("annotation:work", args=[campaign.invitation]))
    if campaign.status == Campaign.Status.PAUSED:
        return (
            f"annotators: {link} (paused: nobody gets a pair until `manage.py pause_campaign "
            f"{campaign.slug} --resume`)"
        )
    return f"annotators: {link}"
