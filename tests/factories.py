"""Rows for tests, made through the same services the platform uses wherever one exists."""

import hashlib
import itertools
import uuid

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import Answer, enrol, hold_pairs, record_vote
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.models import Campaign, GoldPair
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.campaigns.selectors import planned_prompts, sample_seed
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
        "role": role,
        "status": Checkpoint.Status.VERIFIED,
        "family": "latent_diffusion",
        "sha256": digest(name),
        "size_bytes": 1,
    }
    return Checkpoint.objects.create(name=name, **(defaults | fields))


def make_prompt_set(name: str = "things", count: int = 4) -> PromptSet:
    prompt_set = PromptSet.objects.create(
        name=name, version=1, sha256=digest(name), source=f"{name}.tsv"
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
    return open_request(name=name, **options)


def make_worker(name: str, seen_at=None, **fields) -> WorkerHeartbeat:
    """Return the sign of life of a worker that does not exist."""
    seen_at = seen_at or timezone.now()
    return WorkerHeartbeat.objects.create(
        name=name, pid=1, started_at=seen_at, seen_at=seen_at, **fields
    )


def make_image(seed: int, size: int = 16) -> Image.Image:
    """Return a small image that no other seed gives."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))


def make_samples(campaign: Campaign) -> list[Sample]:
    """Make every sample the campaign needs, as a worker would record it."""
    made = []
    for checkpoint in (campaign.checkpoint_a, campaign.checkpoint_b):
        wanted = [(p, sample_seed(campaign.seed, p)) for p in planned_prompts(campaign)]
        rows = plan_samples(checkpoint=checkpoint, settings=campaign.settings, wanted=wanted)
        for row in rows:
            record_sample(sample=row, image=make_image(next(_serial)), now=timezone.now())
        made += rows
    return made


def make_draft(
    *, prompts: int = 4, k: int = 5, slug: str = "tuned-vs-plain", rules=None, sampled=True,
    **options,
) -> Campaign:  # fmt: skip
    """Return a draft with all its samples. `criteria`: kinds or plans; `rules`: as in the TOML."""
    number = next(_serial)
    criteria = options.pop("criteria", ["visual_appeal", "text_faithfulness"])
    campaign, _ = create_campaign(
        slug=slug,
        checkpoint_a=make_checkpoint(f"tuned-{number}", "quality_tuned"),
        checkpoint_b=make_checkpoint(f"plain-{number}"),
        prompt_sets=[make_prompt_set(f"things-{number}", prompts)],
        criteria=[CriterionPlan(each, k) if isinstance(each, str) else each for each in criteria],
        rules=parse_rules(rules) if rules else Rules(),
        settings=SETTINGS,
        seed=options.pop("seed", 7),
        **options,
    )
    if sampled:
        make_samples(campaign)
    return campaign


def make_bulk_draft(*, prompts: int, **options) -> Campaign:
    """Return a draft of many prompts whose samples share two images: for tests of scale."""
    campaign = make_draft(prompts=0, **options)
    prompt_set = campaign.prompt_sets.get()
    Prompt.objects.bulk_create(
        Prompt(prompt_set=prompt_set, position=index, text=f"a bulk prompt {index}")
        for index in range(prompts)
    )
    rows = list(prompt_set.prompts.all())
    for checkpoint in (campaign.checkpoint_a, campaign.checkpoint_b):
        name = _stored_image()
        Sample.objects.bulk_create(
            Sample(
                checkpoint=checkpoint, prompt=prompt, settings=campaign.settings,
                seed=sample_seed(campaign.seed, prompt), status=Sample.Status.READY,
                image=name, image_sha256=digest(name), pixels_sha256=digest(name), width=16,
                height=16,
            )
            for prompt in rows
        )  # fmt: skip
    return campaign


def add_gold(campaign: Campaign, purpose: str, count: int) -> None:
    """Give every criterion of a draft `count` gold pairs."""
    for criterion in campaign.criteria.all():
        for position in range(count):
            GoldPair.objects.create(
                campaign=campaign, criterion=criterion, purpose=purpose, position=position,
                prompt_text=f"a checking-prompt {purpose} {position}",
                better_image=_stored_image(), worse_image=_stored_image(),
                why="One of them is noise.", origin={"made": "for a test"},
            )  # fmt: skip


def _stored_image() -> str:
    content = ContentFile(encode_image(make_image(next(_serial))))
    return default_storage.save(f"shown/{uuid.uuid4().hex}.png", content)


def stored_size(name: str) -> tuple[int, int]:
    """Return (width, height) of a stored image, read to its last pixel."""
    with default_storage.open(name) as file, Image.open(file) as image:
        image.load()
        return image.size


def lease(enrolment, now=None):
    """Return the pair this annotator should judge now, or None."""
    pairs = hold_pairs(enrolment=enrolment, want=1, now=now or timezone.now())
    return pairs[0] if pairs else None


def vote(enrolment, assignment, choice: str = "left", now=None, **fields):
    """Answer an assignment and return the receipt."""
    answer = make_answer(assignment, choice, **fields)
    return record_vote(enrolment=enrolment, answer=answer, now=now or timezone.now())


def judge_everything(campaign: Campaign, annotators: list[Annotator], choose) -> int:
    """Let annotators take turns until nothing is left; `choose(assignment)` gives the choice."""
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


def make_answer(assignment, choice: str = "left", **fields) -> Answer:
    return Answer(
        **(
            {
                "public_id": assignment.public_id,
                "choice": choice,
                "idempotency_key": uuid.uuid4(),
                "response_time_ms": 1200,
            }
            | fields
        )
    )
