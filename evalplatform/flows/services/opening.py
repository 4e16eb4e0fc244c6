"""Opening a batch: from panels to a campaign, by the chain of all campaigns."""

import json
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from evalplatform.campaigns.models import Campaign
from evalplatform.core.acting import acting, actor_of_user
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.locks import session_turn
from evalplatform.core.storable_json import storable_text
from evalplatform.flows.models import Flow, FlowBatch, FlowImage
from evalplatform.flows.services.ending import end_batch, settle
from evalplatform.images.models import ImageCollection
from evalplatform.images.services import KeptImage, collect_stored, retire_collection
from evalplatform.promptsets.models import PromptSet
from evalplatform.promptsets.services import import_content
from evalplatform.runs.choices import SamplerChoices
from evalplatform.runs.run_plans import RunPlan
from evalplatform.runs.services import advance_run, open_run, start_run
from evalplatform.runs.states import RunState

Status = FlowBatch.Status
Now = Callable[[], datetime]
_STALLED = timedelta(minutes=2)  # taken and not opened: its worker is slow, or was killed
_AT_A_TIME = 5  # then what is over is ended first
_LETTERS = "abcdefgh"


def open_waiting(*, now: Now) -> int:
    """Open what waits, and go on with what a killed worker had begun; return how many."""
    rows = FlowBatch.objects.filter(
        Q(status=Status.QUEUED) | Q(status=Status.OPENING, taken_at__lt=now() - _STALLED)
    ).select_related("asked_by")
    opened = 0
    # Those that were not tried yet come first: others may wait long for a safety check.
    in_turn = rows.order_by(F("taken_at").asc(nulls_first=True), "deadline_at")
    for batch in in_turn[:_AT_A_TIME]:
        with acting(lambda asker=batch.asked_by: actor_of_user(asker, via="flow")):  # type: ignore[misc]
            opened += open_batch(key=batch.pk, now=now)
    return opened


def open_batch(*, key: int, now: Now) -> bool:
    """Open one batch; False where another worker has it, however long it takes, or it has ended.

    Its row says what became of it. One whose images wait for a safety check is taken up again.
    """
    with session_turn(f"opening batch {key} of a flow") as is_ours:
        return is_ours and _open(key, now)


def _open(key: int, now: Now) -> bool:
    moment = now()
    mine = FlowBatch.objects.filter(pk=key).filter(
        Q(status=Status.QUEUED) | Q(status=Status.OPENING, taken_at__lt=moment - _STALLED)
    )
    if not mine.update(status=Status.OPENING, taken_at=moment):
        return False
    batch = FlowBatch.objects.select_related("flow__project", "asked_by", "campaign").get(pk=key)
    if settle(batch=batch, now=moment):
        return False  # its deadline came first
    try:
        _go_on(batch, now)
    except EvalPlatformError as error:
        end_batch(batch=batch, status=Status.FAILED, now=now(), reason=storable_text(str(error)))
    except Exception as error:
        said = traceback.format_exception_only(error)[-1][:500].strip()
        reason = f"a fault of the site: {storable_text(said)}"
        end_batch(batch=batch, status=Status.FAILED, now=now(), reason=reason)
        raise
    return True


def _go_on(batch: FlowBatch, now: Now) -> None:
    campaign = batch.campaign or _make(batch)
    progress = advance_run(campaign=campaign, now=now())
    if progress.state is RunState.HELD:
        raise BadInputError(progress.note)
    if progress.state in (RunState.GENERATING, RunState.CHECKING):
        FlowBatch.objects.filter(pk=batch.pk, status=Status.OPENING).update(status=Status.QUEUED)
        return
    if progress.state is RunState.READY:
        open_run(campaign=campaign)
    opened = FlowBatch.objects.filter(pk=batch.pk, status=Status.OPENING)
    if not opened.update(status=Status.OPEN, opened_at=now()):
        # It was closed meanwhile: nobody is asked.
        batch.refresh_from_db()
        settle(batch=batch, now=now())


def _make(batch: FlowBatch) -> Campaign:
    """Make prompt set, collections and campaign, all or nothing."""
    flow = batch.flow
    name = f"flow-{flow.slug}-{batch.number}"
    with transaction.atomic():
        prompts = _prompt_set(batch)
        collections = _collections(batch, prompts, name)
        campaign, _ = start_run(
            project=flow.project,
            plan=RunPlan(
                name=name,
                arms=[f"images:{each.name}" for each in collections],
                prompt_sets=[str(prompts)],
                criteria=[flow.plan],
                settings=SamplerChoices().model_dump(),
                seed=batch.number,
                design="together" if flow.images_per_panel > 2 else "all-pairs",
                rules=flow.checked_rules,
            ),
            created_by=batch.asked_by,
        )
        Campaign.objects.filter(pk=campaign.pk).update(leads_on=flow.entrance)
        campaign.leads_on = flow.entrance
        for each in collections:  # no other campaign takes them, so that no list offers them
            retire_collection(collection=each, user=batch.asked_by, now=batch.asked_at)
        batch.campaign = campaign
        batch.save(update_fields=["campaign"])
    return campaign


def _prompt_set(batch: FlowBatch) -> PromptSet:
    """Return the prompts of a batch as a set; the same prompts again are the same set."""
    lines = (json.dumps({"prompt": panel["prompt"]}) + "\n" for panel in batch.panels)
    name = f"flow-{batch.flow.slug}"
    imported = import_content(
        project=batch.flow.project,
        name=name,
        content="".join(lines).encode(),
        source=f"{name}.jsonl",
    )
    kept = list(imported.prompt_set.prompts.order_by("position").values_list("text", flat=True))
    if kept != [panel["prompt"] for panel in batch.panels]:
        raise BadInputError("a prompt would not be kept as it was given; write it plainly.")
    return imported.prompt_set


def _collections(batch: FlowBatch, prompts: PromptSet, name: str) -> list[ImageCollection]:
    """Return a collection for each place of the panels."""
    flow: Flow = batch.flow
    images = {
        each.sha256: each
        for each in FlowImage.objects.filter(flow=flow, sha256__in=set(batch.hashes))
    }
    in_order = list(prompts.prompts.order_by("position"))
    return [
        collect_stored(
            project=flow.project,
            name=f"{name}-{_LETTERS[place]}",
            model=f"flow {flow.slug}, place {place}",
            prompt_set=prompts,
            images=[
                KeptImage(prompt, panel["images"][place], images[panel["images"][place]].stored)
                for prompt, panel in zip(in_order, batch.panels, strict=True)
            ],
            created_by=batch.asked_by,
        )
        for place in range(flow.images_per_panel)
    ]
