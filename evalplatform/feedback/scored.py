"""The images of a campaign, and what a reward has said of them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evalplatform.campaigns.models import Campaign, ShownImage
from evalplatform.feedback.models import RegisteredReward, RewardScore


@dataclass(frozen=True)
class ScoredImage:
    """One image of a campaign's main sets, as a reward is asked about it."""

    image_set: int
    arm: int  # its place in the campaign
    prompt_id: int
    prompt: str
    image: str  # name in object storage
    image_sha256: str

    @property
    def prompt_sha256(self) -> str:
        """Hash of the prompt's text."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()

    @property
    def key(self) -> tuple[str, str]:
        """By what its score is found."""
        return self.image_sha256, self.prompt_sha256


@dataclass(frozen=True)
class RewardCoverage:
    """How many of a campaign's images a reward has scored."""

    scored: int
    total: int
    requested: int  # and neither scored nor failed
    failures: list[str]

    @property
    def is_complete(self) -> bool:
        return self.scored == self.total


def images_of(campaign: Campaign) -> list[ScoredImage]:
    """Return every image that annotators are asked about, once a set it stands in."""
    rows = ShownImage.objects.filter(
        image_set__campaign=campaign, image_set__purpose="main"
    ).order_by("image_set_id", "place")
    found = rows.values_list(
        "image_set_id", "arm__place", "image_set__prompt_id", "image_set__prompt__text",
        "sample__image", "sample__image_sha256", "collected__image", "collected__image_sha256",
    )  # fmt: skip
    return [
        ScoredImage(set_id, arm, prompt_id, prompt, sample or collected, sha or collected_sha)
        for set_id, arm, prompt_id, prompt, sample, sha, collected, collected_sha in found
        if sha or collected_sha  # imported votes speak of images that are not here
    ]


def scores_of(
    reward: RegisteredReward, images: Sequence[ScoredImage]
) -> dict[tuple[str, str], dict[str, float]]:
    """Return what a reward said of these images, by `ScoredImage.key`."""
    wanted = {each.key for each in images}
    rows = RewardScore.objects.filter(
        reward=reward, image_sha256__in={sha for sha, _ in wanted}
    ).values_list("image_sha256", "prompt_sha256", "values")
    return {(image, prompt): values for image, prompt, values in rows if (image, prompt) in wanted}


def unscored(reward: RegisteredReward, images: Sequence[ScoredImage]) -> list[ScoredImage]:
    """Return those without a score, each once."""
    known = scores_of(reward, images)
    return list({each.key: each for each in images if each.key not in known}.values())


def reward_coverage(reward: RegisteredReward, images: Sequence[ScoredImage]) -> RewardCoverage:
    """Return how far the scoring has come, and why some images could not be scored."""
    wanted = {each.key for each in images}
    # Read before the scores: a request goes only once its score is there.
    rows = reward.score_requests.filter(image_sha256__in={sha for sha, _ in wanted})
    reasons = Counter(rows.values_list("error", flat=True))
    requested = reasons.pop("", 0)
    return RewardCoverage(
        scored=len(scores_of(reward, images)),
        total=len(wanted),
        requested=requested,
        failures=[
            f"{count:,} of {len(wanted):,} images: {why}" for why, count in reasons.most_common()
        ],
    )
