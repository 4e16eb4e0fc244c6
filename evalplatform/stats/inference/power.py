"""How many prompts, annotators and votes a study needs, before money is spent.

The variance of net is that of `components` where net is 0, as the test of `sign_test` has it, with
the fewest degrees of freedom it can have where everybody gives as many votes, min(P, J) - 1. Where
annotators hardly differ it will have more, and the plan is on the safe side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan, sqrt

from scipy import special

from ..votes.errors import UnknownOptionError
from .components import Components
from .estimates import State
from .intervals import check_level, t_quantile

_MOST = 10_000_000  # prompts or annotators beyond which no study goes


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """A study and what it can detect, see `plan_study` and `detectable_effect`.

    Attributes:
        prompts, annotators, votes_per_prompt, votes: its size; votes = prompts x votes_per_prompt.
        effect: smallest |net| it detects with the asked power, in [0, 1]; None if above 1.
        se: standard error of net.
        floor: the effect that stays out of reach however many prompts the same annotators judge.
        power, level: chance to detect `effect`, and confidence of the test.
        state, reason: UNREACHABLE where no size within the limits detects the asked effect; the
            numbers are then those of the largest study tried, or of none.
    """

    prompts: int | None
    annotators: int | None
    votes_per_prompt: int
    effect: float | None
    se: float | None
    floor: float | None
    power: float
    level: float
    state: State
    reason: str

    @property
    def votes(self) -> int | None:
        return None if self.prompts is None else self.prompts * self.votes_per_prompt


def power_of(effect: float, se: float, df: float, level: float = 0.95) -> float:
    """Chance that the two-sided t test of net = 0 rejects when net is `effect`.

    Noncentral t with `df` degrees of freedom and noncentrality effect / se.

    >>> round(power_of(0.28, 0.1, 1000), 2)
    0.8
    """
    check_level(level)
    limit = t_quantile(level, df)
    shift = abs(effect) / se if se > 0.0 else inf
    if shift >= _certain(limit):
        return 1.0
    return 1.0 - _below(limit, shift, df) + _below(-limit, shift, df)


def _below(limit: float, shift: float, df: float) -> float:
    """The noncentral t distribution function; SciPy's is NaN here and there where it is < 1e-9."""
    found = float(special.nctdtr(df, shift, limit))
    return 0.0 if isnan(found) else found


def _certain(limit: float) -> float:
    """The noncentrality beyond which t exceeds `limit` for certain, with one df too."""
    return max(35.0, 8.0 * limit)


def detectable_effect(
    components: Components,
    *,
    prompts: int,
    annotators: int,
    votes_per_prompt: int = 5,
    people_per_prompt: int | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> StudyPlan:
    """The smallest net preference a study of this size detects with the asked power.

    Formula. The effect at which `power_of` with se = sqrt(V) is `power`. The floor is the same
    with P and n without limit: sa^2 / J stays. `people_per_prompt` is how many different people
    a prompt needs: as many as its votes, but where it has several sets, whose judges may be the
    same. Of more annotators than there are votes, as many as there are votes take part: the plan
    counts these.

    Units. Effects are net shares: 0.1 is ten percentage points more votes for A than for B.

    How to read. "If the net is at least this, four of five such studies find it." Once effect and
    floor are close, only more annotators help.

    Reference. Noncentral t: Johnson, Kotz and Balakrishnan (1995), Continuous Univariate
    Distributions 2, chapter 31.

    >>> from evalplatform.stats import stated_components
    >>> pilot = stated_components(tie=0.2, prompt_share=0.1, annotator_share=0.05)
    >>> plan = detectable_effect(pilot, prompts=200, annotators=40)
    >>> round(plan.effect, 3), round(plan.floor, 3)
    (0.131, 0.091)
    """
    _check(power, level, votes_per_prompt)
    _check_size(prompts, annotators, people_per_prompt or votes_per_prompt)
    annotators = min(annotators, prompts * votes_per_prompt)
    se = sqrt(components.variance(prompts, annotators, prompts * votes_per_prompt))
    effect = _effect(se, min(prompts, annotators) - 1, power, level)
    floor = _effect(sqrt(components.variance(inf, annotators, inf)), annotators - 1, power, level)
    reachable = effect <= 1.0
    return StudyPlan(
        prompts=prompts,
        annotators=annotators,
        votes_per_prompt=votes_per_prompt,
        effect=effect if reachable else None,
        se=se,
        floor=min(floor, 1.0),
        power=power,
        level=level,
        state=State.DEFINED if reachable else State.UNREACHABLE,
        reason="" if reachable else "Not even a net of 100 % is detected by so small a study.",
    )


def plan_study(
    components: Components,
    effect: float,
    *,
    annotators: int | None = None,
    prompts: int | None = None,
    votes_per_annotator: int | None = None,
    votes_per_prompt: int = 5,
    power: float = 0.8,
    level: float = 0.95,
) -> StudyPlan:
    """The smallest study that detects a net preference of `effect` with the asked power.

    Give one of: `annotators` there are (prompts are found), `prompts` there are (annotators are
    found), or `votes_per_annotator` one person casts at most (both are found, with as many
    annotators as the votes need). Each prompt is judged by `votes_per_prompt` different people.

    How to read. See `detectable_effect`. UNREACHABLE with `annotators` given means that the effect
    lies below their floor: no number of prompts helps, more annotators do.

    >>> from evalplatform.stats import stated_components
    >>> pilot = stated_components(tie=0.2, prompt_share=0.1, annotator_share=0.05)
    >>> plan = plan_study(pilot, 0.1, votes_per_annotator=50)
    >>> plan.prompts, plan.annotators, plan.votes, plan.effect <= 0.1
    (501, 51, 2505, True)
    """
    _check(power, level, votes_per_prompt)
    if not 0.0 < effect <= 1.0:
        raise UnknownOptionError(f"effect is {effect}; give a net share above 0 and up to 1.")
    given = [each is not None for each in (annotators, prompts, votes_per_annotator)]
    if sum(given) != 1:
        raise UnknownOptionError(
            "give exactly one of annotators, prompts and votes_per_annotator: it bounds the study."
        )

    def study(number: int) -> StudyPlan:
        if annotators is not None:
            size = number, annotators
        elif prompts is not None:
            size = prompts, number
        else:
            assert votes_per_annotator is not None
            size = number, max(-(-number * votes_per_prompt // votes_per_annotator), fewest)
        return detectable_effect(
            components,
            prompts=size[0],
            annotators=size[1],
            votes_per_prompt=votes_per_prompt,
            power=power,
            level=level,
        )

    fewest = max(2, votes_per_prompt)
    if votes_per_annotator is not None and votes_per_annotator < 1:
        raise UnknownOptionError(f"votes_per_annotator is {votes_per_annotator}; give 1 or more.")
    first, last = 2, _MOST
    if prompts is not None:
        first, last = fewest, max(prompts * votes_per_prompt, fewest)
    return _smallest(study, first, last, effect, of_prompts=prompts is not None)


def _smallest(
    study: Callable[[int], StudyPlan], first: int, last: int, effect: float, *, of_prompts: bool
) -> StudyPlan:
    """The study of the smallest number in [first, last] that detects `effect`."""

    def enough(plan: StudyPlan) -> bool:
        return plan.effect is not None and plan.effect <= effect

    largest = study(last)
    if not enough(largest):
        return _unreachable(largest, effect, of_prompts)
    low, high = first - 1, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(study(middle)) else (middle, high)
    return study(high)


def _unreachable(largest: StudyPlan, effect: float, of_prompts: bool) -> StudyPlan:
    """No plan, and what would help: `of_prompts` says that these were given, not people."""
    best = "no effect" if largest.effect is None else f"a net of {100 * largest.effect:.1f} %"
    helps = "More annotators lower it"
    if of_prompts:
        helps = "More prompts, or more votes on each, lower it"
    elif largest.floor is not None:
        helps = f"Their floor is {100 * largest.floor:.1f} %. {helps}"
    return StudyPlan(
        prompts=None,
        annotators=None,
        votes_per_prompt=largest.votes_per_prompt,
        effect=None,
        se=None,
        floor=largest.floor,
        power=largest.power,
        level=largest.level,
        state=State.UNREACHABLE,
        reason=(
            f"A net of {100 * effect:.1f} % is out of reach: at best {best} is detected by "
            f"{largest.annotators:,} annotators on {largest.prompts:,} prompts. {helps}; a larger "
            "effect or less power asks for less."
        ),
    )


def _effect(se: float, df: float, power: float, level: float) -> float:
    """The effect that is detected with this power, by bisection; 0 where there is no variance."""
    if se == 0.0:
        return 0.0
    low, high = 0.0, _certain(t_quantile(level, df)) * se
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if power_of(middle, se, df, level) < power else (low, middle)
    return high


def _check(power: float, level: float, votes_per_prompt: int) -> None:
    check_level(level)
    if not 1.0 - level < power < 1.0:
        raise UnknownOptionError(
            f"power is {power}; it must lie between {1 - level:.3g} and 1, e.g. 0.8."
        )
    if votes_per_prompt < 1:
        raise UnknownOptionError(f"votes_per_prompt is {votes_per_prompt}; give 1 or more.")


def _check_size(prompts: int, annotators: int, people: int) -> None:
    sizes = (("prompt", prompts, 2), ("annotator", annotators, max(2, people)))
    lacking = [each for each in sizes if each[1] < each[2]]
    if not lacking:
        return
    given = " and ".join(f"{n} {what}{'s' * (n != 1)}" for what, n, _ in lacking)
    wanted = " and ".join(f"{least} {what}s" for what, _, least in lacking)
    are = "is" if given.startswith("1 ") and len(lacking) == 1 else "are"
    why = f" (each prompt is judged by {people} different people)"
    is_of_people = annotators < people
    raise UnknownOptionError(
        f"{given} {are} too few; give at least {wanted}{why if is_of_people else ''}."
    )
