"""What a job of each kind does: what the command of that name does, and a name of what was made.

A worker may be killed at any moment, and the job is begun again then. So what a job makes and its
row's `result` are stored in one transaction where the making is one (`_made_by`): begun again, it
is done. Kinds that store in steps find what is there, each in its own way, and go on.
"""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from django.utils import timezone

from evalplatform.api.job_files import folder_of
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import campaign_named
from evalplatform.campaigns.services import refuse_any_newcomer, why_not_joining
from evalplatform.checkpoints.hub.listing import PREFIX, HubId
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.checkpoints.services import (
    Lora,
    register_checkpoint,
    register_chosen,
    register_from_hub,
    register_fused,
)
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.storable_json import storable_text
from evalplatform.core.telling import HowFar, Teller, tell_nobody
from evalplatform.core.words import counted
from evalplatform.curation.services import (
    PoolSamples,
    awaited_by_pool,
    import_pool,
    import_samples,
    request_of_pool,
    request_samples,
    sampler_of_a_pool,
)
from evalplatform.feedback.asked_steps import AskedStep, do_step
from evalplatform.feedback.selectors import latest_round, loop_named
from evalplatform.generation.awaiting import AwaitedSamples
from evalplatform.images.models import ImageCollection
from evalplatform.images.services import import_collection
from evalplatform.imports.protocol import Wish
from evalplatform.imports.services import Handling, import_votes
from evalplatform.imports.telling import in_words, left_out_lines
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.quality.services import import_gold, make_gold
from evalplatform.runs.newcomers import newcomers_progress
from evalplatform.runs.services import (
    add_arm,
    advance_run,
    arm_named,
    ask_newcomers_checks,
    open_run,
    request_newcomer,
)
from evalplatform.runs.states import RunState

JobKind = Job.Kind


class NotYetError(EvalPlatformError):
    """What a job needs is being made; its text says how far that is. The job waits for it."""


class JobLostError(EvalPlatformError):
    """Another worker has begun the job again: what this one made is undone."""


def _made_by(job: Job) -> Callable[[Any], None]:
    """Return what writes down the name of what a job makes, in the transaction that makes it.

    It raises `JobLostError` where the job is not this worker's any more, so that two never make it.
    """

    def made(thing: Any) -> None:
        name = thing.slug if isinstance(thing, Campaign) else thing.name
        if not job.as_begun().update(result=name):
            raise JobLostError("another worker has begun this job again; nothing was stored.")

    return made


def _register(job: Job) -> str:
    asked, project = job.asked, job.project
    chosen = {"name": asked["name"], "role": asked["role"], "made": _made_by(job)}
    if asked["base"]:
        checkpoint, _ = register_fused(
            project=project,
            base=registered_checkpoint(asked["base"], project),
            loras=[Lora(Path(each["path"]), each["scale"]) for each in asked["loras"]],
            parts={name: Path(path) for name, path in asked["parts"].items()},
            weights=asked["weights"],
            say=_noting(job),
            **chosen,
        )
        return checkpoint.name
    source, config = asked["source"], Path(asked["config"]) if asked["config"] else None
    if source.startswith(PREFIX):
        checkpoint, _ = register_from_hub(
            project=project, hub_id=HubId.parse(source, None), variant=asked["variant"],
            progress=tell_nobody, **chosen,
        )  # fmt: skip
    elif asked["weights"]:
        checkpoint, _ = register_chosen(
            project=project, source=Path(source), config=config, weights=asked["weights"],
            say=_noting(job), **chosen,
        )  # fmt: skip
    else:
        checkpoint, _ = register_checkpoint(
            project=project, source=Path(source), config=config, **chosen
        )
    return checkpoint.name


def _import(job: Job) -> str:
    asked = job.asked
    prompts, made = asked["prompt_set"], _made_by(job)
    imported = import_collection(
        project=job.project,
        path=Path(asked["path"]),
        name=asked["name"],
        model=asked["model"],
        prompt_set=prompt_set_named(prompts, job.project) if prompts else None,
        licence=asked["licence"],
        source=asked["source"],
        columns=asked["columns"],
        skip_bad=asked["skip_bad"],
        created_by=job.created_by,
        processes=None,
        progress=tell_nobody,
        made=lambda imported: made(imported.collection),
    )
    return imported.collection.name


def _open(job: Job) -> str:
    # In steps, each of which finds what is there: a campaign that is open is what was asked for.
    campaign = campaign_named(job.asked["campaign"])
    progress = advance_run(campaign=campaign, now=timezone.now())
    if progress.state is RunState.READY:
        with Teller(partial(_note_how_far, _noting(job))) as teller:
            open_run(
                campaign=campaign,
                on_packed=teller.about("images packed"),
                on_images=teller.about("copies stored"),
                on_slots=teller.about("places for votes made"),
            )
    elif progress.state not in (RunState.OPEN, RunState.CLOSED):
        raise BadInputError(progress.note or f"it is not ready: {progress.state} goes on.")
    return campaign.slug


def _note_how_far(say: Callable[[str], None], far: HowFar) -> None:
    if far.doing:
        say(f"{far.doing}: {far.done:,}" + (f" of {far.total:,}" if far.total else ""))


def _add_arm(job: Job) -> str:
    campaign = campaign_named(job.asked["campaign"])
    maker = arm_named(job.asked["arm"], campaign.project)
    refuse_any_newcomer(campaign)
    if hindrance := why_not_joining(campaign, maker):
        raise BadInputError(hindrance)
    _wait_for_newcomer(job, campaign, maker)
    with Teller(partial(_note_how_far, _noting(job))) as teller:
        return add_arm(
            campaign=campaign,
            maker=maker,
            now=timezone.now(),
            on_packed=teller.about("images packed"),
            on_images=teller.about("copies stored"),
            on_slots=teller.about("places for votes made"),
            made=_made_by(job),
        ).name


def _wait_for_newcomer(job: Job, campaign: Campaign, maker: Checkpoint | ImageCollection) -> None:
    """Raise where the images of a newcomer are not there: whether they come, or never will."""
    if not job.note:  # asked a moment ago: checks that failed before are tried again, once
        ask_newcomers_checks(campaign=campaign, maker=maker, now=timezone.now())
    how = newcomers_progress(campaign, maker, timezone.now())
    _refuse_or_wait(how, lambda: request_newcomer(campaign=campaign, maker=maker))
    if how.checks and how.checks.is_stuck:  # the samples were to be made first
        ask_newcomers_checks(campaign=campaign, maker=maker, now=timezone.now())
    if not how.is_ready:
        raise NotYetError(how.in_words)


def _refuse_or_wait(how: AwaitedSamples, ask: Callable[[], object]) -> None:
    """Raise where samples are not made: `NotYetError` while they come, else what keeps them.

    `ask` asks for those that nobody is to make: they may have been another request's that was
    given up.
    """
    if how.fault:
        raise BadInputError(f"{how.fault.rstrip('.')}; mend the cause, then ask again.")
    if not how.is_made:
        ask()
        raise NotYetError(how.in_words)


def _feedback(job: Job) -> str:
    # A step trains, and writes files: no transaction. Asked again, it finds what it has done.
    asked = job.asked
    loop = loop_named(asked["loop"], job.project)
    step = AskedStep(asked["verb"], asked["recipe"], asked["steps"], tuple(asked["settings"]))
    return do_step(round=latest_round(loop, asked["round"]), step=step, user=job.created_by)


def _make_gold(job: Job) -> str:
    # Set by set: what is there is counted, and a pair of a table that is there is left out.
    campaign = campaign_named(job.asked["campaign"])
    with Teller(partial(_note_how_far, _noting(job))) as teller:
        tell, numbers = teller.about("gold sets made"), count(1)
        made = 0
        if table := _table_of(job):
            made = import_gold(campaign=campaign, path=table, within=folder_of(job))
        made += make_gold(
            campaign=campaign, counts=job.asked["counts"], on_made=lambda: tell(next(numbers), 0)
        )
    _noting(job)(f"gold sets made: {made:,}")
    return campaign.slug


def _table_of(job: Job) -> Path | None:
    """Return the table of pairs among the files of a job; None where none were sent."""
    files = job.asked.get("files", [])
    tables = [each for each in files if each.lower().endswith(".tsv")]
    if files and len(tables) != 1:
        raise BadInputError(
            f"{len(tables)} of {len(files):,} files end in .tsv; send one table of pairs, and the "
            "images that it names beside it."
        )
    return folder_of(job) / tables[0] if tables else None


def _import_votes(job: Job) -> str:
    asked, prompts = job.asked, job.asked["prompt_set"]
    with Teller(partial(_note_how_far, _noting(job))) as teller:
        imported = import_votes(
            project=job.project,
            path=folder_of(job) / asked["files"][0],
            campaign=asked["campaign"],
            prompt_set=prompt_set_named(prompts, job.project) if prompts else None,
            wish=Wish(**asked["wish"]),
            handling=Handling(**asked["handling"]),
            licence=asked["licence"],
            source=asked["source"],
            created_by=job.created_by,
            progress=lambda what, done, total: teller.about(what)(done, total or 0),
            made=_made_by(job),
        )
    _noting(job)("; ".join([in_words(imported), *left_out_lines(imported)]))
    return imported.campaign.slug


def _import_pool(job: Job) -> str:
    asked = job.asked
    wanted = pool_samples(job) if asked["checkpoint"] else None
    if wanted:
        _wait_for_pool(job, wanted)
    with Teller(partial(_note_how_far, _noting(job))) as teller:
        common: dict[str, Any] = {
            "project": job.project, "name": asked["name"], "created_by": job.created_by,
            "progress": lambda doing, done, total: teller.about(doing)(done, total),
            "made": _made_by(job),
        }  # fmt: skip
        if wanted:
            pool = import_samples(wanted=wanted, licence=asked["licence"], **common)
        else:
            path = Path(asked["path"]) if asked["path"] else folder_of(job)
            pool = import_pool(path=path, **common)
    _noting(job)(counted(pool.images.count(), "image"))
    return pool.name


def _wait_for_pool(job: Job, wanted: PoolSamples) -> None:
    """Raise where the samples of a pool are not made: whether they come, or never will."""

    def ask() -> None:
        request_samples(project=job.project, name=job.asked["name"], wanted=wanted)

    if not job.note:  # asked a moment ago: what failed or was cancelled before is tried again, once
        ask()
    how = awaited_by_pool(name=job.asked["name"], wanted=wanted, now=timezone.now())
    _refuse_or_wait(how, ask)


def pool_samples(job: Job) -> PoolSamples:
    """Return the samples of which a job makes a pool.

    Raises `BadInputError` where the checkpoint or the prompt set is there no more.
    """
    asked = job.asked
    return PoolSamples(
        checkpoint=registered_checkpoint(asked["checkpoint"], job.project),
        prompt_set=prompt_set_named(asked["prompt_set"], job.project),
        seeds=asked["seeds"],
        settings=sampler_of_a_pool(steps=asked["steps"], guidance=asked["guidance"]),
    )


def _noting(job: Job) -> Callable[[str], None]:
    def say(what: str) -> None:
        Job.objects.filter(pk=job.pk).update(note=storable_text(what)[:500])

    return say


DOING: dict[Job.Kind, Callable[[Job], str]] = {
    JobKind.REGISTER: _register,
    JobKind.IMPORT: _import,
    JobKind.OPEN: _open,
    JobKind.ADD_ARM: _add_arm,
    JobKind.FEEDBACK: _feedback,
    JobKind.GOLD: _make_gold,
    JobKind.VOTES: _import_votes,
    JobKind.POOL: _import_pool,
}


REQUESTS: dict[Job.Kind, Callable[[dict[str, Any]], str]] = {
    JobKind.ADD_ARM: lambda asked: asked["campaign"],
    JobKind.POOL: lambda asked: request_of_pool(asked["name"]),
}
"""Under which name the workers are asked for the samples that jobs of a kind wait for."""
