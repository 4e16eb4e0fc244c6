"""Reading what safety detectors said of images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db.models import Count, QuerySet

from evalplatform.safety.models import SafetyCheck, SafetyDetector, SafetyRequest


class Picture(Protocol):
    """A stored image: a sample, or one of a collection."""

    @property
    def image(self) -> str: ...

    @property
    def image_sha256(self) -> str: ...


@dataclass(frozen=True)
class SafetyProgress:
    """How many of some images are checked by one detector."""

    checked: int
    total: int
    requested: int  # and neither checked nor failed
    failures: list[str]

    @property
    def is_complete(self) -> bool:
        return self.checked == self.total

    @property
    def is_stuck(self) -> bool:
        """Whether something is missing that nobody was asked for."""
        return not self.is_complete and not self.requested


def covering_detector(name: str, pictures: Sequence[Picture]) -> SafetyDetector | None:
    """Return the detector of this name that has checked every one of `pictures`, or None.

    Of several versions it is the one that a worker used last.
    """
    return last_used(covering_detectors(name, pictures))


def covering_detectors(name: str, pictures: Sequence[Picture]) -> set[int]:
    """Return the keys of those detectors of this name that checked every one of `pictures`."""
    wanted = _hashes(pictures)
    counts = _checked_by_detector(name, wanted)
    return {detector for detector, count in counts.items() if count == len(wanted)}


def last_used(detectors: set[int]) -> SafetyDetector | None:
    """Return which of these detectors a worker used last; None of none."""
    return SafetyDetector.objects.filter(pk__in=detectors).order_by("-seen_at", "-pk").first()


def detector_in_use(name: str) -> SafetyDetector | None:
    """Return the version of a detector that a worker used last, or None before the first use."""
    return SafetyDetector.objects.filter(name=name).order_by("-seen_at", "-pk").first()


def scores_of(detector: SafetyDetector, pictures: Sequence[Picture]) -> dict[str, float]:
    """Return the score of each image that this detector has checked, by its file's hash."""
    return {check.image_sha256: check.score for check in checks_of(detector, pictures)}


def checks_of(detector: SafetyDetector, pictures: Sequence[Picture]) -> QuerySet[SafetyCheck]:
    """Return what this detector said of these images, the surest first."""
    checks = SafetyCheck.objects.filter(detector=detector, image_sha256__in=_hashes(pictures))
    return checks.order_by("-score", "pk")


def unchecked(name: str, pictures: Sequence[Picture]) -> set[str]:
    """Return the hashes of those of `pictures` that the detector in use has not checked."""
    detector = covering_detector(name, pictures) or detector_in_use(name)
    wanted = _hashes(pictures)
    return wanted - scores_of(detector, pictures).keys() if detector else wanted


def safety_progress(name: str, pictures: Sequence[Picture]) -> SafetyProgress:
    """Return how far the check of `pictures` has come, and why some could not be checked."""
    wanted = _hashes(pictures)
    # Read before the checks: a request goes only once its check is there.
    requests = SafetyRequest.objects.filter(detector=name, image_sha256__in=wanted)
    reasons = Counter(requests.values_list("error", flat=True))
    requested = reasons.pop("", 0)
    return SafetyProgress(
        checked=len(wanted) - len(unchecked(name, pictures)),
        total=len(wanted),
        requested=requested,
        failures=[
            f"{count:,} of {len(wanted):,} samples: {reason}"
            for reason, count in reasons.most_common()
        ],
    )


def _hashes(pictures: Sequence[Picture]) -> set[str]:
    return {picture.image_sha256 for picture in pictures}


def _checked_by_detector(name: str, wanted: set[str]) -> dict[int, int]:
    counted = (
        SafetyCheck.objects.filter(detector__name=name, image_sha256__in=wanted)
        .values_list("detector")
        .annotate(count=Count("pk"))
    )
    return dict(counted)
