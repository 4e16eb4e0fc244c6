"""Putting a round's child into the rankings by reward, and asking people whether that is right.

Rewards place the child in every human order (`models_backend.rewards.insertion`). On a share of the
prompts people rank it too; where they agree often enough the next round learns from both.
"""

import json
import shutil
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.checkpoints.services.backend import ask_backend
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.telling import tell_nobody
from evalplatform.feedback.campaign_plans import verification_plan
from evalplatform.feedback.folders import copy_whole
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.feedback.services.exporting import MARK, keep_preferences, write_preferences
from evalplatform.generation.models import Sample
from evalplatform.generation.services import enqueue_samples, open_request, plan_samples
from evalplatform.runs.services import start_run

NEWCOMERS, EXPANDED = "newcomers", "expanded"


def request_newcomers(*, round: FeedbackRound) -> list[Sample]:
    """Ask the workers for the child's images of every ranked prompt; return them all.

    Raises `BadInputError` before there is a child.
    """
    if round.child is None:
        raise BadInputError(
            f"{round} has no child to put in; tune one first.",
            by_command=f"`manage.py feedback tune {round.loop}` does it.",
        )
    rankings = first_rankings(round)
    with transaction.atomic():
        wanted = wanted_seeds(rankings, planned_prompts(rankings))
        samples = plan_samples(
            checkpoint=round.child, settings=rankings.sampler_settings, wanted=wanted
        )
        enqueue_samples(
            samples=samples,
            request=open_request(project=round.loop.project, name=request_of_round(round)),
        )
    return samples


def request_of_round(round: FeedbackRound) -> str:
    """Return the name under which the workers are asked for the samples of a round."""
    return f"loop:{round.loop.slug}:{round.number}"


def first_rankings(round: FeedbackRound) -> Campaign:
    """Return the loop's only full ranking by people: that of its first round."""
    first = FeedbackRound.objects.select_related("rankings").get(loop=round.loop, number=1)
    assert first.rankings
    return first.rankings


def insert_child(*, round: FeedbackRound, samples: list[Sample]) -> FeedbackRound:
    """Place the child's images in every human order and write the expanded preference set.

    Asked again, it is found done. Raises `BadInputError` where an image is missing or no reward
    places it.
    """
    if round.insertion:
        return round
    expanded = round.folder / EXPANDED
    if not (expanded / MARK).is_file():
        shutil.rmtree(expanded, ignore_errors=True)
        newcomers = _write_newcomers(round, samples)
        rewards = round.rewards.filter(purpose=RegisteredReward.Purpose.OPTIMISED)
        ask_backend(
            "models_backend.rewards",
            ["insert", *(each.directory for each in rewards),
             "--data", round.folder / "preferences", "--images", newcomers, "--out", expanded],
            say=tell_nobody,
        )  # fmt: skip
    shutil.rmtree(round.folder / NEWCOMERS, ignore_errors=True)  # also what a killed one left
    mark = json.loads((expanded / MARK).read_text(encoding="utf-8"))
    with transaction.atomic():
        round = FeedbackRound.objects.select_for_update(of=("self",)).get(pk=round.pk)
        round.insertion = {"pairs": mark["sources"].get("inserted", 0), "images": len(samples)}
        round.save(update_fields=["insertion"])
    return round


def _write_newcomers(round: FeedbackRound, samples: list[Sample]) -> Path:
    folder = round.folder / NEWCOMERS
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    assert round.child
    for sample in samples:
        name = f"{sample.image_sha256}.png"
        with default_storage.open(sample.image) as stored:
            (folder / name).write_bytes(stored.read())
        told = {"prompt": sample.prompt.text, "model": round.child.name, "file": name}
        lines.append(json.dumps(told, ensure_ascii=False))
    write_whole(folder / f"{NEWCOMERS}.jsonl", "\n".join(lines) + "\n")
    return folder / f"{NEWCOMERS}.jsonl"


def start_verification(*, round: FeedbackRound, created_by: User | None = None) -> Campaign:
    """Make the campaign in which people rank the child too; asked again, it returns it.

    Raises `BadInputError` before the child is in, and as `start_run` does.
    """
    with transaction.atomic():
        round = FeedbackRound.objects.select_for_update(of=("self",)).get(pk=round.pk)
        if round.verification:
            return round.verification
        if not round.insertion:
            raise BadInputError(f"the child of {round} is not in the rankings yet.")
        members = [arm.name for arm in first_rankings(round).contenders]
        round.verification, _ = start_run(
            project=round.loop.project,
            plan=verification_plan(round, members),
            created_by=created_by,
        )
        round.save(update_fields=["verification"])
    return round.verification


def count_agreement(*, round: FeedbackRound) -> FeedbackRound:
    """Hold the child's places against what people say, once they have said it all.

    Where they agree often enough, the next round is made: it tunes the child, on the expanded set.
    Raises `BadInputError` while people still rank.
    """
    verification = round.verification
    if verification is None or verification.status != Campaign.Status.CLOSED:
        said = f"{verification} is {verification.status}" if verification else "nobody was asked"
        raise BadInputError(
            f"{round}: {said}; people's votes tell whether the child's places are right. Close "
            "the campaign when they are in."
        )
    people = round.folder / "verification"
    write_preferences(verification, round.folder / "votes", people)
    placements = round.folder / f"{EXPANDED}-placements.jsonl"
    printed = ask_backend(
        "models_backend.rewards",
        ["agree", "--placements", placements, "--data", people],
        say=tell_nobody,
    )
    found = json.loads(printed[-1])
    with transaction.atomic():
        round = FeedbackRound.objects.select_for_update(of=("self",)).get(pk=round.pk)
        round.agreed, round.compared = found["agreed"], found["compared"]
        round.save(update_fields=["agreed", "compared"])
        if not round.is_below_floor:
            _make_next(round)
    return round


def _make_next(round: FeedbackRound) -> FeedbackRound:
    assert round.child
    made, is_new = FeedbackRound.objects.get_or_create(
        loop=round.loop, number=round.number + 1, defaults={"parent": round.child}
    )
    if is_new:
        target = made.folder / "preferences"
        copy_whole(round.folder / EXPANDED, target)
        keep_preferences(round=made, folder=target)
    return made
