"""Which prompts of its prompt sets a campaign takes: by what they are, and a random third.

The third is drawn from the whole set, then the conditions are asked of it: so the three thirds of
one seed share no prompt and together are the set, whatever else is asked.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from evalplatform.campaigns.rule_section import RuleSection
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import Prompt, PromptSet

_Value = Annotated[str, Field(min_length=1, max_length=200)]
_Values = Annotated[tuple[_Value, ...], Field(max_length=50)]
FIELDS = ("category", "challenge", "tag", "text")
ACCEPTED = "category=NAME, challenge=NAME, tag=NAME or text=WORDS"
_LISTED = 12  # known values that an error names


class PromptFilter(RuleSection):
    """Conditions on prompts: one value of a field is enough, and every field that is given counts.

    Capitals make no difference. `text` is a part of the prompt's own words.
    """

    category: _Values = ()
    challenge: _Values = ()
    tag: _Values = ()
    text: _Values = ()
    third: Literal[1, 2, 3] | None = Field(default=None, description="of a seeded random division")
    third_seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(
        default=None, description="of the division; the campaign's seed if none is given"
    )

    def as_dict(self) -> dict[str, Any]:
        """Return what a campaign and its protocol keep: only what is asked; {} is no filter."""
        off = {"third_seed"} if self.third is None else set()
        return self.model_dump(mode="json", exclude_defaults=True, exclude=off)

    def seeded(self, seed: int) -> "PromptFilter":
        """Return this filter with the seed of its third written out."""
        if self.third is None or self.third_seed is not None:
            return self
        return self.model_copy(update={"third_seed": seed})

    @property
    def conditions(self) -> dict[str, tuple[str, ...]]:
        """The values that are asked for, by field."""
        return {name: values for name in FIELDS if (values := getattr(self, name))}

    def words(self, name: str) -> str:
        """Return one condition as it is said: "category=Animals|Food", or "third 1"."""
        return (
            f"third {self.third}" if name == "third" else f"{name}={'|'.join(getattr(self, name))}"
        )

    @property
    def asked(self) -> list[str]:
        """The names of all that it asks, in the order in which it is asked."""
        return (["third"] if self.third else []) + list(self.conditions)


@dataclass(frozen=True)
class FilterStep:
    """What one condition does.

    Attributes:
        words: the condition.
        kept: prompts left after it and those before it.
        without: prompts that would be left if it alone were dropped.
    """

    words: str
    kept: int
    without: int


@dataclass(frozen=True)
class FilteredPrompts:
    """The prompts that are left, in the order of their sets, of how many, and by which steps."""

    prompts: list[Prompt]
    total: int
    steps: list[FilterStep]


def parse_where(given: Iterable[str], **more: Any) -> PromptFilter:
    """Return the filter of texts such as "category=Animals"; one field may come several times.

    `more` are its other fields. Raises `BadInputError` for anything else.
    """
    values: dict[str, list[str]] = {}
    for each in given:
        name, _, value = each.partition("=")
        if name.strip() not in FIELDS or not value.strip():
            raise BadInputError(f"prompts cannot be filtered by {each!r}; accepted are {ACCEPTED}.")
        values.setdefault(name.strip(), []).append(value.strip())
    return parse_filter(values | more)


def parse_filter(given: Mapping[str, Any]) -> PromptFilter:
    """Return the checked filter. Raises `BadInputError` naming what is wrong."""
    try:
        return PromptFilter.model_validate(dict(given))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()
        )
        raise BadInputError(
            f"prompt filter: {problems}. Accepted are {ACCEPTED}, a third from 1 to 3 and its "
            "third_seed."
        ) from error


def filter_prompts(
    prompt_sets: Sequence[PromptSet], wanted: PromptFilter, seed: int
) -> FilteredPrompts:
    """Return the prompts that the filter leaves of these sets, with what each condition does.

    `seed` is the campaign's. Raises `BadInputError` for a value that no prompt has, naming those
    there are; nothing left is no error here (`refuse_nothing_left`).
    """
    wanted = wanted.seeded(seed)
    ordered = sorted(prompt_sets, key=lambda each: (each.name, each.version))
    prompts = [
        prompt for each in ordered for prompt in each.prompts.order_by("position").iterator()
    ]
    _refuse_unknown(wanted, prompts)
    tests = _tests(wanted, ordered, prompts)
    passed = {name: {prompt.pk for prompt in prompts if test(prompt)} for name, test in tests}
    everything = {prompt.pk for prompt in prompts}
    steps, left = [], everything
    for name, keys in passed.items():
        left = left & keys
        others = everything.intersection(*(each for other, each in passed.items() if other != name))
        steps.append(FilterStep(wanted.words(name), len(left), len(others)))
    return FilteredPrompts([each for each in prompts if each.pk in left], len(prompts), steps)


def refuse_nothing_left(found: FilteredPrompts) -> None:
    """Raise `BadInputError` where no prompt is left, naming what each condition costs."""
    if found.prompts or not found.total:
        return
    asked = ", ".join(step.words for step in found.steps)
    helping = [
        f"without {step.words} {step.without:,} would be left"
        for step in found.steps
        if step.without
    ]
    instead = "; ".join(helping) or "no two of its conditions meet; drop more than one"
    raise BadInputError(f"the filter {asked} leaves none of {found.total:,} prompts: {instead}.")


def prompts_hash(prompts: Iterable[Prompt], sets: Mapping[int, PromptSet]) -> str:
    """Return the SHA-256 of which prompts these are: a line each, of its set's hash, tab, place."""
    digest = hashlib.sha256()
    for each in prompts:
        digest.update(f"{sets[each.prompt_set_id].sha256}\t{each.position}\n".encode())
    return digest.hexdigest()


_Test = Callable[[Prompt], bool]


def _tests(
    wanted: PromptFilter, prompt_sets: Sequence[PromptSet], prompts: Sequence[Prompt]
) -> list[tuple[str, _Test]]:
    tests: list[tuple[str, _Test]] = []
    if wanted.third is not None:
        assert wanted.third_seed is not None  # seeded
        inside = _third(wanted.third, wanted.third_seed, prompt_sets, prompts)
        tests.append(("third", lambda prompt: prompt.pk in inside))
    for name, values in wanted.conditions.items():
        tests.append((name, _condition(name, {each.casefold() for each in values})))
    return tests


def _condition(name: str, values: set[str]) -> _Test:
    if name == "text":
        return lambda prompt: any(each in prompt.text.casefold() for each in values)
    return lambda prompt: not values.isdisjoint(each.casefold() for each in _values(prompt, name))


def _values(prompt: Prompt, name: str) -> list[str]:
    return prompt.tags if name == "tag" else [getattr(prompt, name)]


def _third(
    number: int, seed: int, prompt_sets: Sequence[PromptSet], prompts: Sequence[Prompt]
) -> set[int]:
    """Return the keys of one third of every set, divided by content: the same everywhere."""
    keys: dict[int, list[int]] = {each.pk: [] for each in prompt_sets}
    for prompt in prompts:
        keys[prompt.prompt_set_id].append(prompt.pk)
    inside: set[int] = set()
    for each in prompt_sets:
        content = hashlib.sha256(f"third\n{seed}\n{each.sha256}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(content[:8], "big"))
        mixed = rng.permutation(len(keys[each.pk]))
        inside.update(keys[each.pk][index] for index in mixed[number - 1 :: 3])
    return inside


def _refuse_unknown(wanted: PromptFilter, prompts: Sequence[Prompt]) -> None:
    for name, values in wanted.conditions.items():
        if name == "text":
            continue
        known = Counter(value for prompt in prompts for value in _values(prompt, name) if value)
        folded = {each.casefold() for each in known}
        for value in values:
            if value.casefold() not in folded:
                raise BadInputError(_no_such(name, value, known))


def _no_such(name: str, value: str, known: Counter[str]) -> str:
    if not known:
        return (
            f"no prompt of these sets has a {name}, so {name}={value!r} keeps none; leave it out."
        )
    listed = ", ".join(f"{each} ({count:,})" for each, count in known.most_common(_LISTED))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"no prompt has {name}={value!r}; there are {listed}{more}."
