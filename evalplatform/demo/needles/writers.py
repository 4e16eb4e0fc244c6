"""Simulated people who write captions of images and approve each other's, over HTTP."""

import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.urls import reverse

from evalplatform.accounts.services import ensure_simulated_annotator
from evalplatform.campaigns.models import Campaign, ShownImage
from evalplatform.demo.needles.truth import NeedleTruth
from evalplatform.simulation.behaviour import see
from evalplatform.simulation.client import SimulatedAnnotator
from evalplatform.simulation.describing import describe
from evalplatform.simulation.reviewers import Reviewer, draw_reviewers

_COLOURS = re.compile(r"mostly \w+ with some \w+")


@dataclass(frozen=True, eq=False)
class CaptionWriter:
    """Knows what each image shows, and adds the colours that it sees.

    A caption of the colours alone, as other simulated writers give it, would teach a model that
    names of things mean nothing.
    """

    reviewer: Reviewer
    captions: Mapping[bytes, str]
    """By the key of an image's pixels."""

    def answer(self, form: str, images: Sequence[bytes], prompt: str | None) -> str:
        """Write a caption, or approve another's as reviewers do."""
        if form != "caption":
            return self.reviewer.answer(form, images, prompt)
        seen = see(images[0])
        found = _COLOURS.search(describe(seen.pixels, self.reviewer.seed))
        return ", ".join([self.captions[seen.key], *([found.group()] if found else [])])

    def marks(self, form: str, images: Sequence[bytes], heads: Collection[str]) -> list[str]:
        """Mark nothing."""
        return self.reviewer.marks(form, images, heads)


def write_captions(
    campaign: Campaign, *, truth: Mapping[str, NeedleTruth], people: int, seed: int, site: str
) -> None:
    """Have simulated people answer everything that a round of captions asks."""
    captions = _captions_shown(campaign, truth)
    reviewers = draw_reviewers(people, role="generalists", seed=seed, known={})
    clients = []
    for number, reviewer in enumerate(reviewers):
        annotator = ensure_simulated_annotator(
            pseudonym=f"sim-writer-{seed}-{number:02d}", behaviour=reviewer.as_dict()
        )
        link = f"{site}{reverse('annotation:work', args=[campaign.invitation])}"
        writer = CaptionWriter(reviewer, captions)
        clients.append(SimulatedAnnotator(link=f"{link}?key={annotator.access_key}", judge=writer))
    with ThreadPoolExecutor(max_workers=people) as pool:
        list(pool.map(SimulatedAnnotator.judge_all, clients))


def _captions_shown(campaign: Campaign, truth: Mapping[str, NeedleTruth]) -> dict[bytes, str]:
    rows = ShownImage.objects.filter(image_set__campaign=campaign).select_related("collected")
    found = {}
    for each in rows.iterator():
        if each.collected is None:
            continue
        with default_storage.open(each.copies[0]) as file:
            found[see(file.read()).key] = truth[each.collected.source_sha256].caption
    return found
