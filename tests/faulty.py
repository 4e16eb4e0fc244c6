"""Drafts with samples that no annotator should be paid for."""

from dataclasses import dataclass

from django.utils import timezone
from PIL import Image

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, sample_seed
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
    *, prompts: int = 4, constant=(), identical=(), cut_a=(), cut_b=(), unknown_b=False, **options
) -> Campaign:
    """Return a draft with all its samples; each fault is told by the prompts' places.

    `constant`: of A, one colour; `identical`: A's image on both sides; `cut_a`, `cut_b`: prompts of
    100 tokens of which 61 were read; `unknown_b`: nothing is known of how B reads.
    """
    campaign = factories.make_draft(prompts=prompts, sampled=False, **options)
    sides = {"a": campaign.checkpoint_a, "b": campaign.checkpoint_b}
    for side, checkpoint in sides.items():
        wanted = [(p, sample_seed(campaign.seed, p)) for p in planned_prompts(campaign)]
        rows = plan_samples(checkpoint=checkpoint, settings=campaign.settings, wanted=wanted)
        for place, row in enumerate(rows):
            seed = 10_000 + place if place in identical else row.pk
            image = factories.make_image(seed)
            if side == "a" and place in constant:
                image = Image.new("RGB", (16, 16))
            reading = CUT if place in (cut_a if side == "a" else cut_b) else WHOLE
            if side == "b" and unknown_b:
                reading = None
            record_sample(sample=row, image=image, now=timezone.now(), reading=reading)
    return campaign
