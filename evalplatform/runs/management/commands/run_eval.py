"""From checkpoints to an open campaign."""

from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.commands import project_of
from evalplatform.annotation.doors.wording import door_in_words
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Door
from evalplatform.campaigns.safety import screen
from evalplatform.campaigns.sample_faults import (
    READ_RULE,
    SampleFaults,
    count_faults,
    frozen_faults,
    refuse_faults,
)
from evalplatform.campaigns.selectors import all_pictures, campaign_named, ready_sets
from evalplatform.campaigns.transparent_arms import ground_caution
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.core.words import counted
from evalplatform.reports.conditions import imported_arms
from evalplatform.runs.checking import filter_summary
from evalplatform.runs.dry_run import dry_run
from evalplatform.runs.management import run_eval_options as asked
from evalplatform.runs.management.generation_wait import wait_for_samples
from evalplatform.runs.management.opening_bars import OpeningBars
from evalplatform.runs.management.safety_wait import wait_for_checks
from evalplatform.runs.power import ASSUMED
from evalplatform.runs.run_plans import choices_of_plan
from evalplatform.runs.services import (
    open_run,
    prepare_gold,
    request_samples,
    resume_run,
    start_run,
)


class Command(PlatformCommand):
    help = (
        "Compare two checkpoints, or rank more: create a campaign, have Celery workers generate "
        "every sample, open it when all exist and print the annotators' link. Interrupted, "
        "`run_eval --resume NAME` goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        asked.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        options = asked.checked(options)
        if options["dry_run"]:
            self._rehearse(options)
            return
        campaign, created = self._resumed(options) or start_run(
            project=project_of(options), plan=asked.plan(options)
        )
        if not campaign.is_frozen:
            self.stdout.write(f"campaign {campaign.slug} {'created' if created else 'resumed'}")
            samples = request_samples(campaign=campaign)
            if samples:
                wait_for_samples(samples, campaign.slug)
            wait_for_checks(campaign, all_pictures(ready_sets(campaign)))
            if not self._look_at_samples(campaign):
                return
            for line in prepare_gold(campaign=campaign):
                self.stderr.write(line)
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
        resume_run(
            campaign=campaign,
            opens_when_ready=options["open"],
            allowances=asked.allowances(options),
            priority=options["priority"],
            budget_seconds=asked.budget_seconds(options),
        )
        return campaign, False

    def _rehearse(self, options: dict[str, Any]) -> None:
        """Print what it would come to. Raises `BadInputError` where it could not begin."""
        choices = choices_of_plan(asked.plan(options))
        found = dry_run(choices=choices, project=project_of(options), now=timezone.now())
        if found.errors:
            raise BadInputError(" ".join(found.errors))
        self.stdout.writelines(f"{line}\n" for line in found.lines())
        if found.power:
            self.stdout.write(ASSUMED)

    def _look_at_samples(self, campaign: Campaign) -> bool:
        """Say what is wrong with the samples; return whether the campaign is to go on.

        Raises `BadInputError` where it would open with more than its rules let through.
        """
        sets = screen(campaign, ready_sets(campaign)).passed
        self._print_samples(campaign, count_faults(campaign, sets))
        try:
            refuse_faults(campaign, sets)
        except BadInputError as error:
            if campaign.opens_when_ready:
                raise
            self.stderr.write(error.for_command())
            return False
        return True

    def _open(self, campaign: Campaign) -> None:
        with OpeningBars() as bars:
            open_run(
                campaign=campaign,
                on_packed=bars.on_packed,
                on_images=bars.on_images,
                on_slots=bars.on_slots,
            )

    def _print_samples(self, campaign: Campaign, faults: SampleFaults) -> None:
        self.stdout.write("samples:")
        names = [arm.name for arm in campaign.contenders]
        for line in faults.lines(names, imported_arms(campaign)):
            self.stdout.write(f"  {line}")
        if faults.some_are_cut:
            self.stdout.write(f"  {READ_RULE}")
        if caution := ground_caution(campaign):
            self.stdout.write(f"  {caution}")

    def _print_filter(self, campaign: Campaign) -> None:
        if line := filter_summary(campaign):
            self.stdout.write(line)

    def _print_ready(self, campaign: Campaign) -> None:
        self._print_filter(campaign)
        self.stdout.write(
            f"{campaign.slug} is ready and not open. Look at its gold with "
            f"`manage.py make_gold {campaign.slug} --sheet gold.html`; "
            f"`manage.py run_eval --resume {campaign.slug} --open` opens it."
        )

    def _print_summary(self, campaign: Campaign) -> None:
        counts = {
            criterion: criterion.items.main().count() for criterion in campaign.criteria.all()
        }
        votes = sum(criterion.k * count for criterion, count in counts.items())
        arms = ", ".join(f"{arm.letter} = {arm.name}" for arm in campaign.contenders)
        self.stdout.write(
            f"{campaign.slug} is {campaign.status}: {arms}; "
            f"{counted(sum(counts.values()), 'item')}, "
            f"{counted(votes, 'vote')} wanted, protocol {campaign.protocol_sha256[:12]}"
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
    door = f"door: {door_in_words(campaign)}"
    if campaign.checked_rules.annotation.door is Door.INVITATIONS:
        door += f"; `manage.py invite {campaign.slug} --count N` makes their links"
    if campaign.status == Campaign.Status.PAUSED:
        return (
            f"annotators: {link} (paused: nobody gets a pair until `manage.py pause_campaign "
            f"{campaign.slug} --resume`)\n{door}"
        )
    return f"annotators: {link}\n{door}"
