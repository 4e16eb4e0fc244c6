"""Drafts with samples that no annotator should be paid for."""

from dataclasses import dataclass

from django.utils import timezone
from PIL import Image

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.generation.services import plan_samples, record_sample
from tests import factories


@dataclass(frozen=True)
class Reading:
    """As `models_backend.nn.reading` has it."""

    tokens: int
    read: int


WHOLE = Reading(5, 5)
CUT = Reading(100, 61)


def make_draft(
    *, prompts: int = 4, constant=(), identical=(), cut_a=(), cut_b=(), cut_c=(), unknown_b=False,
    **options,
) -> Campaign:  # fmt: skip
    """Return a draft with all its samples; each fault is told by the images' places.

    `constant`: of A, one colour; `identical`: A and B made the same; `cut_a` to `cut_c`: prompts of
    100 tokens of which 61 were read; `unknown_b`: nothing is known of how B reads. Places are those
    of prompts; of several images of each, those of one prompt follow each other.
    """
    campaign = factories.make_draft(prompts=prompts, sampled=False, **options)
    cut = dict(enumerate((cut_a, cut_b, cut_c)))
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    for arm in campaign.contenders:
        rows = plan_samples(checkpoint=arm.checkpoint, settings=campaign.settings, wanted=wanted)
        for place, row in enumerate(rows):
            seed = 10_000 + place if place in identical and arm.place < 2 else row.pk
            image = factories.make_image(seed)
            if arm.place == 0 and place in constant:
                image = Image.new("RGB", (16, 16))
            reading = CUT if place in cut.get(arm.place, ()) else WHOLE
            if arm.place == 1 and unknown_b:
                reading = None
            record_sample(sample=row, image=image, now=timezone.now(), reading=reading)
    return campaign
