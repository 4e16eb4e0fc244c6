"""Work with a feedback loop: rank, learn rewards, tune, put the child in, prove it."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.services.standby import standing_by
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.words import counted
from evalplatform.feedback.folders import working_on
from evalplatform.feedback.management.loop_options import add_start_arguments, wish_of
from evalplatform.feedback.models import FeedbackRound
from evalplatform.feedback.selectors import facts_of, latest_round, loop_named
from evalplatform.feedback.services import (
    count_agreement,
    export_preferences,
    insert_child,
    register_child,
    request_newcomers,
    request_of_round,
    start_loop,
    start_proof,
    start_verification,
)
from evalplatform.feedback.steps import steps_of
from evalplatform.feedback.training import train_child, train_rewards
from evalplatform.runs.management.generation_wait import wait_for_samples

_VERBS = {
    "export": "write the preference set that rewards learn from",
    "train": "train the rewards and their judge, and measure them",
    "tune": "tune the child, and register it",
    "expand": "put the child into the rankings; then, when people ranked it too, begin a round",
    "prove": "open the child against its parent, on held-out prompts",
    "status": "what the last round has come to",
}


class Command(PlatformCommand):
    help = (
        "From votes to the next checkpoint (docs/feedback.md): start opens a ranking of a gallery; "
        "export, train and tune make rewards and a child of it; expand puts the child into the "
        "rankings; prove opens its blind campaign against its parent. Each step can be asked "
        "again: what is done is found done, what broke off goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add_start_arguments(verbs.add_parser("start", help="make a loop and open its ranking"))
        for verb, says in _VERBS.items():
            each = verbs.add_parser(verb, help=says)
            each.add_argument("name", help="of the loop")
            each.add_argument("--round", type=int, metavar="N", help="(default: the last)")
            add_project_option(each)
            _add_more(verb, each)

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["verb"])(options)

    def start(self, options: dict[str, Any]) -> None:
        """Make the loop and bring its ranking to its annotators."""
        loop, is_new = start_loop(project=project_of(options), wish=wish_of(options))
        self.stdout.write(f"loop {loop} {'made' if is_new else 'goes on'}")
        rankings = latest_round(loop, 1).rankings
        assert rankings
        self._open(rankings)

    def export(self, options: dict[str, Any]) -> None:
        """Write the preference set of the round's rankings."""
        found = self._round(options)
        with working_on(found):
            found = export_preferences(
                round=found, with_open=options["with_open"], progress=self._votes
            )
        of = found.preferences
        self.stdout.write(
            f"{found.folder / 'preferences'}: {counted(of['pairs'], 'pair')} of "
            f"{of['images']:,} images and "
            f"{counted(of['prompts'], 'prompt')} by {counted(of['annotators'], 'annotator')}, "
            f"{counted(of['ties'], 'tie')}" + ("; SIMULATED" if of["simulated"] else "")
        )

    def train(self, options: dict[str, Any]) -> None:
        """Train the rewards and their judge."""
        found = self._round(options)
        with working_on(found), standing_by():
            rewards = train_rewards(found, features=options["features"])
        for reward in rewards:
            reached = f"{reward.accuracy or '?'}, one person {reward.ceiling or '?'}"
            self.stdout.write(f"{reward.name} ({reward.get_purpose_display()}): {reached}")

    def tune(self, options: dict[str, Any]) -> None:
        """Tune the child, or take it in where it was tuned elsewhere."""
        found = self._round(options)
        if found.child is None:
            with working_on(found):
                source = options["source"] or train_child(
                    found, recipe=options["recipe"], steps=options["steps"],
                    overrides=options["set"],
                )  # fmt: skip
                found = register_child(round=found, source=source)
        assert found.child
        self.stdout.write(f"{found}: {found.child}, sha256 {found.child.sha256}")

    def expand(self, options: dict[str, Any]) -> None:
        """Put the child in; once people have ranked it too, count and go on."""
        found = self._round(options)
        if found.verification and found.verification.status == Campaign.Status.CLOSED:
            self._count(found)
            return
        samples = request_newcomers(round=found)
        wait_for_samples(samples, request_of_round(found))
        with working_on(found):
            found = insert_child(round=found, samples=request_newcomers(round=found))
        self.stdout.write(
            f"{counted(found.insertion['images'], 'image')} placed, "
            f"{counted(found.insertion['pairs'], 'pair')}"
        )
        self._open(start_verification(round=found))

    def _count(self, round: FeedbackRound) -> None:
        with working_on(round), standing_by():
            found = count_agreement(round=round)
        said = f"people agree with {found.agreed:,} of {found.compared:,} pairs"
        if found.is_below_floor:
            self.stdout.write(
                f"{said}: below {found.loop.agreement_floor:.0%}, no further round is made"
            )
            return
        self.stdout.write(f"{said}; round {found.number + 1} tunes {found.child}")

    def prove(self, options: dict[str, Any]) -> None:
        """Bring the proof to its annotators."""
        self._open(start_proof(round=self._round(options)))

    def status(self, options: dict[str, Any]) -> None:
        """Print each step of the round."""
        found = self._round(options)
        self.stdout.write(f"{found}: {found.parent} is tuned")
        for step in steps_of(facts_of(found)):
            self.stdout.write(f"  {step.label:13}{step.state.value:8} {step.says}")
            if step.command:
                self.stdout.write(f"{'':24}{step.command}")

    def _votes(self, count: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(counted(count, "vote"), ending="\r")

    def _round(self, options: dict[str, Any]) -> FeedbackRound:
        return latest_round(loop_named(options["name"], project_of(options)), options["round"])

    def _open(self, campaign: Campaign) -> None:
        """Wait for its samples and open it, as `run_eval` does and resumes."""
        call_command("run_eval", resume=campaign.slug, stdout=self.stdout, stderr=self.stderr)


def _add_more(verb: str, parser: CommandParser) -> None:
    """Declare what one verb alone takes."""
    if verb == "export":
        parser.add_argument(
            "--with-open", action="store_true", help="the votes so far, before it is closed"
        )
    elif verb == "train":
        parser.add_argument(
            "--features", default="fixed", metavar="fixed|DIR",
            help="what rewards look at: our own measures, or the directory of a CLIP, SigLIP, BLIP "
            "or DINOv2 (%(default)s)",
        )  # fmt: skip
    elif verb == "tune":
        parser.add_argument(
            "--recipe", choices=("preference", "feedback"), default="preference",
            help="preference: on pairs (Diffusion-DPO); feedback: by rewards (ReFL) (%(default)s)",
        )  # fmt: skip
        parser.add_argument("--steps", type=int, help="of the tuning (default: the recipe's)")
        parser.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE",
            help="a setting of the recipe: --set training.learning_rate=1e-4 --set beta=500",
        )  # fmt: skip
        parser.add_argument(
            "--from", dest="source", type=Path, metavar="DIR",
            help="take in what was tuned elsewhere from the round's parent",
        )  # fmt: skip
