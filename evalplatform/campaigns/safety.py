"""The safety filter of a campaign: which sample pairs annotators may see, and which they never do.

A detector's scores are facts of samples (`generation.safety_models`); the decision is the
campaign's: its rules name the detector and the threshold, both frozen with the protocol.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.files.storage import default_storage

from evalplatform.campaigns.models import Campaign, FilteredPair, GoldPair
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import SafetyDetector, Sample
from evalplatform.generation.safety_selectors import covering_detector, scores_of, unchecked

SamplePair = tuple[Sample, Sample]  # of checkpoint A and B, of one prompt


@dataclass(frozen=True)
class Screened:
    """A campaign's pairs after the filter; without one, all pass and there is no detector."""

    passed: list[SamplePair]
    filtered: list[FilteredPair]  # as they will be stored
    detector: SafetyDetector | None


@dataclass(frozen=True)
class FilterCounts:
    """How many prompts of a campaign were filtered, and for whose image."""

    prompts: int
    only_a: int
    only_b: int
    both: int

    @property
    def filtered(self) -> int:
        return self.only_a + self.only_b + self.both

    @property
    def unsafe_a(self) -> int:
        return self.only_a + self.both

    @property
    def unsafe_b(self) -> int:
        return self.only_b + self.both

    @property
    def sentence(self) -> str:
        """Such as "7 of 300 prompts filtered: 2 for A, 4 for B, 1 for both"."""
        said = f"{self.filtered:,} of {self.prompts:,} prompts filtered"
        if not self.filtered:
            return said
        return f"{said}: {self.only_a:,} for A, {self.only_b:,} for B, {self.both:,} for both"


def filter_counts(campaign: Campaign) -> FilterCounts:
    """Count what the filter of a campaign that has opened took out."""
    first = campaign.criteria.first()
    compared = campaign.comparisons.filter(criterion=first).count()
    return counts_of(campaign.filtered_pairs.all(), compared)


def counts_of(filtered: Iterable[FilteredPair], passed: int) -> FilterCounts:
    """Count filtered pairs beside `passed` prompts that were not."""
    sides = Counter(pair.sides for pair in filtered)
    return FilterCounts(
        prompts=passed + sides.total(),
        only_a=sides["A"],
        only_b=sides["B"],
        both=sides["both"],
    )


def screen(campaign: Campaign, pairs: Sequence[SamplePair]) -> Screened:
    """Part the pairs annotators may see from those with an unsafe sample.

    Raises `BadInputError` while a score is missing, so that nothing is shown unchecked, and where
    no pair is left.
    """
    rules = campaign.checked_rules.safety
    if rules.threshold is None:
        return Screened(list(pairs), [], None)
    samples = [sample for pair in pairs for sample in pair]
    detector = covering_detector(rules.detector, samples)
    if detector is None:
        missing = len(unchecked(rules.detector, samples))
        raise BadInputError(
            f"campaign {campaign.slug!r}: {missing:,} of {len(samples):,} samples have no safety "
            f"score by {rules.detector!r} yet; `manage.py run_eval --resume {campaign.slug}` has "
            "them checked and waits."
        )
    scores = scores_of(detector, samples)
    passed, filtered = [], []
    for sample_a, sample_b in pairs:
        score_a, score_b = scores[sample_a.pk], scores[sample_b.pk]
        if max(score_a, score_b) < rules.threshold:
            passed.append((sample_a, sample_b))
            continue
        filtered.append(
            FilteredPair(
                campaign=campaign, prompt_id=sample_a.prompt_id, detector=detector,
                sample_a=sample_a, sample_b=sample_b, score_a=score_a, score_b=score_b,
                threshold=rules.threshold,
            )
        )  # fmt: skip
    if not passed:
        raise BadInputError(
            f"campaign {campaign.slug!r}: the safety filter ({detector} at {rules.threshold:g}) "
            f"leaves none of {len(pairs):,} prompts, so there is nothing to judge; use other "
            "checkpoints or prompts, or a higher threshold under another --name."
        )
    return Screened(passed, filtered, detector)


def store_screening(*, campaign: Campaign, screened: Screened) -> None:
    """Store what was filtered and by whose scores; in the transaction of the comparisons."""
    if screened.detector is None:
        return
    FilteredPair.objects.bulk_create(screened.filtered, batch_size=1000)
    campaign.safety_detector = screened.detector
    campaign.save(update_fields=["safety_detector"])


def refuse_unsafe_gold(campaign: Campaign, filtered: Sequence[FilteredPair]) -> None:
    """Refuse gold pairs that hold an unsafe sample, or a copy of one.

    Making gold leaves filtered pairs out; this catches gold made before another version of the
    detector checked the samples, and a file that brings such an image.
    """
    unsafe = {sample.image_sha256 for pair in filtered for sample in pair.unsafe_samples}
    if not unsafe:
        return
    found = [gold for gold in campaign.gold_pairs.all() if unsafe & _hashes(gold)]
    if found:
        raise BadInputError(
            f"campaign {campaign.slug!r}: {len(found)} gold pairs show images that the safety "
            f"filter keeps from annotators; remove all with `manage.py make_gold {campaign.slug} "
            "--clear`, take such images out of a file of your own, and run `manage.py run_eval` "
            "again."
        )


def _hashes(gold: GoldPair) -> set[str]:
    """The samples a gold pair was made of, and what its images are."""
    made_of = {str(gold.origin.get(key)) for key in ("sample_sha256", "other_sample_sha256")}
    return made_of | {_sha256(gold.better_image), _sha256(gold.worse_image)}


def _sha256(name: str) -> str:
    with default_storage.open(name) as file:
        return hashlib.sha256(file.read()).hexdigest()
