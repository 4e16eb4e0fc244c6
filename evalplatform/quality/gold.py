"""Gold from a campaign's own samples: which comes next, and what it looks like.

Gold number n of a criterion depends on the campaign's seed alone, so the same campaign makes the
same gold anywhere. Its prompt is the next of a seeded order; the order is walked again, each time
with the next arm's sample and another damage or another wrong sample, until nothing new is left.
All arms' samples take turns, so gold speaks for none. A set has as many images as the campaign
shows together: one that is right, and others of which none is.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext_noop
from PIL import Image

from evalplatform.campaigns.images import open_sample, shown_size
from evalplatform.campaigns.models import Campaign, Criterion, Picture
from evalplatform.core.errors import BadInputError
from evalplatform.core.transparency import Ground
from evalplatform.promptsets.models import Prompt
from evalplatform.quality.damage import spoil
from evalplatform.quality.words import content_words

_ROUNDS = 3  # over the prompts for each arm: three damages, or three sets of wrong samples
# Stored in English; translated when shown.
SPOILT_COPIES = gettext_noop("The other images are spoilt copies of this one.")
WRONG_SUBJECT = gettext_noop("The other image shows something else than the description says.")
WRONG_SUBJECTS = gettext_noop("The other images show something else than the description says.")
WRONG_SUBJECT_ALONE = gettext_noop("The image shows something else than the description says.")
ArmSamples = tuple[Picture, ...]  # of every arm by place, of one prompt


@dataclass(frozen=True)
class GoldImages:
    """Gold before it is stored; images and expected grades by place, the best image first."""

    prompt_text: str
    images: tuple[Image.Image, ...]
    expected: tuple[int, ...]
    why: str
    origin: dict[str, Any]


@dataclass(frozen=True)
class WalkStep:
    """One step of the walk over the prompts.

    Attributes:
        number: of the step.
        walked: how often all prompts were walked before.
        turn: goes up by one from prompt to prompt, and for one prompt from walk to walk.
        samples: of every arm.
        count: how many images the set is to have.
        worst: the grade of one image alone that is wrong.
    """

    number: int
    walked: int
    turn: int
    samples: ArmSamples
    count: int
    worst: int
    ground: Ground

    @property
    def place(self) -> int:
        """The arm whose sample it is."""
        return self.turn % len(self.samples)

    @property
    def sample(self) -> Picture:
        """The sample that is right."""
        return self.samples[self.place]

    def origin(self, kind: str) -> dict[str, Any]:
        """Return how it came about, as JSON values."""
        prompt = _prompt_of(self.sample)
        return {
            "kind": kind,
            "number": self.number,
            "prompt": prompt.text,
            "prompt_set": str(prompt.prompt_set),
            "arm": self.place,
            "sample_sha256": self.sample.image_sha256,
        }


def gold_images(
    campaign: Campaign,
    criterion: Criterion,
    samples: Sequence[ArmSamples],
    made: Collection[dict[str, Any]],
) -> Iterator[GoldImages]:
    """Yield the gold of a criterion that follows what has its origin in `made`.

    Raises `BadInputError` for a criterion of which no gold can be made.
    """
    make = _MAKERS.get(Criterion.Gold(criterion.gold))
    if make is None:
        raise BadInputError(no_recipe(criterion))
    after = max((origin["number"] for origin in made), default=-1)
    known = {_content(origin) for origin in made}
    for step in _walk(campaign, criterion, samples):
        if step.number <= after:
            continue
        images = make(step, samples, _rng(campaign, criterion, step.number))
        if images and _content(images.origin) not in known:
            known.add(_content(images.origin))
            yield images


def no_recipe(criterion: Criterion) -> str:
    """Say that no gold can be made for a criterion of this kind, and what to do."""
    if criterion.shape.is_written:
        return f"no gold can be made for {criterion.slug!r}: of texts no answer is known."
    named = " or ".join(f'"{recipe.value}"' for recipe in _MAKERS)
    own = "give pairs of your own, or " if criterion.shape.most == 2 else ""
    return (
        f"no gold can be made for {criterion.slug!r}, since it names no recipe; {own}say in the "
        f"rules file how it is made: gold = {named}."
    )


def images_together(campaign: Campaign, criterion: Criterion) -> int:
    """Return how many images a set of this criterion has in this campaign."""
    return min(criterion.shape.most, max(criterion.shape.least, len(campaign.contenders)))


def _walk(
    campaign: Campaign, criterion: Criterion, samples: Sequence[ArmSamples]
) -> Iterator[WalkStep]:
    order = _rng(campaign, criterion, -1).permutation(len(samples))
    count, worst = images_together(campaign, criterion), criterion.shape.worst
    ground = campaign.checked_rules.annotation.ground
    for number in range(_ROUNDS * len(campaign.contenders) * len(samples)):
        walked, place = divmod(number, len(samples))
        yield WalkStep(number, walked, place + walked, samples[order[place]], count, worst, ground)


def _rng(campaign: Campaign, criterion: Criterion, number: int) -> np.random.Generator:
    key = hashlib.sha256(f"gold\n{campaign.seed}\n{criterion.slug}\n{number}".encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big"))


def _content(origin: dict[str, Any]) -> tuple[Any, ...]:
    """What makes gold another gold: all but its number."""
    return tuple(sorted((key, str(value)) for key, value in origin.items() if key != "number"))


def _damaged_copy(
    step: WalkStep, samples: Sequence[ArmSamples], rng: np.random.Generator
) -> GoldImages | None:
    """A sample against spoilt copies of itself; one image alone is a spoilt one."""
    image = open_sample(step.sample, shown_size(step.samples), step.ground)
    copies = [spoil(image, step.turn + more, rng) for more in range(max(1, step.count - 1))]
    spoilt, damage = tuple(copy for copy, _ in copies), copies[0][1]
    alone = step.count == 1
    return GoldImages(
        prompt_text=_prompt_of(step.sample).text,
        images=spoilt if alone else (image, *spoilt),
        expected=_expected(step),
        why=_by_count(step, damage.why_alone, damage.why, SPOILT_COPIES),
        origin=step.origin("damaged_copy") | {"damages": [each.name for _, each in copies]},
    )


def _by_count(step: WalkStep, alone: str, of_two: str, of_several: str) -> str:
    return {1: alone, 2: of_two}.get(step.count, of_several)


def _expected(step: WalkStep) -> tuple[int, ...]:
    """The grades of a set whose first image is right; of one alone that is wrong, the lowest."""
    return (step.worst,) if step.count == 1 else (1,) + (0,) * (step.count - 1)


def _other_prompt(
    step: WalkStep, samples: Sequence[ArmSamples], rng: np.random.Generator
) -> GoldImages | None:
    """A prompt's sample against the same arm's samples of quite other prompts.

    One image alone is a sample of another prompt.
    """
    needed = max(1, step.count - 1)
    prompt = _prompt_of(step.sample)
    others = [each for each in samples if _clearly_other(prompt, _prompt_of(each[0]))]
    first = needed * (step.walked // len(step.samples))
    if first + needed > len(others):
        return None
    # One order for all arms of a prompt, so that no wrong sample comes twice.
    shuffled = [others[i] for i in _partner_order(prompt, len(others))]
    shuffled.sort(key=lambda each: _alike(prompt, _prompt_of(each[0])))
    wrong = [each[step.place] for each in shuffled[first : first + needed]]
    size = shown_size(step.samples)
    shown = wrong if step.count == 1 else [step.sample, *wrong]
    return GoldImages(
        prompt_text=_prompt_of(step.sample).text,
        images=tuple(open_sample(each, size, step.ground) for each in shown),
        expected=_expected(step),
        why=_by_count(step, WRONG_SUBJECT_ALONE, WRONG_SUBJECT, WRONG_SUBJECTS),
        origin=step.origin("other_prompt")
        | {
            "others": [
                {"prompt": _prompt_of(each).text, "sample_sha256": each.image_sha256}
                for each in wrong
            ]
        },
    )


def _prompt_of(picture: Picture) -> Prompt:
    assert picture.prompt  # a campaign shows images of prompts alone
    return picture.prompt


def _clearly_other(prompt: Prompt, other: Prompt) -> bool:
    """Whether no word of substance is in both prompts, and each has one."""
    words, others = content_words(prompt.text), content_words(other.text)
    return bool(words) and bool(others) and not words & others


def _partner_order(prompt: Prompt, count: int) -> np.ndarray:
    key = hashlib.sha256(prompt.text.encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big")).permutation(count)


def _alike(prompt: Prompt, other: Prompt) -> bool:
    """Whether both are of one category: puppy and dog share no word. Such sets come last."""
    return prompt.category == other.category


_MAKERS: dict[
    Criterion.Gold,
    Callable[[WalkStep, Sequence[ArmSamples], np.random.Generator], GoldImages | None],
] = {
    Criterion.Gold.DAMAGED_COPY: _damaged_copy,
    Criterion.Gold.OTHER_PROMPT: _other_prompt,
}
