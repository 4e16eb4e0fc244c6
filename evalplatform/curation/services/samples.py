"""A pool of a checkpoint's own samples: what Style Tailoring's two sets are picked from.

Sinha et al. 2023: people pick the samples that match their prompt, and experts those in the style.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.campaigns.selectors import sample_seed
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import refuse_retired_checkpoint
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.telling import tell_nobody
from evalplatform.curation.models import Pool
from evalplatform.curation.services.pools import (
    GivenPoolImage,
    Made,
    Progress,
    check_name,
    making,
    store_pool,
)
from evalplatform.generation.awaiting import AwaitedSamples, awaited_samples, count_made
from evalplatform.generation.models import Sample, SamplerSettings
from evalplatform.generation.services import enqueue_samples, open_request, plan_samples
from evalplatform.promptsets.models import Prompt, PromptSet

MOST_SEEDS = 100
STEPS, GUIDANCE = 25, 4.0  # of the sampler, where nobody says


def sampler_of_a_pool(*, steps: int, guidance: float) -> dict[str, Any]:
    """Return the settings of a pool's samples: DDIM, at the checkpoint's own size."""
    return {
        "sampler": "ddim", "steps": steps, "guidance_scale": guidance, "negative_prompt": "",
        "height": None, "width": None,
    }  # fmt: skip


@dataclass(frozen=True)
class PoolSamples:
    """Samples of which a pool is made: so many `seeds` a prompt, from the `seed` of the pool."""

    checkpoint: Checkpoint
    prompt_set: PromptSet
    seeds: int
    settings: dict[str, Any]
    seed: int = 0

    def wanted(self) -> list[tuple[Prompt, int]]:
        """Return every prompt with every seed that it is sampled with."""
        return [
            (prompt, sample_seed(self.seed, prompt, number))
            for prompt in self.prompt_set.prompts.order_by("position")
            for number in range(self.seeds)
        ]


class SamplesNotMadeError(EvalPlatformError):
    """Workers are still making the samples of a pool; the same call goes on."""


def request_of_pool(name: str) -> str:
    """Return the name under which the workers are asked for the samples of a pool."""
    return f"pool:{name}"


def request_samples(*, project: Project, name: str, wanted: PoolSamples) -> list[Sample]:
    """Return the samples of a pool that is to be made; the workers are asked for what lacks.

    Raises `BadInputError` where there could be no such pool, before anything is asked.
    """
    _refuse(project, name, wanted)
    settings, _ = SamplerSettings.objects.get_or_create(**wanted.settings)
    samples = plan_samples(checkpoint=wanted.checkpoint, settings=settings, wanted=wanted.wanted())
    if any(each.status == Sample.Status.PLANNED for each in samples):
        request = open_request(project=project, name=request_of_pool(name))
        enqueue_samples(samples=samples, request=request)
    return samples


def awaited_by_pool(*, name: str, wanted: PoolSamples, now: datetime) -> AwaitedSamples:
    """Return how far the samples are that `request_samples` asked for; nothing is stored."""
    settings = SamplerSettings.objects.filter(**wanted.settings).first()
    ready, total = count_made(
        checkpoint=wanted.checkpoint, settings=settings, wanted=wanted.wanted()
    )
    return awaited_samples(
        name=request_of_pool(name), checkpoint=wanted.checkpoint, ready=ready, total=total, now=now
    )


def import_samples(
    *,
    project: Project,
    name: str,
    wanted: PoolSamples,
    licence: str = "",
    created_by: User | None = None,
    processes: int | None = None,
    progress: Progress = tell_nobody,
    made: Made = tell_nobody,
) -> Pool:
    """Make a pool of so many samples a prompt of a checkpoint; the same call goes on.

    An image's concept is its prompt's first tag, or its category. `made` is told the pool, in the
    transaction that makes it. Raises `SamplesNotMadeError` while workers, which it asks, have not
    made all; `BadInputError` for names that are taken or another project's, or seeds outside 1 to
    100.
    """
    samples = request_samples(project=project, name=name, wanted=wanted)
    _refuse_unmade(samples)
    checkpoint, prompt_set = wanted.checkpoint, wanted.prompt_set
    pool = Pool(
        project=project, name=name, origin=Pool.Origin.SAMPLES, created_by=created_by,
        source=f"samples of {checkpoint.name} for {prompt_set}, {wanted.seeds} a prompt",
    )  # fmt: skip
    with making(name), tempfile.TemporaryDirectory(prefix="samples-") as folder:
        given = [_given(sample, Path(folder), licence) for sample in samples]
        alike = len(given) - len({each.sha256 for each in given})
        if alike:
            raise BadInputError(
                f"{alike:,} of {len(given):,} samples are the same picture as another one; a pool "
                "has each image once. Use a sampler that gives other images for other seeds."
            )
        return store_pool(
            pool, given, model=checkpoint.name, prompt_set=prompt_set,
            licence=licence or "unknown", processes=processes, progress=progress, made=made,
        )  # fmt: skip


def _refuse(project: Project, name: str, wanted: PoolSamples) -> None:
    check_name(name)
    if not 1 <= wanted.seeds <= MOST_SEEDS:
        raise BadInputError(f"the number of seeds {wanted.seeds} is outside 1 to {MOST_SEEDS}.")
    for each in (wanted.checkpoint, wanted.prompt_set):
        refuse_foreign(project, each)
    refuse_retired_checkpoint(wanted.checkpoint)


def _refuse_unmade(samples: Sequence[Sample]) -> None:
    ready = sum(each.status == Sample.Status.READY for each in samples)
    if ready < len(samples):
        raise SamplesNotMadeError(
            f"{ready:,} of {len(samples):,} samples are made; the workers are asked for the "
            "rest. Ask for the same again then.",
            by_command="`manage.py generation` shows how far they are.",
        )


def _given(sample: Sample, folder: Path, licence: str) -> GivenPoolImage:
    """Copy a sample's file to a folder, to be imported as any other image is."""
    with default_storage.open(sample.image) as file:
        content = file.read()
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"{sample.pk}.png"
    path.write_bytes(content)
    prompt = sample.prompt
    return GivenPoolImage(
        sha256=sha256,
        row={"image": str(path), "key": prompt.position, "seed": sample.seed,
             "caption": prompt.text},
        fields={"concept": (prompt.tags[0] if prompt.tags else prompt.category)[:200],
                "licence": licence},
    )  # fmt: skip
