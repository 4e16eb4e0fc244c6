"""Which steps a round has, and where it stands: what pages and the command say next. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from evalplatform.core.words import counted

CLOSED = "closed"


class StepState(StrEnum):
    """How far a step is."""

    DONE = "done"
    NOW = "now"  # it can be done
    PEOPLE = "people"  # waits for votes
    LATER = "later"  # an earlier one comes first
    STOPPED = "stopped"


@dataclass(frozen=True)
class RoundFacts:
    """What a round has come to; statuses of campaigns, None where there is none.

    `named`: its number, where it is not the last and a command must name it; else None.
    """

    loop: str
    named: int | None
    rankings: str | None
    rankings_name: str
    has_preferences: bool
    rewards: int
    has_child: bool
    is_inserted: bool
    verification: str | None
    verification_name: str
    agreement: float | None
    floor: float
    proof: str | None
    proof_name: str


@dataclass(frozen=True)
class RoundStep:
    """One step of a round.

    Attributes:
        verb: of `manage.py feedback`.
        says: what it comes to, or what it waits for.
        command: what does it, where it can be done from here.
    """

    verb: str
    label: str
    state: StepState
    says: str
    command: str = ""


def steps_of(facts: RoundFacts) -> list[RoundStep]:
    """Return the steps of a round in their order."""
    return list(_steps(facts))


def next_step(steps: list[RoundStep]) -> RoundStep | None:
    """Return the first step that is to be done or waited for; None where all are done."""
    return next((each for each in steps if each.state is not StepState.DONE), None)


def _steps(facts: RoundFacts) -> Iterator[RoundStep]:
    yield _rankings(facts)
    is_ranked = facts.rankings in (None, CLOSED)
    yield _step(
        facts, "export", "Preferences", facts.has_preferences, is_ranked, "a preference set"
    )
    trained = counted(facts.rewards, "reward model") if facts.rewards else ""
    yield _step(
        facts, "train", "Rewards", facts.rewards > 0, facts.has_preferences,
        trained or "a reward model an aspect, a judge",
    )  # fmt: skip
    yield _step(facts, "tune", "Child", facts.has_child, facts.rewards > 0, "a tuned checkpoint")
    yield _insertion(facts)
    yield _verification(facts)
    yield _proof(facts)


def _step(
    facts: RoundFacts, verb: str, label: str, is_done: bool, may_begin: bool, says: str
) -> RoundStep:
    if is_done:
        return RoundStep(verb, label, StepState.DONE, says)
    if may_begin:
        return RoundStep(verb, label, StepState.NOW, says, _command(facts, verb))
    return RoundStep(verb, label, StepState.LATER, says)


def _command(facts: RoundFacts, verb: str) -> str:
    which = f" --round {facts.named}" if facts.named else ""
    return f"python manage.py feedback {verb} {facts.loop}{which}"


def _rankings(facts: RoundFacts) -> RoundStep:
    if facts.rankings is None:
        return RoundStep("start", "Rankings", StepState.DONE, "from the round before")
    state = StepState.DONE if facts.rankings == CLOSED else StepState.PEOPLE
    return RoundStep("start", "Rankings", state, f"{facts.rankings_name} is {facts.rankings}")


def _insertion(facts: RoundFacts) -> RoundStep:
    return _step(
        facts, "expand", "Insertion", facts.is_inserted, facts.has_child,
        "the child's place in every ranking, by reward",
    )  # fmt: skip


def _verification(facts: RoundFacts) -> RoundStep:
    label = "Verification"
    if facts.agreement is not None:
        says = f"people agree with {facts.agreement:.0%} of the places"
        if facts.agreement < facts.floor:
            return RoundStep(
                "expand", label, StepState.STOPPED,
                f"{says}, below {facts.floor:.0%}: no further round is made of these rewards",
            )  # fmt: skip
        return RoundStep("expand", label, StepState.DONE, says)
    if facts.verification is None:
        return RoundStep("expand", label, StepState.LATER, "people rank the child on some prompts")
    says = f"{facts.verification_name} is {facts.verification}"
    if facts.verification == CLOSED:
        return RoundStep("expand", label, StepState.NOW, says, _command(facts, "expand"))
    return RoundStep("expand", label, StepState.PEOPLE, says)


def _proof(facts: RoundFacts) -> RoundStep:
    label = "Proof"
    if facts.proof is None:
        return _step(
            facts, "prove", label, False, facts.has_child, "child against parent, held-out prompts"
        )
    state = StepState.DONE if facts.proof == CLOSED else StepState.PEOPLE
    return RoundStep("prove", label, state, f"{facts.proof_name} is {facts.proof}")
