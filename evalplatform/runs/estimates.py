"""What an estimate says: the numbers that `dry_run` finds, and their words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalplatform.campaigns.prompt_filter import FilterStep
from evalplatform.core.words import counted, time_in_words

USUAL_VOTES_PER_ANNOTATOR = 100  # where neither draft nor session cap says


@dataclass(frozen=True)
class SetCount:
    """One prompt set: how many prompts it has, and how many are taken of it."""

    name: str
    total: int
    taken: int


@dataclass(frozen=True)
class PromptCount:
    """Which prompts are taken; `steps` as `filter_prompts` tells them, `examples` five texts."""

    sets: tuple[SetCount, ...] = ()
    steps: tuple[FilterStep, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(each.total for each in self.sets)

    @property
    def taken(self) -> int:
        return sum(each.taken for each in self.sets)


@dataclass(frozen=True)
class CriterionEstimate:
    """One criterion: `items` judged by k people each; `seconds` an answer takes, and whence."""

    slug: str
    label: str
    form: str
    k: int
    items: int
    seconds: float
    is_measured: bool

    @property
    def votes(self) -> int:
        return self.k * self.items


@dataclass(frozen=True)
class SampleEstimate:
    """One arm's images: how many are wanted and missing, and the worker time of those if known."""

    arm: str
    wanted: int
    missing: int
    seconds: float | None


@dataclass(frozen=True)
class PowerEstimate:
    """What the votes on one criterion can find, in words; `effect` in net shares, for two arms."""

    criterion: str
    sentence: str
    effect: float | None = None
    half_width: float | None = None


@dataclass(frozen=True)
class RunEstimate:
    """What a draft would ask, take and cost. With `errors` it cannot be launched.

    Attributes:
        comparisons: sets of images that are shown, each under every criterion of its size.
        annotators: people needed, each giving `votes_per_annotator` votes.
        answers: votes and, by their rates, the checks among them.
        unit: paid for an answer; None where nothing is said of pay.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    prompts: PromptCount = PromptCount()
    comparisons: int = 0
    criteria: tuple[CriterionEstimate, ...] = ()
    samples: tuple[SampleEstimate, ...] = ()
    workers: int = 0
    annotators: int = 0
    votes_per_annotator: int = 0
    answers: int = 0
    unit: float | None = None
    currency: str = ""
    fee_percent: float = 0.0
    power: tuple[PowerEstimate, ...] = field(default=())

    @property
    def items(self) -> int:
        return sum(each.items for each in self.criteria)

    @property
    def votes(self) -> int:
        return sum(each.votes for each in self.criteria)

    @property
    def missing(self) -> int:
        """Samples to be made."""
        return sum(each.missing for each in self.samples)

    @property
    def gpu_seconds(self) -> float | None:
        """Worker time for all of them; None where some were never made here."""
        known = [each.seconds for each in self.samples if each.missing]
        return None if None in known else float(sum(each or 0.0 for each in known))

    @cached_property
    def hours(self) -> float:
        """People's time, checks included."""
        if not self.votes:
            return 0.0
        seconds = sum(each.votes * each.seconds for each in self.criteria)
        return seconds / 3600 * self.answers / self.votes

    @property
    def pay(self) -> float | None:
        return None if self.unit is None else self.unit * self.answers

    @property
    def fee(self) -> float | None:
        return None if self.pay is None else self.pay * self.fee_percent / 100

    @property
    def cost(self) -> float | None:
        """Pay and fee."""
        return None if self.pay is None else self.pay * (1 + self.fee_percent / 100)

    @property
    def generation_in_words(self) -> str:
        """How long the images take."""
        if not self.missing:
            return "every image is there already" if self.samples else "no image has to be made"
        if self.gpu_seconds is None:
            return "unknown: nothing like it was made here yet"
        said = f"{time_in_words(self.gpu_seconds)} of worker time"
        if self.workers > 1:
            spread = time_in_words(self.gpu_seconds / self.workers)
            said += f", {spread} with {self.workers} workers"
        return said

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values, for the command and the API."""
        return {
            "errors": list(self.errors),
            "warnings": list(self.warnings),
            "prompts": {
                "total": self.prompts.total,
                "taken": self.prompts.taken,
                "sets": [vars(each) for each in self.prompts.sets],
                "steps": [vars(each) for each in self.prompts.steps],
            },
            "comparisons": self.comparisons,
            "items": self.items,
            "votes": self.votes,
            "answers_with_checks": self.answers,
            "criteria": [vars(each) | {"votes": each.votes} for each in self.criteria],
            "samples": [vars(each) for each in self.samples],
            "samples_missing": self.missing,
            "worker_seconds": self.gpu_seconds,
            "annotators": self.annotators,
            "votes_per_annotator": self.votes_per_annotator,
            "hours": self.hours,
            "pay_per_answer": self.unit,
            "currency": self.currency or None,
            "pay": self.pay,
            "panel_fee": self.fee,
            "cost": self.cost,
            "power": [vars(each) for each in self.power],
        }

    def lines(self) -> Sequence[str]:
        """Return it for a terminal."""
        said = [
            f"prompts: {self.prompts.taken:,} of {self.prompts.total:,}",
            *(f"  {step.words}: {step.kept:,} left" for step in self.prompts.steps),
            f"comparisons: {counted(self.comparisons, 'set')} of images, "
            f"{counted(self.items, 'item')}, "
            f"{counted(self.votes, 'vote')}",
        ]
        for each in self.criteria:
            whence = "this site's median" if each.is_measured else "assumed"
            said.append(
                f"  {each.label}: {counted(each.items, 'item')} x {each.k}, {each.seconds:.1f} "
                "s an answer "
                f"({whence})"
            )
        said.append(f"samples to make: {self.missing:,}; {self.generation_in_words}")
        said.append(
            f"people: {self.annotators:,} with {counted(self.votes_per_annotator, 'vote')} each, "
            f"{counted(self.answers, 'answer')} with checks, {self.hours:.1f} hours"
        )
        if self.cost is not None:
            said.append(
                f"cost: {self.cost:,.2f} {self.currency} ({self.unit:.4f} an answer; fee "
                f"{self.fee_percent:g} %)"
            )
        said += [each.sentence for each in self.power]
        said += [f"warning: {each}" for each in self.warnings]
        said += [f"error: {each}" for each in self.errors]
        return said
