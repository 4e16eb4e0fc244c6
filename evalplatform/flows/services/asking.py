"""Asking a batch: checked and written down at once, opened by a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max

from evalplatform.accounts.models import User
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.flows.models import Flow, FlowBatch, FlowImage
from evalplatform.flows.services.keeping import refuse_closed
from evalplatform.flows.services.making import check_deadline
from evalplatform.runs.services.running import CHECKS_PER_CRITERION

CHANNEL = "flows_asked"  # of the database: what wakes the workers that listen
MOST_PANELS = 200
MOST_UNDER_WAY = 50  # batches of a flow that have not ended
_LONGEST_PROMPT = 10_000  # characters


@dataclass(frozen=True)
class AskedPanel:
    """Images of one prompt, by the SHA-256 of the files that were sent; their order is kept."""

    prompt: str
    images: tuple[str, ...]


def ask_batch(
    *,
    flow: Flow,
    panels: Sequence[AskedPanel],
    deadline_seconds: int | None,
    user: User | None,
    now: datetime,
) -> FlowBatch:
    """Write a batch down; its commit wakes the workers, and nobody is waited for.

    `deadline_seconds` from `now`; None: the flow's. Raises `ConflictError` where the flow is
    closed or has too many batches under way, and `BadInputError` for what cannot be asked, naming
    the panel.
    """
    seconds = flow.deadline_seconds if deadline_seconds is None else deadline_seconds
    check_deadline(seconds)
    _check_panels(flow, panels)
    with transaction.atomic():
        locked = Flow.objects.select_for_update().get(pk=flow.pk)
        refuse_closed(locked)
        _refuse_too_many(locked)
        _take_images(locked, panels)
        last = locked.batches.aggregate(last=Max("number"))["last"] or 0
        batch = FlowBatch.objects.create(
            flow=locked,
            number=last + 1,
            panels=[{"prompt": each.prompt, "images": list(each.images)} for each in panels],
            panel_count=len(panels),
            asked_by=user,
            asked_at=now,
            deadline_at=now + timedelta(seconds=seconds),
        )
        # Not through the broker: a web process that publishes its first message may take a second.
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    return batch


def _refuse_too_many(flow: Flow) -> None:
    under_way = flow.batches.exclude(status__in=FlowBatch.ENDED).count()
    if under_way >= MOST_UNDER_WAY:
        raise BadInputError(
            f"{under_way} batches of {flow} are under way, and more than {MOST_UNDER_WAY} would "
            "only wait: await some, close some, or give shorter deadlines."
        )


def _check_panels(flow: Flow, panels: Sequence[AskedPanel]) -> None:
    if not 1 <= len(panels) <= MOST_PANELS:
        raise BadInputError(f"{len(panels)} panels are given; ask 1 to {MOST_PANELS} in a batch.")
    _refuse_too_few_for_gold(flow, panels)
    at: dict[str, int] = {}
    for place, panel in enumerate(panels):
        _check_panel(flow, panel, place)
        first = at.setdefault(panel.prompt, place)
        if first != place:
            raise BadInputError(
                f"panels {first} and {place} have one prompt; ask one of them in another batch."
            )


def _refuse_too_few_for_gold(flow: Flow, panels: Sequence[AskedPanel]) -> None:
    """Refuse now what a worker could not open: hidden gold is made of the batch's own images."""
    images = len(panels) * flow.images_per_panel
    if flow.checked_rules.quality.gold_rate and images < CHECKS_PER_CRITERION:
        raise BadInputError(
            f"the flow mixes in hidden gold, made of a batch's own images, and {images} are fewer "
            f"than {CHECKS_PER_CRITERION}; ask more panels together, or make a flow without "
            "quality.gold_rate."
        )


def _check_panel(flow: Flow, panel: AskedPanel, place: int) -> None:
    if len(panel.images) != flow.images_per_panel:
        raise BadInputError(
            f"panel {place} has {len(panel.images)} images; the flow {flow.slug!r} asks about "
            f"{flow.images_per_panel} at a time."
        )
    twice = next((each for each in panel.images if panel.images.count(each) > 1), None)
    if twice is not None:
        raise BadInputError(f"panel {place} has the image {twice[:64]} twice; show each once.")
    if not panel.prompt.strip() or len(panel.prompt) > _LONGEST_PROMPT:
        raise BadInputError(
            f"the prompt of panel {place} has {len(panel.prompt)} characters; give 1 to "
            f"{_LONGEST_PROMPT:,}, not only spaces."
        )
    if panel.prompt != panel.prompt.strip() or not all(
        each.isprintable() or each in "\n\t" for each in panel.prompt
    ):
        raise BadInputError(
            f"the prompt of panel {place} begins or ends with a space, or holds what cannot be "
            "printed; remove it."
        )


def _take_images(flow: Flow, panels: Sequence[AskedPanel]) -> None:
    """Mark the images as asked about, so that they are kept. Raises for one that is not there."""
    wanted = {each for panel in panels for each in panel.images}
    rows = FlowImage.objects.filter(flow=flow, sha256__in=wanted)
    # Locked first: one that is being removed as unasked is gone, or stays.
    there = set(rows.select_for_update().values_list("sha256", flat=True))
    missing = sorted(wanted - there)
    if missing:
        raise BadInputError(
            f"{counted(len(missing), 'image is', 'images are')} not there, the first "
            f"{missing[0][:64]!r}; send each by "
            "PUT …/images/SHA256, then ask."
        )
    rows.filter(is_asked=False).update(is_asked=True)
