"""Rows for tests, made through the same services the platform uses wherever one exists."""

import hashlib
import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone
from PIL import Image

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import Answer, enrol, lease_items, record_vote
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.models import Campaign, ImageSet, Item, ShownImage
from evalplatform.campaigns.packing import Packing
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.campaigns.services import create_campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.stored_images import encode_image
from evalplatform.generation.models import (
    GenerationRequest,
    Sample,
    SamplerSettings,
    WorkerHeartbeat,
)
from evalplatform.generation.services import (
    open_request,
    plan_samples,
    record_sample,
)
from evalplatform.promptsets.models import Prompt, PromptSet

SETTINGS = {
    "sampler": "ddim",
    "steps": 4,
    "guidance_scale": 2.0,
    "negative_prompt": "",
    "height": None,
    "width": None,
}
_serial = itertools.count()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_checkpoint(name: str, role: str = "pretrained", **fields) -> Checkpoint:
    defaults = {
        "project": fields.pop("project", None) or default_project(),
        "role": role,
        "status": Checkpoint.Status.VERIFIED,
        "family": "latent_diffusion",
        "sha256": digest(name),
        "size_bytes": 1,
    }
    return Checkpoint.objects.create(name=name, **(defaults | fields))


def make_prompt_set(name: str = "things", count: int = 4, **fields) -> PromptSet:
    fields = {"project": default_project()} | fields
    prompt_set = PromptSet.objects.create(
        name=name, version=1, sha256=digest(name), source=f"{name}.tsv", **fields
    )
    Prompt.objects.bulk_create(
        Prompt(
            prompt_set=prompt_set,
            position=index,
            text=f"a secret-{name}-prompt number {index}",
            category="Animals" if index % 2 else "Vehicles",
            challenge="Basic",
            tags=["stylized"] if index % 2 else [],
        )
        for index in range(count)
    )
    return prompt_set


def plan(checkpoint: Checkpoint, settings: SamplerSettings, prompts: PromptSet) -> list[Sample]:
    """Plan a sample of every prompt."""
    wanted = [(prompt, 5) for prompt in prompts.prompts.all()]
    return plan_samples(checkpoint=checkpoint, settings=settings, wanted=wanted)


def make_request(name: str = "campaign", **options) -> GenerationRequest:
    return open_request(**{"project": default_project()} | options, name=name)


def make_worker(name: str, seen_at=None, **fields) -> WorkerHeartbeat:
    """Return the sign of life of a worker that does not exist."""
    seen_at = seen_at or timezone.now()
    return WorkerHeartbeat.objects.create(
        name=name, pid=1, started_at=seen_at, seen_at=seen_at, **fields
    )


def make_image(seed: int, size: int = 16) -> Image.Image:
    """Return a small image that no other seed gives; `make_samples` counts seeds up from 0."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))


def make_samples(campaign: Campaign) -> list[Sample]:
    """Make every sample the campaign needs, as a worker would record it."""
    made = []
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    for arm in campaign.contenders:
        if arm.collection:
            continue
        rows = plan_samples(checkpoint=arm.checkpoint, settings=campaign.settings, wanted=wanted)
        for row in rows:
            record_sample(sample=row, image=make_image(next(_serial)), now=timezone.now())
        made += rows
    return made


def make_draft(
    *, prompts: int = 4, k: int = 5, slug: str = "tuned-vs-plain", rules=None, sampled=True,
    **options,
) -> Campaign:  # fmt: skip
    """Return a draft with all its samples.

    `criteria`: slugs or plans; `rules`: as in the TOML; `arms`: how many, or checkpoints;
    `form`: of criteria given by slug.
    """
    number = next(_serial)
    form = options.pop("form", "pair")
    criteria = options.pop("criteria", ["visual_appeal", "text_faithfulness"])
    project = options.pop("project", None) or default_project()
    campaign, _ = create_campaign(
        project=project,
        slug=slug,
        arms=_arms(options.pop("arms", 2), number, project),
        prompt_sets=[make_prompt_set(f"things-{number}", prompts, project=project)],
        criteria=[
            plan_criterion(each, k, form) if isinstance(each, str) else each for each in criteria
        ],
        rules=parse_rules(rules or {}),
        settings=SETTINGS,
        seed=options.pop("seed", 7),
        **options,
    )
    if sampled:
        make_samples(campaign)
    return campaign


def _arms(given, number: int, project) -> list[Checkpoint]:
    if not isinstance(given, int):
        return list(given)
    names = ["tuned", "plain", *(f"other-{place}" for place in range(2, given))][:given]
    roles = ["quality_tuned"] + ["pretrained"] * (given - 1)
    return [
        make_checkpoint(f"{name}-{number}", role, project=project)
        for name, role in zip(names, roles, strict=True)
    ]


def make_bulk_draft(*, prompts: int, **options) -> Campaign:
    """Return a draft of many prompts whose samples share two images: for tests of scale."""
    campaign = make_draft(prompts=0, **options)
    prompt_set = campaign.prompt_sets.get()
    Prompt.objects.bulk_create(
        Prompt(prompt_set=prompt_set, position=index, text=f"a bulk prompt {index}")
        for index in range(prompts)
    )
    for arm in campaign.contenders:
        make_bulk_samples(campaign, arm.checkpoint)
    return campaign


def make_bulk_samples(campaign: Campaign, checkpoint: Checkpoint, *, longer_by: int = 0) -> None:
    """Make all samples of a checkpoint, which share one image. `longer_by`: bytes of its file."""
    name = _stored_image(longer_by)
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    Sample.objects.bulk_create(
        Sample(
            checkpoint=checkpoint, prompt=prompt, settings=campaign.settings,
            seed=seed, status=Sample.Status.READY,
            image=name, image_sha256=digest(name), pixels_sha256=digest(name), width=16,
            height=16,
        )
        for prompt, seed in wanted
    )  # fmt: skip


def add_gold(campaign: Campaign, purpose: str, count: int) -> None:
    """Give every criterion of a draft so much gold."""
    for criterion in campaign.criteria.all():
        for position in range(count):
            expected = [1, 0] if criterion.shape.most > 1 else [criterion.shape.worst]
            expected += [0] * (criterion.shape.least - len(expected))
            gold = ImageSet.objects.create(
                campaign=campaign, criterion=criterion, purpose=purpose, position=position,
                prompt_text=f"a checking-prompt {purpose} {position}", expected=expected,
                why="One of them is noise.", origin={"made": "for a test"},
            )  # fmt: skip
            for place in range(len(expected)):
                ShownImage.objects.create(image_set=gold, place=place, copies=[_stored_image()])
            Item.objects.create(campaign=campaign, criterion=criterion, image_set=gold)


def _stored_image(longer_by: int = 0) -> str:
    content = encode_image(make_image(next(_serial)))
    if longer_by:
        content = Packing().padded(content, len(content) + longer_by, bytes(16))
    return default_storage.save(f"shown/{uuid.uuid4().hex}.png", ContentFile(content))


def stored_size(name: str) -> tuple[int, int]:
    """Return (width, height) of a stored image, read to its last pixel."""
    with default_storage.open(name) as file, Image.open(file) as image:
        image.load()
        return image.size


def lease(enrolment, now=None):
    """Return what this annotator should judge now, or None."""
    held = lease_items(enrolment=enrolment, want=1, now=now or timezone.now())
    return held[0] if held else None


def vote(enrolment, assignment, said: str = "left", now=None, **fields):
    """Answer an assignment and return the receipt."""
    answer = make_answer(assignment, said, **fields)
    return record_vote(enrolment=enrolment, answer=answer, now=now or timezone.now())


def judge_everything(campaign: Campaign, annotators: list[Annotator], choose) -> int:
    """Let annotators take turns until nothing is left; `choose(assignment)` gives the answer."""
    count = 0
    enrolments = [enrol(campaign=campaign, annotator=each) for each in annotators]
    busy = True
    while busy:
        busy = False
        for enrolment in enrolments:
            assignment = lease(enrolment)
            if assignment is None:
                continue
            vote(enrolment, assignment, choose(assignment))
            busy, count = True, count + 1
    return count


def pick(assignment, place: int) -> str:
    """Return the answer to a pair that prefers the image of this place."""
    return "left" if assignment.order[0] == place else "right"


def make_answer(assignment, said: str = "left", **fields) -> Answer:
    return Answer(
        **(
            {
                "public_id": assignment.public_id,
                "answer": said,
                "idempotency_key": uuid.uuid4(),
                "response_time_ms": 1200,
            }
            | fields
        )
    )


@contextmanager
def thawed() -> Iterator[None]:
    """Let a test change what the database keeps from changing, such as a prompt's text."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")
