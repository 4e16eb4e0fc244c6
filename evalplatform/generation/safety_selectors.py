"""Reading what safety detectors said of samples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from evalplatform.generation.models import Sample
from evalplatform.generation.safety_models import SafetyCheck, SafetyDetector, SafetyRequest


@dataclass(frozen=True)
class SafetyProgress:
    """How many of a set of samples are checked by one detector."""

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


def covering_detector(name: str, samples: Sequence[Sample]) -> SafetyDetector | None:
    """Return the detector of this name that has checked every one of `samples`, or None.

    Of several versions it is the one that a worker used last.
    """
    wanted = {sample.pk for sample in samples}
    counts = _checked_by_detector(name, wanted)
    full = [detector for detector, count in counts.items() if count == len(wanted)]
    return SafetyDetector.objects.filter(pk__in=full).order_by("-seen_at", "-pk").first()


def detector_in_use(name: str) -> SafetyDetector | None:
    """Return the version of a detector that a worker used last, or None before the first use."""
    return SafetyDetector.objects.filter(name=name).order_by("-seen_at", "-pk").first()


def scores_of(detector: SafetyDetector, samples: Sequence[Sample]) -> dict[int, float]:
    """Return the score of each sample that this detector has checked, by the sample's id."""
    checks = SafetyCheck.objects.filter(detector=detector, sample__in=[s.pk for s in samples])
    return dict(checks.values_list("sample", "score"))


def unchecked(name: str, samples: Sequence[Sample]) -> set[int]:
    """Return the ids of those of `samples` that the detector in use has not checked."""
    detector = covering_detector(name, samples) or detector_in_use(name)
    wanted = {sample.pk for sample in samples}
    return wanted - scores_of(detector, samples).keys() if detector else wanted


def safety_progress(name: str, samples: Sequence[Sample]) -> SafetyProgress:
    """Return how far the check of `samples` has come, and why some could not be checked."""
    wanted = {sample.pk for sample in samples}
    # Read before the checks: a request goes only once its check is there.
    requests = SafetyRequest.objects.filter(detector=name, sample__in=wanted)
    reasons = Counter(requests.values_list("error", flat=True))
    requested = reasons.pop("", 0)
    return SafetyProgress(
        checked=len(wanted) - len(unchecked(name, samples)),
        total=len(wanted),
        requested=requested,
        failures=[
            f"{count:,} of {len(wanted):,} samples: {reason}"
            for reason, count in reasons.most_common()
        ],
    )


def _checked_by_detector(name: str, wanted: set[int]) -> dict[int, int]:
    counted = (
        SafetyCheck.objects.filter(detector__name=name, sample__in=wanted)
        .values_list("detector")
        .annotate(count=Count("pk"))
    )
    return dict(counted)
