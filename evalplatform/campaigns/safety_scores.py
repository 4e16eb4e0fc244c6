"""What the safety detector said of every image of a campaign, the surest first."""

from collections.abc import Mapping
from dataclasses import dataclass

from evalplatform.campaigns.models import Arm, Campaign, Picture
from evalplatform.campaigns.selectors import all_pictures, ready_sets
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import PromptSet
from evalplatform.safety.models import SafetyCheck
from evalplatform.safety.selectors import checks_of, covering_detector, safety_progress


@dataclass(frozen=True)
class ImageSafety:
    """One image of an arm and its score.

    Attributes:
        score: in [0, 1]; it is withheld from the campaign's threshold on.
        arm: its letter.
        labels: the detector's own words with their scores.
        name: of the arm's checkpoint or collection.
        sample: number of the sample, None of an image of a collection.
        detector: name and version.
    """

    score: float
    arm: str
    prompt_set: str
    prompt_set_version: int
    prompt_position: int
    prompt_text: str
    labels: Mapping[str, float]
    name: str
    sample: int | None
    image_sha256: str
    detector: str


def scored_images(campaign: Campaign) -> list[ImageSafety]:
    """Return every image with its score, the surest first.

    Raises `BadInputError` without a filter, and while an image or a score is missing.
    """
    rules = campaign.checked_rules.safety
    if rules.threshold is None:
        raise BadInputError(
            f"{campaign.slug!r} has no safety filter; give a campaign one when you make it.",
            by_command="`run_eval --safety SCORE` does it.",
        )
    sets = ready_sets(campaign)
    pictures = all_pictures(sets)
    detector = campaign.safety_detector or covering_detector(rules.detector, pictures)
    if detector is None:
        progress = safety_progress(rules.detector, pictures)
        raise BadInputError(
            f"{campaign.slug!r}: {progress.checked:,} of {progress.total:,} samples are checked by "
            f"{rules.detector!r}; have the others checked first.",
            by_command=f"`manage.py run_eval --resume {campaign.slug}` does it.",
        )
    checks = {check.image_sha256: check for check in checks_of(detector, pictures)}
    prompt_sets = {each.pk: each for each in campaign.prompt_sets.all()}
    rows = {
        (arm.place, picture.pk): _scored(
            arm, picture, checks[picture.image_sha256], prompt_sets, str(detector)
        )
        for each in sets
        for arm, picture in zip(each.arms, each.pictures, strict=True)
    }
    surest_first = sorted(rows.items(), key=lambda item: (-item[1].score, item[0]))
    return [scored for _, scored in surest_first]


def _scored(
    arm: Arm, picture: Picture, check: SafetyCheck, prompt_sets: Mapping[int, PromptSet],
    detector: str,
) -> ImageSafety:  # fmt: skip
    prompt = picture.prompt
    assert prompt  # an image that belongs to a set answers a prompt
    prompt_set = prompt_sets[prompt.prompt_set_id]
    return ImageSafety(
        score=check.score, arm=arm.letter, prompt_set=prompt_set.name,
        prompt_set_version=prompt_set.version, prompt_position=prompt.position,
        prompt_text=prompt.text, labels=check.labels, name=arm.name,
        sample=picture.pk if arm.checkpoint_id else None, image_sha256=picture.image_sha256,
        detector=detector,
    )  # fmt: skip
