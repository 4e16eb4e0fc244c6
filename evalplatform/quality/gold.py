"""Gold pairs from a campaign's own samples: which come next, and what they look like.

Pair number n of a criterion hangs on the campaign's seed alone, so the same campaign makes the
same gold anywhere. Its prompt is the next of a seeded order; the order is walked again, each time
with the other checkpoint's sample and another damage or another wrong sample, until nothing new
is left. Both checkpoints' samples take turns, so gold speaks for neither.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext_noop
from PIL import Image

from evalplatform.campaigns.images import open_sample, shown_size
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.generation.models import Sample
from evalplatform.promptsets.models import Prompt
from evalplatform.quality.damage import spoil
from evalplatform.quality.words import content_words

_ROUNDS = 6  # over the prompts: both checkpoints with three damages, or three wrong samples, each
WRONG_SUBJECT = gettext_noop("The other image shows something else than the description says.")
SamplePair = tuple[Sample, Sample]  # of checkpoint A and B, of one prompt


@dataclass(frozen=True)
class GoldImages:
    """A gold pair before it is stored."""

    prompt_text: str
    better: Image.Image
    worse: Image.Image
    why: str
    origin: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of the walk over the prompts."""

    number: int
    walked: int  # how often all prompts were walked before
    turn: int  # goes up by one from prompt to prompt, and for one prompt from walk to walk
    pair: SamplePair

    @property
    def side(self) -> int:
        """Whose sample it is: 0 for A, 1 for B."""
        return self.turn % 2

    @property
    def sample(self) -> Sample:
        return self.pair[self.side]

    def origin(self, kind: str) -> dict[str, Any]:
        prompt = self.sample.prompt
        return {
            "kind": kind,
            "number": self.number,
            "prompt": prompt.text,
            "prompt_set": str(prompt.prompt_set),
            "checkpoint": "ab"[self.side],
            "sample_sha256": self.sample.image_sha256,
        }


def gold_images(
    campaign: Campaign,
    criterion: Criterion,
    pairs: Sequence[SamplePair],
    made: Collection[dict[str, Any]],
) -> Iterator[GoldImages]:
    """Yield the pairs of a criterion that follow those whose origins are in `made`."""
    make = _MAKERS[criterion.kind]
    after = max((origin["number"] for origin in made), default=-1)
    known = {_content(origin) for origin in made}
    for step in _walk(campaign, criterion, pairs):
        if step.number <= after:
            continue
        images = make(step, pairs, _rng(campaign, criterion, step.number))
        if images and _content(images.origin) not in known:
            known.add(_content(images.origin))
            yield images


def _walk(campaign: Campaign, criterion: Criterion, pairs: Sequence[SamplePair]) -> Iterator[Step]:
    order = _rng(campaign, criterion, -1).permutation(len(pairs))
    for number in range(_ROUNDS * len(pairs)):
        walked, place = divmod(number, len(pairs))
        yield Step(number, walked, place + walked, pairs[order[place]])


def _rng(campaign: Campaign, criterion: Criterion, number: int) -> np.random.Generator:
    key = hashlib.sha256(f"gold\n{campaign.seed}\n{criterion.kind}\n{number}".encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big"))


def _content(origin: dict[str, Any]) -> tuple[Any, ...]:
    """What makes a pair another pair: all but its number."""
    return tuple(sorted((key, value) for key, value in origin.items() if key != "number"))


def _damaged_copy(
    step: Step, pairs: Sequence[SamplePair], rng: np.random.Generator
) -> GoldImages | None:
    """A sample against a spoilt copy of itself."""
    image = open_sample(step.sample, shown_size(*step.pair))
    worse, damage = spoil(image, step.turn, rng)
    return GoldImages(
        prompt_text=step.sample.prompt.text,
        better=image,
        worse=worse,
        why=damage.why,
        origin=step.origin("damaged_copy") | {"damage": damage.name},
    )


def _other_prompt(
    step: Step, pairs: Sequence[SamplePair], rng: np.random.Generator
) -> GoldImages | None:
    """A prompt's sample against the same checkpoint's sample of quite another prompt."""
    others = [pair for pair in pairs if _clearly_other(step.sample.prompt, pair[0].prompt)]
    if step.walked // 2 >= len(others):
        return None
    # One order for both checkpoints of a prompt, so that no wrong sample comes twice.
    shuffled = [others[i] for i in _partner_order(step.sample.prompt, len(others))]
    shuffled.sort(key=lambda pair: _alike(step.sample.prompt, pair[0].prompt))
    wrong = shuffled[step.walked // 2]
    size = shown_size(*step.pair)
    return GoldImages(
        prompt_text=step.sample.prompt.text,
        better=open_sample(step.sample, size),
        worse=open_sample(wrong[step.side], size),
        why=WRONG_SUBJECT,
        origin=step.origin("other_prompt")
        | {
            "other_prompt": wrong[step.side].prompt.text,
            "other_sample_sha256": wrong[step.side].image_sha256,
        },
    )


def _clearly_other(prompt: Prompt, other: Prompt) -> bool:
    """Whether no word of substance is in both prompts, and each has one."""
    words, others = content_words(prompt.text), content_words(other.text)
    return bool(words) and bool(others) and not words & others


def _partner_order(prompt: Prompt, count: int) -> np.ndarray:
    key = hashlib.sha256(prompt.text.encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big")).permutation(count)


def _alike(prompt: Prompt, other: Prompt) -> bool:
    """Whether both are of one category: puppy and dog share no word. Such pairs come last."""
    return prompt.category == other.category


_MAKERS: dict[
    str, Callable[[Step, Sequence[SamplePair], np.random.Generator], GoldImages | None]
] = {
    Criterion.Kind.VISUAL_APPEAL: _damaged_copy,
    Criterion.Kind.TEXT_FAITHFULNESS: _other_prompt,
}
