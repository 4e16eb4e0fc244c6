"""A detector of red, and campaigns with red images in known places.

What is unsafe in tests is a patch of pure red: its share of the image is the score.
"""

import io

import numpy as np
from django.utils import timezone
from PIL import Image

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.generation.models import Sample
from evalplatform.generation.services import plan_samples, record_sample
from evalplatform.promptsets.models import Prompt
from evalplatform.safety import tasks as safety_tasks
from evalplatform.safety.services import request_checks
from models_backend.detectors import registry as backend
from models_backend.detectors.base import DetectorIdentity, SafetyScore
from tests import factories

NAME = "red"
RED = (255, 0, 0)
# Prompts without a word in common, so that gold pairs of both kinds can be made of them.
WORDS = (
    "apple", "cats", "lighthouse", "train", "puppies", "violin", "mountains", "balloon", "bridge",
    "teapot", "comet", "glacier",
)  # fmt: skip


# Prompt 0 is unsafe for A from 0.5 on, 1 and 2 for B, 3 for both; 4 comes close.
HALF_FILTERED = {
    (0, "a"): 0.9, (1, "b"): 0.5, (2, "b"): 1.0, (3, "a"): 0.6, (3, "b"): 0.7, (4, "a"): 0.4,
}  # fmt: skip


class RedDetector:
    """Scores the share of pure red pixels."""

    def __init__(self, version: str = "1"):
        self.identity = DetectorIdentity(NAME, version, factories.digest(NAME), ("RED",))
        self.images = 0

    def score(self, images):
        self.images += len(images)
        shares = [red_share(image) for image in images]
        return [SafetyScore(share, {"RED": share}) for share in shares]


def red_share(image: Image.Image) -> float:
    return float((np.asarray(image.convert("RGB")) == RED).all(axis=-1).mean())


def red_share_of(content: bytes) -> float:
    with Image.open(io.BytesIO(content)) as image:
        return red_share(image)


def picture(seed: int, red: float = 0.0, size: int = 16) -> Image.Image:
    """Return an image that no other seed gives, of which so large a share is pure red."""
    pixels = np.asarray(factories.make_image(seed, size)).copy()
    pixels[..., 1] |= 1  # no pixel is pure red by chance
    pixels.reshape(-1, 3)[: round(red * size * size)] = RED
    return Image.fromarray(pixels)


def make_draft(red=None, *, threshold: float | None = 0.5, prompts: int = 8, **options) -> Campaign:
    """Return a draft with all samples, filtered by `red` from `threshold` on (None: no filter).

    `red` maps (index of the prompt, "a" or "b") to the share of red in that sample.
    """
    rules = options.pop("rules", {})
    if threshold is not None:
        rules = rules | {"safety": {"detector": NAME, "threshold": threshold}}
    campaign = factories.make_draft(prompts=0, rules=rules, **options)
    prompt_set = campaign.prompt_sets.get()
    Prompt.objects.bulk_create(
        Prompt(prompt_set=prompt_set, position=index, text=word, category=f"kind {index % 3}")
        for index, word in enumerate(WORDS[:prompts])
    )
    make_samples(campaign, red or {})
    return campaign


def make_samples(campaign: Campaign, red) -> None:
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    for arm in campaign.contenders:
        side = arm.letter.lower()
        rows = plan_samples(checkpoint=arm.checkpoint, settings=campaign.settings, wanted=wanted)
        for index, row in enumerate(rows):
            image = picture(row.pk, red.get((index, side), 0.0))
            record_sample(sample=row, image=image, now=timezone.now())


def samples_of(campaign: Campaign) -> list[Sample]:
    """Return the samples of A, then those of B, each in the order of the prompts."""
    return list(Sample.objects.filter(checkpoint__arms__campaign=campaign).order_by("pk"))


def check(campaign: Campaign, name: str = NAME) -> None:
    """Have every sample of a campaign checked, as its worker would."""
    request_checks(pictures=samples_of(campaign), detector=name, now=timezone.now())
    while safety_tasks.check_safety(name):
        pass


class Workshop:
    """The detector of red as a worker's tasks load it; `use` brings another version."""

    def __init__(self) -> None:
        self.use("1")

    def use(self, version: str) -> None:
        self.loaded = RedDetector(version)
        backend.register_detector(NAME, lambda: self.loaded)
        safety_tasks._warm_detector.cache_clear()
