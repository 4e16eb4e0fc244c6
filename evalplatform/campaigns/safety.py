"""The safety filter of a campaign: which sets annotators may see, and which images they never do.

A detector's scores are facts of samples (`safety.models`); the decision is the campaign's: its
rules name the detector and the threshold, both frozen with the protocol.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from django.core.files.storage import default_storage

from evalplatform.campaigns.models import Arm, Campaign, ImageSet, Withheld
from evalplatform.campaigns.selectors import (
    ReadySet,
    all_pictures,
    planned_keys,
    whole_prompts,
    whole_sets,
)
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage
from evalplatform.safety.models import SafetyDetector
from evalplatform.safety.selectors import covering_detectors, last_used, scores_of, unchecked

Pattern = tuple[int, ...]  # places of the arms of which an image of one prompt is withheld


@dataclass(frozen=True)
class Screened:
    """A campaign's sets after the filter; without one, all pass and there is no detector."""

    passed: list[ReadySet]
    dropped: list[ReadySet]  # with an image that is withheld
    withheld: list[Withheld]  # as they will be stored
    detector: SafetyDetector | None


@dataclass(frozen=True)
class FilterCounts:
    """What the filter took out of a campaign.

    Attributes:
        prompts: how many there are, filtered ones among them, however many images each has.
        patterns: how many of them lost the images of exactly these arms.
        sets: of how many planned sets `dropped` hold a withheld image.
        letters: of the arms, by place.
    """

    prompts: int
    patterns: dict[Pattern, int]
    sets: int
    dropped: int
    letters: tuple[str, ...]

    @property
    def filtered(self) -> int:
        """Prompts of which an image was withheld."""
        return sum(self.patterns.values())

    def unsafe(self, place: int) -> int:
        """Prompts of which an image of this arm was withheld."""
        return sum(count for pattern, count in self.patterns.items() if place in pattern)

    def only(self, place: int) -> int:
        """Prompts of which images of this arm alone were withheld."""
        return self.patterns.get((place,), 0)

    @property
    def both(self) -> int:
        """Prompts that lost images of both of two arms."""
        return self.patterns.get((0, 1), 0)

    @property
    def sentence(self) -> str:
        """Such as "7 of 300 prompts filtered: 2 for A, 4 for B, 1 for both"."""
        said = f"{self.filtered:,} of {self.prompts:,} prompts filtered"
        if not self.filtered:
            return said
        if len(self.letters) == 2:
            said += f": {self.only(0):,} for A, {self.only(1):,} for B, {self.both:,} for both"
            return said if self.sets == self.prompts else f"{said}; {self._left_out}"
        arms = ", ".join(f"{self.unsafe(at):,} for {name}" for at, name in enumerate(self.letters))
        return f"{said} ({arms}): {self._left_out}"

    @property
    def _left_out(self) -> str:
        return f"{self.dropped:,} of {self.sets:,} sets left out"


def filter_counts(campaign: Campaign) -> FilterCounts:
    """Count what the filter of a campaign that has opened took out."""
    withheld = campaign.withheld.select_related("arm", "sample", "collected")
    shown, dropped = campaign.image_sets.main().count(), campaign.sets_left_out
    return FilterCounts(
        prompts=len(planned_keys(campaign)),
        patterns=patterns_of(withheld),
        sets=shown + dropped,
        dropped=dropped,
        letters=_letters(campaign.contenders),
    )


def counts_of(campaign: Campaign, screened: Screened) -> FilterCounts:
    """Count what the filter is going to take out."""
    sets = [*screened.passed, *screened.dropped]
    return FilterCounts(
        prompts=len({each.prompt.pk for each in sets}),
        patterns=patterns_of(screened.withheld),
        sets=len(sets),
        dropped=len(screened.dropped),
        letters=_letters(campaign.contenders),
    )


def _letters(arms: Sequence[Arm]) -> tuple[str, ...]:
    return tuple(arm.letter for arm in arms)


def patterns_of(withheld: Iterable[Withheld]) -> dict[Pattern, int]:
    """Count the prompts that lost images of exactly the same arms."""
    places: dict[int | None, set[int]] = defaultdict(set)
    for each in withheld:
        places[each.picture.prompt_id].add(each.arm.place)
    return dict(Counter(tuple(sorted(each)) for each in places.values()))


def screen(campaign: Campaign, sets: Sequence[ReadySet]) -> Screened:
    """Part the sets annotators may see from those with an unsafe image.

    Raises `BadInputError` while a score is missing, so that nothing is shown unchecked, and where
    no set is left.
    """
    if campaign.checked_rules.safety.threshold is None:
        return Screened(list(sets), [], [], None)
    detector = _detector(campaign, lambda: [sets])
    screened = _part(campaign, sets, detector)
    if not screened.passed:
        refuse_nothing_left(campaign, detector, len(sets))
    return screened


class Screening:
    """The filter for sets that come by the batch, decided by one detector for all of them.

    Raises `BadInputError` as `screen` does while a score is missing.
    """

    def __init__(
        self, campaign: Campaign, walk: Callable[[], Iterable[Sequence[ReadySet]]]
    ) -> None:
        self._campaign = campaign
        is_off = campaign.checked_rules.safety.threshold is None
        self.detector = None if is_off else _detector(campaign, walk)

    def part(self, sets: Sequence[ReadySet]) -> Screened:
        """Part some of the sets; none may be left of them."""
        if self.detector is None:
            return Screened(list(sets), [], [], None)
        return _part(self._campaign, sets, self.detector)


def _part(campaign: Campaign, sets: Sequence[ReadySet], detector: SafetyDetector) -> Screened:
    threshold = campaign.checked_rules.safety.threshold
    assert threshold is not None  # else there is no detector
    scores = scores_of(detector, all_pictures(sets))
    unsafe = {key for key, score in scores.items() if score >= threshold}
    passed: list[ReadySet] = []
    dropped: list[ReadySet] = []
    withheld: dict[tuple[int, int, int], Withheld] = {}
    for each in sets:
        hit = [
            (arm, picture)
            for arm, picture in zip(each.arms, each.pictures, strict=True)
            if picture.image_sha256 in unsafe
        ]
        (dropped if hit else passed).append(each)
        for arm, picture in hit:
            withheld[arm.place, each.prompt.pk, each.number] = Withheld(
                campaign=campaign, arm=arm, number=each.number, detector=detector,
                sample=picture if isinstance(picture, Sample) else None,
                collected=picture if isinstance(picture, CollectedImage) else None,
                score=scores[picture.image_sha256], threshold=threshold,
            )  # fmt: skip
    return Screened(passed, dropped, list(withheld.values()), detector)


def refuse_nothing_left(campaign: Campaign, detector: SafetyDetector, sets: int) -> NoReturn:
    """Raise `BadInputError`: the filter leaves none of so many sets."""
    raise BadInputError(
        f"campaign {campaign.slug!r}: the safety filter ({detector} at "
        f"{campaign.checked_rules.safety.threshold:g}) leaves none of {sets:,} sets, so there is "
        "nothing to judge; use other checkpoints or prompts, or a higher threshold under another "
        "name."
    )


def visible_prompts(campaign: Campaign) -> list[ReadySet]:
    """Return the images of all arms, by prompt, where annotators may see every one.

    Whatever the design: arms that do not meet on a prompt are there too. Raises `BadInputError` as
    `screen` does.
    """
    screen(campaign, whole_sets(campaign))
    together = whole_prompts(campaign)
    threshold = campaign.checked_rules.safety.threshold
    if threshold is None:
        return together
    scores = scores_of(_detector(campaign, lambda: [together]), all_pictures(together))
    unsafe = {key for key, score in scores.items() if score >= threshold}
    return [
        each
        for each in together
        if not any(picture.image_sha256 in unsafe for picture in each.pictures)
    ]


def _detector(
    campaign: Campaign, walk: Callable[[], Iterable[Sequence[ReadySet]]]
) -> SafetyDetector:
    """Return whose scores decide: the detector that scored every image, the one used last.

    Raises `BadInputError` while a score is missing.
    """
    name = campaign.checked_rules.safety.detector
    covering: set[int] | None = None
    for sets in walk():
        here = covering_detectors(name, all_pictures(sets))
        covering = here if covering is None else covering & here
    detector = last_used(covering or set())
    if detector is None:
        pictures = all_pictures([each for sets in walk() for each in sets])
        missing = len(unchecked(name, pictures))
        raise BadInputError(
            f"campaign {campaign.slug!r}: {missing:,} of {len(pictures):,} samples have no safety "
            f"score by {name!r} yet; have them checked first.",
            by_command=f"`manage.py run_eval --resume {campaign.slug}` does it and waits.",
        )
    return detector


def store_screening(
    *, campaign: Campaign, detector: SafetyDetector | None, withheld: list[Withheld], dropped: int
) -> None:
    """Store what was withheld and by whose scores; in the transaction of the items.

    An arm that joins meets images that were withheld before: those are stored already.
    """
    if detector is None:
        return
    known = set(campaign.withheld.values_list("sample", "collected"))
    fresh = [each for each in withheld if (each.sample_id, each.collected_id) not in known]
    Withheld.objects.bulk_create(fresh, batch_size=1000)
    campaign.safety_detector = detector
    campaign.sets_left_out += dropped
    campaign.save(update_fields=["safety_detector", "sets_left_out"])


def refuse_unsafe_gold(campaign: Campaign, withheld: Sequence[Withheld]) -> None:
    """Refuse gold that holds an unsafe sample, or a copy of one.

    Making gold leaves filtered sets out; this catches gold made before another version of the
    detector checked the samples, and a file that brings such an image.
    """
    unsafe = {each.picture.image_sha256 for each in withheld}
    if not unsafe:
        return
    gold = campaign.image_sets.gold().prefetch_related("images")
    found = [each for each in gold if unsafe & _hashes(each)]
    if found:
        raise BadInputError(
            f"campaign {campaign.slug!r}: "
            f"{counted(len(found), 'gold set shows', 'gold sets show')} "
            "images that the safety filter keeps from annotators; remove all gold, take such "
            "images out of a file of your own, and open it again.",
            by_command=f"`manage.py make_gold {campaign.slug} --clear` removes the gold, "
            "`manage.py run_eval` opens it.",
        )


def _hashes(gold: ImageSet) -> set[str]:
    """The samples that gold was made of, and what its images are."""
    made_of = [gold.origin, *gold.origin.get("others", [])]
    return {str(each.get("sample_sha256")) for each in made_of} | {
        _sha256(name) for name in gold.files
    }


def _sha256(name: str) -> str:
    with default_storage.open(name) as file:
        return hashlib.sha256(file.read()).hexdigest()
