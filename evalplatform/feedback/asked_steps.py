"""The steps of a round as a worker does them, one after the other, when a script asks."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.services.standby import standing_by
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.feedback.folders import working_on
from evalplatform.feedback.models import FeedbackRound
from evalplatform.feedback.services import (
    count_agreement,
    export_preferences,
    insert_child,
    register_child,
    request_newcomers,
    start_proof,
    start_verification,
)
from evalplatform.feedback.training import train_child, train_quietly, train_rewards
from evalplatform.generation.models import Sample

# No text: it could name a file of this machine.
_SETTING = re.compile(
    r"[a-z_]+(\.[a-z_0-9]+)?=(true|false|[-+0-9.eE]+|\[[-+0-9.eE, ]*\]|\"(sigmoid|ipo|winners)\")"
)


@dataclass(frozen=True)
class AskedStep:
    """A step of a round.

    Attributes:
        verb: of `VERBS`.
        recipe: of tune: preference or feedback.
        steps: of tune; None: the recipe's.
        settings: of tune, as the trainer's `--set` takes them; numbers, truth values, lists.
    """

    verb: str
    recipe: str = "preference"
    steps: int | None = None
    settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the command refuses, and settings that are text."""
        if self.verb not in VERBS:
            raise BadInputError(f"no step {self.verb!r}; there are {', '.join(VERBS)}.")
        if self.recipe not in ("preference", "feedback"):
            raise BadInputError(f"no recipe {self.recipe!r}; accepted are preference, feedback.")
        wrong = next((each for each in self.settings if not _SETTING.fullmatch(each)), None)
        if wrong is not None:
            raise BadInputError(
                f"the setting {wrong[:80]!r} is none of KEY=VALUE with a number, true, false or a "
                "list of numbers; what names files is set by the command."
            )


def do_step(*, round: FeedbackRound, step: AskedStep, user: User | None) -> str:
    """Do a step; return what it came to, in a few words. Asked again, what is done is found done.

    Raises `BadInputError` as the step does: an earlier one comes first, people still vote.
    """
    return VERBS[step.verb](round, step, user)


def _export(round: FeedbackRound, step: AskedStep, user: User | None) -> str:
    with working_on(round):
        found = export_preferences(round=round)
    return counted(found.preferences["pairs"], "pair")


def _train(round: FeedbackRound, step: AskedStep, user: User | None) -> str:
    with working_on(round), standing_by():
        made = train_rewards(round, features="fixed", train=train_quietly)
    return ", ".join(each.name for each in made)[:80]


def _tune(round: FeedbackRound, step: AskedStep, user: User | None) -> str:
    if round.child is None:
        with working_on(round):
            made = train_child(
                round, recipe=step.recipe, steps=step.steps, overrides=step.settings,
                train=train_quietly,
            )  # fmt: skip
            round = register_child(round=round, source=made)
    return str(round.child)


def _expand(round: FeedbackRound, step: AskedStep, user: User | None) -> str:
    asked = round.verification
    if asked is not None and asked.status == Campaign.Status.CLOSED:
        with working_on(round), standing_by():
            found = count_agreement(round=round)
        return f"people agree with {found.agreed:,} of {found.compared:,} pairs"
    samples = request_newcomers(round=round)
    waiting = sum(each.status != Sample.Status.READY for each in samples)
    if waiting:
        raise BadInputError(
            f"{waiting:,} of {len(samples):,} images of the child are being made; ask again when "
            "they are there."
        )
    with working_on(round):
        round = insert_child(round=round, samples=samples)
    return start_verification(round=round, created_by=user).slug


def _prove(round: FeedbackRound, step: AskedStep, user: User | None) -> str:
    return start_proof(round=round, created_by=user).slug


VERBS: dict[str, Callable[[FeedbackRound, AskedStep, User | None], str]] = {
    "export": _export, "train": _train, "tune": _tune, "expand": _expand, "prove": _prove,
}  # fmt: skip
