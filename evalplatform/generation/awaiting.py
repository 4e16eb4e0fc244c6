"""How far samples are that something waits for: whether more come, and why not. All is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import (
    GenerationBatch,
    GenerationRequest,
    Sample,
    SamplerSettings,
)
from evalplatform.generation.overview import RequestRow, request_row
from evalplatform.generation.selectors import NO_WORKER, live_workers, too_large_for_all
from evalplatform.promptsets.models import Prompt

Wanted = Sequence[tuple[Prompt, int]]
"""Prompts with seeds."""


@dataclass(frozen=True)
class AwaitedSamples:
    """How far samples are that something waits for.

    Attributes:
        ready, total: samples.
        hindrance: why no more come, or "".
        is_ended: whether none come any more until somebody asks again.
        failures: batches of them that failed.
    """

    ready: int
    total: int
    hindrance: str = ""
    is_ended: bool = False
    failures: tuple[GenerationBatch, ...] = ()

    @property
    def is_made(self) -> bool:
        return self.ready == self.total

    @property
    def is_ready(self) -> bool:
        """Whether what waits can go on."""
        return self.is_made

    @property
    def fault(self) -> str:
        """Why it is not ready by waiting alone; "" where it is, or will be."""
        if self.failures:
            return self.failures[0].error
        return self.hindrance if self.is_ended else ""

    @property
    def in_words(self) -> str:
        """How far it is, and what keeps it, in a line."""
        return f"{self.ready:,} of {self.total:,} samples are made. {self.hindrance}".strip()


def awaited_samples(
    *, name: str, checkpoint: Checkpoint, ready: int, total: int, now: datetime
) -> AwaitedSamples:
    """Return how far samples of a checkpoint are that were asked of the workers under a name."""
    if ready == total:
        return AwaitedSamples(ready, total)
    row = request_row(name, now)
    failures = [each for each in row.failures if each.checkpoint == checkpoint] if row else []
    is_ended = row is None or row.request.status == GenerationRequest.Status.CANCELLED
    return AwaitedSamples(ready, total, why_none_come(row, now), is_ended, tuple(failures))


def count_made(
    *, checkpoint: Checkpoint, settings: SamplerSettings | None, wanted: Wanted
) -> tuple[int, int]:
    """Return how many images of `wanted` are made, and how many there are; nothing is planned."""
    keys = {(prompt.pk, seed) for prompt, seed in wanted}
    made = Sample.objects.filter(
        checkpoint=checkpoint,
        settings=settings,
        prompt__in={prompt for prompt, _ in keys},
        status=Sample.Status.READY,
    ).values_list("prompt_id", "seed")
    return len(keys & set(made)), len(keys)


def why_none_come(row: RequestRow | None, now: datetime) -> str:
    """Say why no more samples of a request come that are missing, or nothing where they do."""
    if row is None:
        return "Nothing was asked of the workers yet."
    if row.request.status == GenerationRequest.Status.CANCELLED:
        return "Generation was cancelled."
    if row.request.status == GenerationRequest.Status.PAUSED:
        return "Generation is paused."
    if row.request.is_budget_used:
        return "The budget of worker time is used."
    if not live_workers(now):
        return NO_WORKER
    if too_large := too_large_for_all(row.request, now):
        names = ", ".join(too_large)
        return f"No worker has the memory for {names}: ask an operator for one on a larger device."
    return ""
