"""Made of the API's schema by `manage.py write_api_client`; not edited by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

from evalplatform_client._transport import Transport
from evalplatform_client.flows import FlowClient

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """A part of a list; `next` is the cursor of the part after it, None at the end."""

    items: list[T]
    next: str | None


class AnnotationRules(TypedDict):
    """Who comes in as an annotator, and what they meet."""

    door: NotRequired[Door]
    same_pair: NotRequired[SamePair]
    start: NotRequired[Start]
    layout: NotRequired[PairLayout]
    grid: NotRequired[int]
    delivery: NotRequired[Delivery]
    delivery_quality: NotRequired[int]
    ground: NotRequired[Ground]
    undo_seconds: NotRequired[int]
    session_cap: NotRequired[int | None]
    break_every: NotRequired[int]
    language: NotRequired[str]
    languages: NotRequired[list[str]]
    consent: NotRequired[str]
    translations: NotRequired[dict[str, ConsentWords]]


class AnnotatorOut(TypedDict):
    """What one annotator's answers look like, by pseudonym."""

    pseudonym: str
    is_simulated: bool
    excluded_by: str
    votes: int
    answers: int
    gold: CountedShare
    qualification: CountedShare
    repeats: CountedShare
    too_fast: CountedShare
    ties: CountedShare
    majority: CountedShare
    median_response_ms: float | None
    skips: dict[str, int]


class ApproverOut(TypedDict):
    """One person who approves captions, over all rounds."""

    pseudonym: str
    is_simulated: bool
    approved: ProportionOut
    right: ProportionOut
    wrong: ProportionOut
    a_minute: float | None


class ArmIn(TypedDict):
    """A checkpoint or image collection that joins; `images:NAME` is always a
    collection.
    """

    arm: str


class ArmOut(TypedDict):
    """One of what is compared."""

    letter: str
    name: str
    kind: Literal["checkpoint", "collection", "imported"]
    sha256: str
    joined_at: str | None


class AuditOut(TypedDict):
    """One change, as a trigger of the database wrote it down."""

    number: int
    at: str
    actor: str
    via: str
    action: str
    kind: str
    label: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Awaited(TypedDict):
    """What a reader has seen, and how long they would wait for more."""

    seen: NotRequired[str]
    wait: NotRequired[float]


class BatchOut(TypedDict):
    """Samples that one worker makes at a time."""

    number: int
    checkpoint: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    attempts: int
    images_made: int
    seconds: float
    error: str
    created_at: str
    finished_at: str | None


class BoardOut(TypedDict):
    """What may be ranked together: criteria of the same words, form and sampler
    settings.
    """

    key: str
    label: str
    question: str
    form: str
    shows_prompt: bool
    settings: str
    is_simulated: bool
    is_imported: bool
    has_votes: bool
    campaigns: list[str]


class BoardStandings(TypedDict):
    """A board with its standings; several groups where nothing links them."""

    key: str
    label: str
    question: str
    form: str
    shows_prompt: bool
    settings: str
    is_simulated: bool
    is_imported: bool
    has_votes: bool
    campaigns: list[str]
    prompt_sets: list[str]
    categories: list[str]
    is_linked: bool
    never_compared: list[str]
    groups: list[RankedGroup]


class BothCampaigns(TypedDict):
    """Two campaigns of two arms each."""

    first: str
    second: str


class CampaignChange(TypedDict):
    """What may be said anew of a run; what is left out stays."""

    opens_when_ready: NotRequired[bool | None]
    allow_constant: NotRequired[float | None]
    allow_identical: NotRequired[float | None]
    allow_cut: NotRequired[float | None]
    priority: NotRequired[int | None]
    budget_seconds: NotRequired[int | None]


class CampaignIn(TypedDict):
    """A campaign to be created; `choices` is what a draft holds and `run_eval --draft`
    reads.
    """

    project: NotRequired[str]
    choices: DraftChoices
    opens_when_ready: NotRequired[bool]


class CampaignOut(TypedDict):
    """A campaign with what it asks of whom."""

    slug: str
    project: str
    status: Literal["draft", "generating", "open", "paused", "closed"]
    design: str
    created_at: str
    opened_at: str | None
    closed_at: str | None
    items: int
    protocol_sha256: str
    arms: list[ArmOut]
    criteria: list[CriterionOut]
    prompt_sets: list[str]
    prompts_per_set: int | None
    images_per_prompt: int
    seed: int
    opens_when_ready: bool
    rules: dict[str, Any]
    annotators_link: str
    page: str


class CampaignSummaryOut(TypedDict):
    """A campaign as lists show it."""

    slug: str
    project: str
    status: Literal["draft", "generating", "open", "paused", "closed"]
    design: str
    created_at: str
    opened_at: str | None
    closed_at: str | None
    items: int
    protocol_sha256: str


class CaptionRoundOut(TypedDict):
    """The round of captions that goes on: written first, then approved by others."""

    number: int
    asks_for: Literal["captions", "approval"]
    campaign: str
    answers: int
    answers_wanted: int
    seconds_left: float | None
    annotators_link: str


class CaptionStepOut(TypedDict):
    """What a step did: it opened a campaign, or closed a round, or nothing is left to
    be done.
    """

    round: CaptionRoundOut | None
    asked: int
    approved: int
    rejected: int
    invitations: list[InvitedOut]


class CaptionsIn(TypedDict):
    """The next step of a pool's captions. Gold goes into an approval alone: images in
    `right/` and `wrong/`, each with its caption beside it in NAME.txt.
    """

    gold_sent: NotRequired[list[str]]
    gold_path: NotRequired[str]
    gold_rate: NotRequired[float]
    people: NotRequired[list[str]]
    unfinished: NotRequired[bool]


class CheckpointIn(TypedDict):
    """A checkpoint to be registered by a worker: from the server's disk, a hub, or a
    base.
    """

    project: NotRequired[str]
    source: NotRequired[str | None]
    name: NotRequired[str | None]
    role: NotRequired[
        Literal["pretrained", "quality_tuned", "baseline", "preference_tuned", "external"] | None
    ]
    config: NotRequired[str | None]
    variant: NotRequired[str | None]
    weights: NotRequired[Literal["ema", "plain"] | None]
    base: NotRequired[str | None]
    loras: NotRequired[list[LoraIn]]
    parts: NotRequired[dict[str, str]]


class CheckpointOut(TypedDict):
    """A checkpoint with its configuration and provenance."""

    name: str
    project: str
    is_shared: bool
    status: Literal["verified", "retired"]
    role: Literal["pretrained", "quality_tuned", "baseline", "preference_tuned", "external"]
    family: str
    sha256: str
    parent: str | None
    parent_sha256: str | None
    origin: dict[str, Any]
    licences: list[str]
    parameters: dict[str, int]
    size_bytes: int
    registered_at: str
    retired_at: str | None
    page: str
    config: dict[str, Any]
    training: dict[str, Any]
    children: list[str]
    retired_by: str | None


class CheckpointSummary(TypedDict):
    """A checkpoint as lists show it."""

    name: str
    project: str
    is_shared: bool
    status: Literal["verified", "retired"]
    role: Literal["pretrained", "quality_tuned", "baseline", "preference_tuned", "external"]
    family: str
    sha256: str
    parent: str | None
    parent_sha256: str | None
    origin: dict[str, Any]
    licences: list[str]
    parameters: dict[str, int]
    size_bytes: int
    registered_at: str
    retired_at: str | None
    page: str


class CheckpointsOf(TypedDict):
    """Which checkpoints."""

    limit: NotRequired[int]
    cursor: NotRequired[str | None]
    status: NotRequired[Literal["verified", "retired"] | None]


class ChoicesIn(TypedDict):
    """Choices for a campaign."""

    project: NotRequired[str]
    choices: DraftChoices


class ClosedCampaignOut(TypedDict):
    """A closed campaign, and how many of the votes that it wanted are missing."""

    slug: str
    project: str
    status: Literal["draft", "generating", "open", "paused", "closed"]
    design: str
    created_at: str
    opened_at: str | None
    closed_at: str | None
    items: int
    protocol_sha256: str
    arms: list[ArmOut]
    criteria: list[CriterionOut]
    prompt_sets: list[str]
    prompts_per_set: int | None
    images_per_prompt: int
    seed: int
    opens_when_ready: bool
    rules: dict[str, Any]
    annotators_link: str
    page: str
    votes: int
    votes_wanted: int
    votes_missing: int


class CollectedImageOut(TypedDict):
    """One of its images; the file is at `page`."""

    position: int
    prompt: str | None
    seed: int | None
    caption: str
    width: int
    height: int
    image_sha256: str
    metadata: dict[str, Any]


class CollectionIn(TypedDict):
    """Images to be imported by a worker, all or none."""

    name: str
    model: str
    prompt_set: NotRequired[str]
    licence: NotRequired[str]
    source: NotRequired[str]
    columns: NotRequired[dict[str, str]]
    skip_bad: NotRequired[bool]
    project: NotRequired[str]
    path: str


class CollectionOut(TypedDict):
    """Images that exist already."""

    name: str
    project: str
    is_shared: bool
    model: str
    licence: str
    source: str
    prompt_set: str | None
    status: Literal["ready", "retired"]
    sha256: str
    image_count: int
    created_at: str
    retired_at: str | None


class ComprehensionQuestion(TypedDict):
    """One question, its choices, and the one that is right."""

    name: str
    label: str
    choices: list[str]
    right: str
    why: NotRequired[str]
    translations: NotRequired[dict[str, QuestionWords]]


class ConceptOut(TypedDict):
    """One concept."""

    name: str
    images: int
    left: int


class ConsentWords(TypedDict):
    """What people agree to, in one language."""

    consent: str


class CountedShare(TypedDict):
    """So many of so many."""

    hits: int
    total: int


class CriterionGoldOut(TypedDict):
    """How many sets of gold one question has."""

    criterion: str
    recipe: Literal["damaged_copy", "other_prompt", ""]
    examples: int
    qualification: int
    checks: int


class CriterionOut(TypedDict):
    """One of the questions."""

    slug: str
    label: str
    question: str
    instructions: str
    shows_prompt: bool
    form: str
    k: int


class CriterionRules(TypedDict):
    """A criterion of the researcher's own, or a shipped one in other words."""

    slug: str
    label: NotRequired[str]
    question: str
    instructions: NotRequired[str]
    shows_prompt: bool
    form: NotRequired[str]
    k: NotRequired[int]
    heads: NotRequired[list[str]]
    gold: NotRequired[Literal["damaged_copy", "other_prompt", ""]]
    translations: NotRequired[dict[str, CriterionWords]]


class CriterionWords(TypedDict):
    """A criterion's texts in one language."""

    question: str
    instructions: NotRequired[str]
    heads: NotRequired[list[str]]


class CrowdRules(TypedDict):
    """How people come from a crowd platform, and where they are sent when they have
    finished. What is left out is the preset's.
    """

    platform: NotRequired[str]
    name: NotRequired[str]
    id_param: NotRequired[str]
    study_param: NotRequired[str]
    session_param: NotRequired[str]
    completed: NotRequired[str]
    screened_out: NotRequired[str]
    full: NotRequired[str]
    completed_code: NotRequired[str]
    screened_out_code: NotRequired[str]
    full_code: NotRequired[str]
    signed: NotRequired[Signed]
    signature_param: NotRequired[str]


class DecisionIn(TypedDict):
    """What a person decided of one submission."""

    submission: str
    approve: NotRequired[bool]
    bonus: NotRequired[float | str | None]


Delivery = Literal["lossless", "webp"]


class DeliveryOut(TypedDict):
    """A message and what became of it."""

    message_id: str
    event: str
    payload: dict[str, Any]
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    answered: int | None
    answer: str
    created_at: str
    next_attempt_at: str
    delivered_at: str | None


Door = Literal["open", "invitations", "crowd", "members"]


class DraftChange(TypedDict):
    """Choices as one person made them over the version that they saw."""

    version: int
    choices: DraftChoices


class DraftChoices(TypedDict):
    """Everything. Criteria stand in their exact words, also those that are shipped."""

    name: NotRequired[str]
    arms: NotRequired[list[str]]
    prompts: NotRequired[PromptChoices]
    criteria: NotRequired[list[CriterionRules]]
    design: NotRequired[str]
    images_per_prompt: NotRequired[int]
    seed: NotRequired[int]
    sampler: NotRequired[SamplerChoices]
    generation: NotRequired[GenerationChoices]
    votes_per_annotator: NotRequired[int | None]
    rules: NotRequired[Rules]
    preset: NotRequired[Literal["default", "emu", "diffusion-dpo", "composition"]]


class DraftIn(TypedDict):
    """A draft to be made."""

    project: NotRequired[str]
    choices: DraftChoices
    title: NotRequired[str]


class DraftOut(TypedDict):
    """A draft of a campaign."""

    number: int
    project: str
    label: str
    version: int
    choices: dict[str, Any]
    campaign: str | None
    changed_at: str


class EraseIn(TypedDict):
    """Who is erased."""

    annotator: str
    erase: NotRequired[bool]


class ErasedOut(TypedDict):
    """What went, or would go, and what stays."""

    is_erased: bool
    pseudonym: NotRequired[str]
    platform: NotRequired[str]
    visits: NotRequired[int]
    questionnaires: NotRequired[int]
    ties: NotRequired[int]
    votes: NotRequired[int]
    open_campaigns: NotRequired[list[str]]


class EstimateOut(TypedDict):
    """What a campaign would ask, take and cost; with errors it cannot be created."""

    errors: list[str]
    warnings: list[str]
    prompts: dict[str, Any]
    comparisons: int
    votes: int
    answers: int
    annotators: int
    votes_per_annotator: int
    hours: float
    cost: float | None
    currency: str
    samples_missing: int
    worker_seconds: float | None
    criteria: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    power: list[dict[str, Any]]


class ExportIn(TypedDict):
    """What to export; what is left out is as is usual of the kind."""

    kind: Literal[
        "parquet",
        "csv",
        "jsonl",
        "pickapic",
        "hpdv2",
        "hpdv3",
        "open-image-preferences",
        "trl",
        "trl-unpaired",
        "rapidata",
        "arena",
        "paper",
        "html",
    ]
    rows: NotRequired[Literal["vote", "pair", "consensus"] | None]
    criteria: NotRequired[list[str]]
    categories: NotRequired[list[str]]
    tags: NotRequired[list[str]]
    with_excluded: NotRequired[bool | None]
    ties: NotRequired[Literal["keep", "drop"] | None]
    split: NotRequired[list[int] | None]
    images: NotRequired[Literal["embed", "path", "none"] | None]
    image_format: NotRequired[Literal["png", "jpg"] | None]
    missing_images: NotRequired[Literal["fail", "mark"]]
    blind: NotRequired[bool]
    for_excel: NotRequired[bool]
    licence: NotRequired[str]
    consent: NotRequired[str]


class ExportOut(TypedDict):
    """An export: ask again until it is done or failed; its file is kept for a while."""

    id: str
    campaign: str
    kind: Literal[
        "parquet",
        "csv",
        "jsonl",
        "pickapic",
        "hpdv2",
        "hpdv3",
        "open-image-preferences",
        "trl",
        "trl-unpaired",
        "rapidata",
        "arena",
        "paper",
        "html",
    ]
    options: dict[str, Any]
    command: str
    state: Literal["queued", "running", "done", "failed"]
    rows: int
    rows_expected: int | None
    share: float | None
    error: str
    asked_by: str | None
    asked_at: str
    finished_at: str | None
    removed_after: str | None
    file_name: str
    size_bytes: int
    sha256: str
    files: dict[str, str]


class Filtered(TypedDict):
    """Which campaigns."""

    limit: NotRequired[int]
    cursor: NotRequired[str | None]
    status: NotRequired[Literal["draft", "generating", "open", "paused", "closed"] | None]
    project: NotRequired[str | None]


class FlowBatchIn(TypedDict):
    """What is asked; people have `deadline_seconds` from now on."""

    panels: list[PanelIn]
    deadline_seconds: NotRequired[int | None]


class FlowBatchOut(TypedDict):
    """A batch with what people said so far."""

    flow: str
    number: int
    status: Literal["queued", "opening", "open", "done", "late", "closed", "failed"]
    reason: str
    panel_count: int
    votes_wanted: int
    asked_at: str
    deadline_at: str
    opened_at: str | None
    ended_at: str | None
    campaign: str | None
    votes: int
    is_final: bool
    is_partial: bool
    version: str
    panels: list[PanelOut]


class FlowBatchSummaryOut(TypedDict):
    """A batch as lists show it."""

    flow: str
    number: int
    status: Literal["queued", "opening", "open", "done", "late", "closed", "failed"]
    reason: str
    panel_count: int
    votes_wanted: int
    asked_at: str
    deadline_at: str
    opened_at: str | None
    ended_at: str | None
    campaign: str | None


class FlowImageOut(TypedDict):
    """An image that was sent; batches name it by its hash."""

    sha256: str
    width: int
    height: int
    is_new: bool


class FlowIn(TypedDict):
    """One question that is asked again and again."""

    project: NotRequired[str]
    name: str
    criterion: NotRequired[str | CriterionRules]
    form: NotRequired[str]
    k: NotRequired[int]
    images_per_panel: NotRequired[int | None]
    deadline_seconds: NotRequired[int]
    rules: NotRequired[Rules]


class FlowOut(TypedDict):
    """A flow, and the one link for annotators."""

    name: str
    project: str
    status: Literal["open", "closed"]
    criterion: dict[str, Any]
    images_per_panel: int
    k: int
    deadline_seconds: int
    batches: int
    created_at: str
    closed_at: str | None
    annotators_link: str
    page: str


class FunnelBarOut(TypedDict):
    """What one step left: a rule of the automatic stages, or people."""

    name: str
    before: int
    left: int | None
    by_people: bool


class GenerationChange(TypedDict):
    """Priority and budget; what is left out stays, a budget of 0 is no limit."""

    priority: NotRequired[int | None]
    budget_seconds: NotRequired[int | None]


class GenerationChoices(TypedDict):
    """Who makes the images when; the budget is of worker time."""

    priority: NotRequired[int | None]
    budget_minutes: NotRequired[float | None]


class GenerationOut(TypedDict):
    """What one campaign asks of the workers."""

    name: str
    project: str
    status: Literal["active", "paused", "cancelled"]
    priority: int
    budget_seconds: int | None
    spent_seconds: float
    created_at: str


class GoldIn(TypedDict):
    """How many sets each criterion is to have; what is there stays and counts. Null:
    the usual (2, 5 and 20), and none beside pairs that were `sent`.
    """

    examples: NotRequired[int | None]
    qualification: NotRequired[int | None]
    checks: NotRequired[int | None]
    sent: NotRequired[list[str]]


class GoldOut(TypedDict):
    """The gold of a campaign; once it has opened it changes no more."""

    campaign: str
    is_frozen: bool
    criteria: list[CriterionGoldOut]


Ground = Literal["grey", "white", "checker"]


class HeadOut(TypedDict):
    """How far people agree on a head, or to keep."""

    head: str
    failed: int
    judgements: int
    alpha: float | None
    low: float | None
    high: float | None


class ImageImportIn(TypedDict):
    """Files that were sent by tus to `/uploads/files/`, and what they are. Images, a
    table that names them, Parquet, or zip, tar, tar.gz or tgz archives of any of
    it.
    """

    name: str
    model: str
    prompt_set: NotRequired[str]
    licence: NotRequired[str]
    source: NotRequired[str]
    columns: NotRequired[dict[str, str]]
    skip_bad: NotRequired[bool]
    project: NotRequired[str]
    sent: list[str]


class ImageImportOut(TypedDict):
    """Images that were sent: how far their import is, or what became of it."""

    id: int
    project: str
    name: str
    sent: str
    size_bytes: int
    state: Literal["queued", "running", "done", "failed"]
    done: int
    total: int
    error: str
    faults: list[str]
    missing: int
    collection: str | None
    created_at: str


class InvitationLink(TypedDict):
    """A new invitation with its link, this once."""

    number: int
    label: str
    link: str


class InvitationOut(TypedDict):
    """An invitation, never with who came by it."""

    number: int
    label: str
    state: Literal["used", "unused", "expired", "revoked"]
    created_at: str
    expires_at: str | None
    used_at: str | None


class InvitationsIn(TypedDict):
    """So many invitations, or one for each label."""

    count: NotRequired[int | None]
    labels: NotRequired[list[str]]
    expires_in_hours: NotRequired[int | None]


class InvitationsMade(TypedDict):
    """What was made."""

    invitations: list[InvitationLink]


class InvitedOut(TypedDict):
    """Somebody who was invited; the link is told this once."""

    label: str
    link: str


class JobOut(TypedDict):
    """A job: ask again until it is done or failed."""

    id: str
    project: str
    kind: Literal[
        "register_checkpoint",
        "import_collection",
        "open_campaign",
        "add_arm",
        "feedback_step",
        "make_gold",
        "import_votes",
        "import_pool",
    ]
    status: Literal["queued", "running", "done", "failed"]
    note: str
    reason: str
    result: str
    created_at: str
    started_at: str | None
    finished_at: str | None


class KeepIn(TypedDict):
    """What the set is called."""

    name: str
    licence: NotRequired[str]


class LaunchIn(TypedDict):
    """The version that was looked at."""

    version: int


class LogBuildIn(TypedDict):
    """A log that was sent by tus to `/uploads/files/`, and what to take of it."""

    project: NotRequired[str]
    sent: str
    column: NotRequired[str]
    category_column: NotRequired[str]
    size: NotRequired[int]
    seed: NotRequired[int]
    languages: NotRequired[list[str]]
    near: NotRequired[float]
    strip: NotRequired[bool]
    shares: NotRequired[dict[str, float]]
    lists: NotRequired[dict[str, str]]
    moderate: NotRequired[bool]
    reword: NotRequired[bool]


class LogBuildOut(TypedDict):
    """A log that was brought, and the prompts that are built from it."""

    id: int
    project: str
    file_name: str
    size_bytes: int
    columns: list[str]
    state: Literal["draft", "queued", "running", "ready", "kept", "failed"]
    stage: str
    share: float
    error: str
    funnel: dict[str, Any] | None
    prompt_set: str | None
    created_at: str


class LoopIn(TypedDict):
    """What a loop is asked; the two prompt sets share no prompt."""

    project: NotRequired[str]
    name: str
    gallery: list[str]
    tune: str
    prompts: str
    proof_prompts: str
    aspects: list[str]
    k: NotRequired[int]
    seed: NotRequired[int]
    verify: NotRequired[float]
    floor: NotRequired[float]
    sampler: NotRequired[SamplerChoices]
    rules: NotRequired[Rules]


class LoopOut(TypedDict):
    """A loop as lists show it."""

    name: str
    project: str
    gallery: list[str]
    aspects: list[str]
    prompts: str
    proof_prompts: str
    k: int
    created_at: str
    page: str


class LoopWithRoundsOut(TypedDict):
    """A loop with its rounds, the first one first."""

    name: str
    project: str
    gallery: list[str]
    aspects: list[str]
    prompts: str
    proof_prompts: str
    k: int
    created_at: str
    page: str
    rounds: list[RoundOut]


class LoraIn(TypedDict):
    """A LoRA's file or folder on the server, and how much of it is added."""

    path: str
    scale: NotRequired[float]


class MeOut(TypedDict):
    """Who calls, and by what."""

    username: str
    is_operator: bool
    token: str | None
    scopes: list[str]
    project: str | None
    expires_at: str | None


class MemberIn(TypedDict):
    """Their role from now on."""

    role: Literal["viewer", "editor", "owner"]


class MemberOut(TypedDict):
    """Somebody in a project."""

    username: str
    role: Literal["viewer", "editor", "owner"]


class OpenedStageOut(TypedDict):
    """A stage that was opened."""

    stage: StageOut
    invitations: list[InvitedOut]


PairLayout = Literal["stacked_on_phones", "side_by_side"]


class PanelIn(TypedDict):
    """Images that are judged together, and the prompt that they answer."""

    prompt: str
    images: list[str]


class PanelOut(TypedDict):
    """A panel, and what was said of it so far. Lists are by place, as the images were
    given.
    """

    prompt: str
    images: list[str]
    votes: int
    k: int
    is_complete: bool
    mean_ranks: list[float] | None
    borda: list[float] | None
    preferred: list[list[int]]
    mean_grade: float | None


class PartOfBoard(TypedDict):
    """What a board is read on; left out: all."""

    prompts: NotRequired[str | None]
    category: NotRequired[str | None]
    without: NotRequired[list[str]]


class PayOut(TypedDict):
    """What answers took and cost so far and at the end; null where nothing is known."""

    answers: int
    simulated: int
    wanted: int
    expected: int
    timed: int
    median_seconds: float | None
    p90_seconds: float | None
    hours: float
    currency: str
    wage_per_hour: float | None
    per_vote: float | None
    implied_wage: float | None
    total: float | None
    expected_total: float | None
    fee_percent: float
    fee: float | None
    expected_fee: float | None
    time_rule: str


class PayRules(TypedDict):
    """Pay by the answer, or the hourly wage that it is to come to. Off until one is
    given. Every stored answer is paid, checks among them: nobody can tell them from
    the others.
    """

    per_vote: NotRequired[float | None]
    wage_per_hour: NotRequired[float | None]
    seconds_per_vote: NotRequired[float | None]
    currency: NotRequired[str]
    fee_percent: NotRequired[float]


class PaymentOut(TypedDict):
    """What one annotator did and is owed, by pseudonym; null where the rules say
    nothing of pay.
    """

    pseudonym: str
    answers: int
    checks: int
    minutes: float
    total: float | None
    hourly: float | None
    excluded_by: str
    is_simulated: bool


class PoolDetailOut(TypedDict):
    """A pool with its funnel and what people did."""

    name: str
    project: str
    origin: Literal["folder", "samples"]
    source: str
    images: int
    left: int
    rules_sha256: str
    scores_sha256: str
    created_at: str
    page: str
    is_simulated: bool
    funnel: list[FunnelBarOut]
    concepts: list[ConceptOut]
    stages: list[StageOut]
    captions_approved: int
    captions_wanted: int
    caption_round: CaptionRoundOut | None
    approvers: list[ApproverOut]


class PoolExportAsked(TypedDict):
    """What an export may leave open."""

    allow_unknown_licence: NotRequired[bool]
    allow_imported_captions: NotRequired[bool]


class PoolIn(TypedDict):
    """A pool to be brought by a worker, all or nothing: one of `sent`, `path` and
    `checkpoint`. A folder of the format t2i-pool/1 is sent as its files, by tus to
    `/uploads/files/`, each named by its path in it; or it lies where an operator
    has opened it (API_FOLDERS). Of a checkpoint the samples for `prompt_set` are
    taken, `seeds` a prompt.
    """

    project: NotRequired[str]
    name: str
    sent: NotRequired[list[str]]
    path: NotRequired[str]
    checkpoint: NotRequired[str | None]
    prompt_set: NotRequired[str | None]
    seeds: NotRequired[int | None]
    steps: NotRequired[int]
    guidance: NotRequired[float]
    licence: NotRequired[str]


class PoolOut(TypedDict):
    """A pool, and how many images are left of it."""

    name: str
    project: str
    origin: Literal["folder", "samples"]
    source: str
    images: int
    left: int
    rules_sha256: str
    scores_sha256: str
    created_at: str
    page: str


class PoolPersonOut(TypedDict):
    """One person in a stage."""

    pseudonym: str
    is_simulated: bool
    kept: ProportionOut
    excellent: ProportionOut
    bad: ProportionOut
    a_minute: float | None


class ProgressOut(TypedDict):
    """How far a campaign is: prepared, and judged."""

    state: Literal["generating", "checking", "held", "ready", "open", "closed"]
    done: int
    total: int
    note: str
    items: int
    votes_wanted: int
    votes: int
    last_vote_at: str | None


class ProjectChange(TypedDict):
    """What an operator may change of a project."""

    upload_quota_bytes: int | None


class ProjectIn(TypedDict):
    """A project to be made."""

    name: str
    owner: NotRequired[str | None]


class ProjectOut(TypedDict):
    """A project, and what you may do in it."""

    name: str
    created_at: str
    role: Literal["viewer", "editor", "owner"]
    upload_quota_bytes: int | None


class PromptChoices(TypedDict):
    """Which prompts: sets by NAME or NAME@VERSION, a filter, and at most so many of
    each set.
    """

    sets: NotRequired[list[str]]
    filter: NotRequired[PromptFilter]
    limit: NotRequired[int | None]


class PromptFilter(TypedDict):
    """Conditions on prompts: one value of a field is enough, and every field that is
    given counts. Capitals make no difference. `text` is a part of the prompt's own
    words.
    """

    category: NotRequired[list[str]]
    challenge: NotRequired[list[str]]
    tag: NotRequired[list[str]]
    text: NotRequired[list[str]]
    third: NotRequired[Literal[1, 2, 3] | None]
    third_seed: NotRequired[int | None]


class PromptOut(TypedDict):
    """A prompt."""

    position: int
    text: str
    category: str
    challenge: str
    note: str
    tags: list[str]


class PromptSetImported(TypedDict):
    """A prompt set that was imported, or was there already."""

    name: str
    version: int
    project: str
    is_shared: bool
    sha256: str
    source: str
    licence: str
    imported_at: str
    prompts: int
    is_new: bool
    notes: list[str]


class PromptSetIn(TypedDict):
    """What is said of the file."""

    project: NotRequired[str]
    name: str
    format: NotRequired[Literal["tsv", "csv", "json", "jsonl", "parquet", "txt"] | None]
    licence: NotRequired[str]
    sha256: NotRequired[str | None]
    drop_repeats: NotRequired[bool]


class PromptSetOut(TypedDict):
    """A version of a prompt set."""

    name: str
    version: int
    project: str
    is_shared: bool
    sha256: str
    source: str
    licence: str
    imported_at: str
    prompts: int


class ProportionOut(TypedDict):
    """So many of so many, with Wilson's 95 % interval; null without any."""

    hits: int
    total: int
    value: float | None
    low: float | None
    high: float | None


class ProtocolOut(TypedDict):
    """The protocol as it was frozen, amendments included; null before it opens."""

    sha256: str
    protocol: dict[str, Any] | None


class QualityRules(TypedDict):
    """Checks mixed in, and when an annotator's votes stop counting. Rates are per item
    served.
    """

    gold_rate: NotRequired[float]
    repeat_rate: NotRequired[float]
    repeat_gap: NotRequired[int]
    min_response_ms: NotRequired[int]
    qualification_pairs: NotRequired[int]
    qualification_pass: NotRequired[int]
    qualification_tries: NotRequired[int]
    exclude_gold_below: NotRequired[float | None]
    exclude_gold_after: NotRequired[int]
    exclude_repeats_below: NotRequired[float | None]
    exclude_repeats_after: NotRequired[int]
    exclude_too_fast_above: NotRequired[float | None]
    exclude_same_side_above: NotRequired[float | None]
    exclude_votes_after: NotRequired[int]


class Question(TypedDict):
    """One question of the short questionnaire at the end."""

    name: str
    label: str
    kind: NotRequired[Literal["choice", "text"]]
    choices: NotRequired[list[str]]
    required: NotRequired[bool]
    translations: NotRequired[dict[str, QuestionWords]]


class QuestionWords(TypedDict):
    """A question's texts in one language."""

    label: str
    choices: NotRequired[list[str]]
    why: NotRequired[str]


class RankedGroup(TypedDict):
    """Models that comparisons link, best first."""

    votes: int
    prompts: int
    annotators: int
    method: str
    note: str
    standings: list[StandingOut]


class ReasonIn(TypedDict):
    """Why; it is reported with the results."""

    reason: str


class ReleaseIn(TypedDict):
    """What becomes of their votes."""

    exclude: NotRequired[bool]


class ReleasedOut(TypedDict):
    """What was given back."""

    freed: int
    annotator: AnnotatorOut


class RevokeIn(TypedDict):
    """Which unused invitations end; null: all."""

    numbers: list[int] | None


class Revoked(TypedDict):
    """How many ended now."""

    revoked: int


class RoundOut(TypedDict):
    """A round: what it tunes, what it has come to."""

    number: int
    parent: str
    child: str | None
    rankings: str | None
    verification: str | None
    proof: str | None
    rewards: list[str]
    preferences_sha256: str
    agreement: float | None
    steps: list[StepOut]


class Rules(TypedDict):
    """All of them; every section may be left out."""

    annotation: NotRequired[AnnotationRules]
    quality: NotRequired[QualityRules]
    crowd: NotRequired[CrowdRules]
    safety: NotRequired[SafetyRules]
    samples: NotRequired[SampleRules]
    pay: NotRequired[PayRules]
    comprehension: NotRequired[list[ComprehensionQuestion]]
    questionnaire: NotRequired[list[Question]]
    criteria: NotRequired[list[CriterionRules]]


class SafetyRules(TypedDict):
    """The filter that keeps unsafe images from annotators; off until a threshold is
    given.
    """

    detector: NotRequired[str]
    threshold: NotRequired[float | None]


class SaidOfImages(TypedDict):
    """As the options of `manage.py import_images`."""

    name: str
    model: str
    prompt_set: NotRequired[str]
    licence: NotRequired[str]
    source: NotRequired[str]
    columns: NotRequired[dict[str, str]]
    skip_bad: NotRequired[bool]


SamePair = Literal["criteria_in_order", "one_criterion", "unrestricted"]


class SampleRules(TypedDict):
    """Which share of samples may be faulty for the campaign to open all the same."""

    allow_constant: NotRequired[float]
    allow_identical: NotRequired[float]
    allow_cut: NotRequired[float]


class SamplerChoices(TypedDict):
    """How images are sampled; height and width in pixels, the checkpoint's own if left
    out.
    """

    sampler: NotRequired[Literal["ddim", "dpm++", "euler", "confidence", "halton", "default"]]
    steps: NotRequired[int]
    guidance_scale: NotRequired[float]
    negative_prompt: NotRequired[str]
    height: NotRequired[int | None]
    width: NotRequired[int | None]


class ScoringIn(TypedDict):
    """As `manage.py scoring start`; one of `data`, `collection` and `pool` is given.
    Paths lie below a folder that an operator has opened (API_FOLDERS): `data`,
    `out`, and what `options` names as the weights of a scorer.
    """

    project: NotRequired[str]
    name: str
    out: str
    data: NotRequired[str]
    collection: NotRequired[str | None]
    pool: NotRequired[str | None]
    scorers: NotRequired[list[str]]
    options: NotRequired[dict[str, str]]
    caption_column: NotRequired[str]
    images_a_job: NotRequired[int]


class ScoringOut(TypedDict):
    """What was asked of the workers, and how far it is."""

    name: str
    project: str
    source: str
    out: str
    scorers: list[str]
    state: Literal["waiting", "scoring", "done", "failed", "paused", "cancelled"]
    jobs: int
    done: int
    looked: int
    unreadable: int
    failed: int
    failures: list[str]
    created_at: str


class SecretOut(TypedDict):
    """A new secret, this once; the old one signs too for a day."""

    secret: str


class SettleIn(TypedDict):
    """Decisions; without `send` they are only counted."""

    decisions: list[DecisionIn]
    send: NotRequired[bool]
    most_bonus: NotRequired[float | str]


class SettledOut(TypedDict):
    """What was sent, or would be."""

    sent: bool
    approved: int
    approved_before: int
    paid: int
    paid_before: int
    amount: str
    refused: dict[str, str]


class ShareIn(TypedDict):
    """What all projects may read and use from now on, or no more."""

    kind: Literal["checkpoint", "collection", "prompt set"]
    reference: str
    shared: NotRequired[bool]


class ShareOut(TypedDict):
    """Whether it is shared now."""

    kind: str
    reference: str
    shared: bool


Signed = Literal["no", "hmac", "jwt"]


class StageCloseIn(TypedDict):
    """How a stage is closed."""

    unfinished: NotRequired[bool]


class StageIn(TypedDict):
    """A stage over what the one before has kept. Its gold are images in `excellent/`
    and `bad/`, mixed in unseen, and examples in `accepted/` and `rejected/`.
    """

    gold_sent: NotRequired[list[str]]
    gold_path: NotRequired[str]
    gold_rate: NotRequired[float]
    kind: Literal["generalists", "specialists", "alignment", "style"]
    k: NotRequired[int | None]
    keep: NotRequired[Literal["any", "all"] | None]
    heads: NotRequired[list[str]]
    target: NotRequired[int | None]
    people: NotRequired[list[str]]
    question: NotRequired[str]
    grid: NotRequired[int]


class StageOut(TypedDict):
    """One round of people."""

    number: int
    kind: Literal["generalists", "specialists", "alignment", "style"]
    campaign: str
    keep: Literal["any", "all"]
    target: int | None
    opened_at: str
    closed_at: str | None
    kept: int | None
    judgements: int
    judgements_wanted: int
    seconds_left: float | None
    annotators_link: str
    people: list[PoolPersonOut]
    agreement: list[HeadOut]


class StandingOut(TypedDict):
    """One model: the ranks it may have, and its strength in log odds with the 95 %
    interval.
    """

    kind: str
    name: str
    rank_low: int | None
    rank_high: int | None
    strength: float | None
    low: float | None
    high: float | None
    votes: int
    won: int
    tied: int
    lost: int
    note: str


Start = Literal["own", "first"]


class StepIn(TypedDict):
    """A step to do; `recipe`, `steps` and `settings` are of tune."""

    verb: Literal["export", "train", "tune", "expand", "prove"]
    recipe: NotRequired[Literal["preference", "feedback"]]
    steps: NotRequired[int | None]
    settings: NotRequired[list[str]]


class StepOut(TypedDict):
    """A step of a round, and how far it is."""

    verb: str
    label: str
    state: str
    says: str


class StudyIn(TypedDict):
    """What to find, what bounds the study, and how much votes differ; shares, not per
    cent.
    """

    effect: NotRequired[float]
    power: NotRequired[float]
    bound: NotRequired[Literal["annotators", "prompts", "votes_per_annotator"]]
    number: NotRequired[int]
    votes_per_prompt: NotRequired[int]
    price: NotRequired[float | None]
    pilot: NotRequired[str | None]
    criterion: NotRequired[str]
    ties: NotRequired[float]
    prompt_share: NotRequired[float]
    annotator_share: NotRequired[float]


class StudyOut(TypedDict):
    """The study that finds it."""

    reachable: bool
    sentences: list[str]
    prompts: int | None
    annotators: int | None
    votes: int | None
    effect: float | None
    floor: float | None
    cost: float | None


class SubmissionOut(TypedDict):
    """A submission on Prolific, with what is suggested."""

    submission: str
    participant: str
    pseudonym: str
    status: str
    judged: int
    minutes: float | None
    gold_right: str
    excluded_by: str
    suggested: str


class SyncOut(TypedDict):
    """What was read from Prolific."""

    by_status: dict[str, int]
    never_began: int
    left: int
    freed: int


class TagIn(TypedDict):
    """A tag, and the prompts that get it or lose it."""

    tag: str
    positions: list[int]
    take: NotRequired[bool]


class TokenIn(TypedDict):
    """A token to be made."""

    label: str
    scopes: list[Literal["read", "votes", "campaigns", "models", "admin"]]
    project: NotRequired[str]
    expires_at: NotRequired[str | None]


class TokenMade(TypedDict):
    """A new token, with its secret, this once."""

    prefix: str
    label: str
    scopes: list[Literal["read", "votes", "campaigns", "models", "admin"]]
    project: str | None
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None
    secret: str


class TokenOut(TypedDict):
    """A token, without its secret."""

    prefix: str
    label: str
    scopes: list[Literal["read", "votes", "campaigns", "models", "admin"]]
    project: str | None
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class UploadOut(TypedDict):
    """An upload by tus, and what became of it."""

    id: str
    project: str
    file_name: str
    base: str | None
    part: Literal["", "lora", "unet", "transformer", "vae", "text_encoder", "text_encoder_2"]
    scale: float
    weights: Literal["", "plain", "ema"]
    status: Literal["uploading", "verifying", "verified", "rejected"]
    received_bytes: int
    size_bytes: int
    reason: str
    checkpoint: str | None
    created_at: str


class VoteImportIn(TypedDict):
    """A file that was sent by tus to `/uploads/files/`, and what it holds: as the
    options of `manage.py import_votes`.
    """

    project: NotRequired[str]
    sent: str
    campaign: str
    criterion: NotRequired[str]
    question: NotRequired[str]
    shows_prompt: NotRequired[bool | None]
    prompt_set: NotRequired[str | None]
    columns: NotRequired[dict[str, str]]
    as_pairs: NotRequired[bool]
    keep_first: NotRequired[bool]
    skip_bad: NotRequired[bool]
    anonymous: NotRequired[bool]
    licence: NotRequired[str]
    source: NotRequired[str]


class WebhookChange(TypedDict):
    """What is changed; what is left out stays."""

    events: NotRequired[
        list[
            Literal[
                "campaign.opened",
                "campaign.paused",
                "campaign.resumed",
                "campaign.completed",
                "campaign.closed",
                "batch.failed",
                "scoring.failed",
                "checkpoint.verified",
                "checkpoint.refused",
                "job.done",
                "job.failed",
                "export.ready",
                "export.failed",
                "flow.done",
                "flow.late",
                "flow.closed",
                "flow.failed",
            ]
        ]
        | None
    ]
    description: NotRequired[str | None]
    is_active: NotRequired[bool | None]


class WebhookIn(TypedDict):
    """A webhook to be made."""

    url: str
    events: list[
        Literal[
            "campaign.opened",
            "campaign.paused",
            "campaign.resumed",
            "campaign.completed",
            "campaign.closed",
            "batch.failed",
            "scoring.failed",
            "checkpoint.verified",
            "checkpoint.refused",
            "job.done",
            "job.failed",
            "export.ready",
            "export.failed",
            "flow.done",
            "flow.late",
            "flow.closed",
            "flow.failed",
        ]
    ]
    description: NotRequired[str]


class WebhookMade(TypedDict):
    """A new webhook, with its secret, this once."""

    number: int
    url: str
    description: str
    events: list[
        Literal[
            "campaign.opened",
            "campaign.paused",
            "campaign.resumed",
            "campaign.completed",
            "campaign.closed",
            "batch.failed",
            "scoring.failed",
            "checkpoint.verified",
            "checkpoint.refused",
            "job.done",
            "job.failed",
            "export.ready",
            "export.failed",
            "flow.done",
            "flow.late",
            "flow.closed",
            "flow.failed",
        ]
    ]
    is_active: bool
    why_inactive: str
    last_success_at: str | None
    created_at: str
    secret: str


class WebhookOut(TypedDict):
    """An address that is told of events."""

    number: int
    url: str
    description: str
    events: list[
        Literal[
            "campaign.opened",
            "campaign.paused",
            "campaign.resumed",
            "campaign.completed",
            "campaign.closed",
            "batch.failed",
            "scoring.failed",
            "checkpoint.verified",
            "checkpoint.refused",
            "job.done",
            "job.failed",
            "export.ready",
            "export.failed",
            "flow.done",
            "flow.late",
            "flow.closed",
            "flow.failed",
        ]
    ]
    is_active: bool
    why_inactive: str
    last_success_at: str | None
    created_at: str


class WorkerOut(TypedDict):
    """A live worker, as it last reported itself."""

    name: str
    seconds_up: float
    device: str
    warm: str
    making: str
    images_made: int
    images_per_second: float | None


class Client(Transport):
    """The API of one site, for one token."""

    def each(self, fetch: Callable[..., Page[T]], *args: Any, **query: Any) -> Iterator[T]:
        """Yield every entry of a list, page by page: `client.each(client.list_campaigns)`."""
        cursor: str | None = None
        while True:
            page = fetch(*args, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def flow(self, name: str) -> FlowClient:
        """Return a flow by which a trainer asks people: `client.flow(name).ask(panels)`."""
        return FlowClient(self, name)

    def get_me(self) -> MeOut:
        """Who calls, and what their token is for. Scope: `read`."""
        found: MeOut = self.call("GET", "/api/v1/me", json=None)
        return found

    def list_projects(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ProjectOut]:
        """Your projects, by name; all of them for operators. Scope: `read`."""
        found: Page[ProjectOut] = self.call(
            "GET", "/api/v1/projects", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def create_project(self, body: ProjectIn, *, idempotency_key: str | None = None) -> ProjectOut:
        """Make a project: for operators. Scope: `admin`."""
        found: ProjectOut = self.call(
            "POST", "/api/v1/projects", json=body, key=idempotency_key or ""
        )
        return found

    def get_project(self, project: str) -> ProjectOut:
        """One project; its ETag goes with a change. Scope: `read`."""
        found: ProjectOut = self.call("GET", f"/api/v1/projects/{self.quoted(project)}", json=None)
        return found

    def change_project(
        self, project: str, body: ProjectChange, *, if_match: str | None = None
    ) -> ProjectOut:
        """Say what its unfinished uploads may come to: for operators. Scope: `admin`."""
        found: ProjectOut = self.call(
            "PATCH", f"/api/v1/projects/{self.quoted(project)}", json=body, if_match=if_match
        )
        return found

    def delete_project(self, project: str) -> None:
        """Remove an empty project. Scope: `admin`."""
        self.call("DELETE", f"/api/v1/projects/{self.quoted(project)}", json=None)

    def list_members(
        self, project: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[MemberOut]:
        """Who is in a project. Scope: `read`."""
        found: Page[MemberOut] = self.call(
            "GET",
            f"/api/v1/projects/{self.quoted(project)}/members",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def set_member(self, project: str, username: str, body: MemberIn) -> MemberOut:
        """Let somebody into a project, or give them another role: for owners. Scope:
        `admin`.
        """
        found: MemberOut = self.call(
            "PUT",
            f"/api/v1/projects/{self.quoted(project)}/members/{self.quoted(username)}",
            json=body,
        )
        return found

    def remove_member(self, project: str, username: str) -> None:
        """Let a member go: for owners. What they made stays. Scope: `admin`."""
        self.call(
            "DELETE",
            f"/api/v1/projects/{self.quoted(project)}/members/{self.quoted(username)}",
            json=None,
        )

    def share_with_all(self, project: str, body: ShareIn) -> ShareOut:
        """Share a checkpoint, an image collection or a prompt set with all projects: for
        owners. Scope: `admin`.
        """
        found: ShareOut = self.call(
            "POST", f"/api/v1/projects/{self.quoted(project)}/sharing", json=body
        )
        return found

    def list_audit_entries(
        self, project: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[AuditOut]:
        """What was changed in a project, the latest first: for owners. Scope: `admin`."""
        found: Page[AuditOut] = self.call(
            "GET",
            f"/api/v1/projects/{self.quoted(project)}/audit",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def list_tokens(self, *, limit: int | None = None, cursor: str | None = None) -> Page[TokenOut]:
        """Your own tokens, the latest first. Scope: `admin`."""
        found: Page[TokenOut] = self.call(
            "GET", "/api/v1/tokens", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def create_token(self, body: TokenIn, *, idempotency_key: str | None = None) -> TokenMade:
        """Make a token; made by a token, it may no more and lasts no longer than that.
        Scope: `admin`.
        """
        found: TokenMade = self.call("POST", "/api/v1/tokens", json=body, key=idempotency_key or "")
        return found

    def revoke_token(self, prefix: str) -> None:
        """Revoke one of your own tokens, for good. Scope: `admin`."""
        self.call("DELETE", f"/api/v1/tokens/{self.quoted(prefix)}", json=None)

    def list_checkpoints(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: Literal["verified", "retired"] | None = None,
    ) -> Page[CheckpointSummary]:
        """Checkpoints of your projects and shared ones, by name. Scope: `read`."""
        found: Page[CheckpointSummary] = self.call(
            "GET",
            "/api/v1/checkpoints",
            json=None,
            query={"limit": limit, "cursor": cursor, "status": status},
        )
        return found

    def register_checkpoint(
        self, body: CheckpointIn, *, idempotency_key: str | None = None
    ) -> JobOut:
        """Let a worker verify and register a checkpoint; the answer is its job. Scope:
        `models`.
        """
        found: JobOut = self.call(
            "POST", "/api/v1/checkpoints", json=body, key=idempotency_key or ""
        )
        return found

    def get_checkpoint(self, name: str) -> CheckpointOut:
        """One checkpoint with its configuration and provenance. Scope: `read`."""
        found: CheckpointOut = self.call(
            "GET", f"/api/v1/checkpoints/{self.quoted(name)}", json=None
        )
        return found

    def retire_checkpoint(self, name: str) -> CheckpointOut:
        """Let no new campaign take it; what was made with it stays. Scope: `models`."""
        found: CheckpointOut = self.call(
            "POST", f"/api/v1/checkpoints/{self.quoted(name)}/retire", json=None
        )
        return found

    def restore_checkpoint(self, name: str) -> CheckpointOut:
        """Let new campaigns take a retired checkpoint again. Scope: `models`."""
        found: CheckpointOut = self.call(
            "POST", f"/api/v1/checkpoints/{self.quoted(name)}/restore", json=None
        )
        return found

    def list_uploads(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[UploadOut]:
        """Uploads of your projects. Scope: `models`."""
        found: Page[UploadOut] = self.call(
            "GET", "/api/v1/uploads", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def get_upload(self, identifier: str) -> UploadOut:
        """How far an upload is, or what became of it. Scope: `models`."""
        found: UploadOut = self.call("GET", f"/api/v1/uploads/{self.quoted(identifier)}", json=None)
        return found

    def list_jobs(self, *, limit: int | None = None, cursor: str | None = None) -> Page[JobOut]:
        """Jobs of your projects, the latest first. Scope: `read`."""
        found: Page[JobOut] = self.call(
            "GET", "/api/v1/jobs", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def get_job(self, identifier: str) -> JobOut:
        """How far a job is, or what became of it. Scope: `read`."""
        found: JobOut = self.call("GET", f"/api/v1/jobs/{self.quoted(identifier)}", json=None)
        return found

    def call_off_job(self, identifier: str) -> JobOut:
        """End a job that is `queued`, such as an arm or a pool that waits for samples: it
        fails. What the workers were asked for is made all the same, unless its
        generation is cancelled. Scope: `campaigns`.
        """
        found: JobOut = self.call(
            "POST", f"/api/v1/jobs/{self.quoted(identifier)}/call-off", json=None
        )
        return found

    def list_prompt_sets(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[PromptSetOut]:
        """Prompt sets of your projects and shared ones, every version; not those that
        flows make. Scope: `read`.
        """
        found: Page[PromptSetOut] = self.call(
            "GET", "/api/v1/prompt-sets", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def import_prompt_set(
        self,
        file: Path,
        *,
        project: str | None = None,
        name: str,
        format: Literal["tsv", "csv", "json", "jsonl", "parquet", "txt"] | None = None,
        licence: str | None = None,
        sha256: str | None = None,
        drop_repeats: bool | None = None,
        idempotency_key: str | None = None,
    ) -> PromptSetImported:
        """Import a file as a prompt set; changed content becomes the next version. Scope:
        `models`.
        """
        found: PromptSetImported = self.call(
            "POST",
            "/api/v1/prompt-sets",
            form={
                "project": project,
                "name": name,
                "format": format,
                "licence": licence,
                "sha256": sha256,
                "drop_repeats": drop_repeats,
            },
            file=file,
            key=idempotency_key or "",
        )
        return found

    def get_prompt_set(self, name: str, version: int) -> PromptSetOut:
        """One version of a prompt set. Scope: `read`."""
        found: PromptSetOut = self.call(
            "GET", f"/api/v1/prompt-sets/{self.quoted(name)}/{self.quoted(version)}", json=None
        )
        return found

    def list_prompts(
        self, name: str, version: int, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[PromptOut]:
        """Its prompts, in the file's order. Scope: `read`."""
        found: Page[PromptOut] = self.call(
            "GET",
            f"/api/v1/prompt-sets/{self.quoted(name)}/{self.quoted(version)}/prompts",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def tag_prompts(
        self, name: str, version: int, body: TagIn, *, idempotency_key: str | None = None
    ) -> PromptSetOut:
        """Give prompts a tag, or take it; the answer is the version that has it so. This
        one stays as it is, and where nothing changes it is the answer. Scope: `models`.
        """
        found: PromptSetOut = self.call(
            "POST",
            f"/api/v1/prompt-sets/{self.quoted(name)}/{self.quoted(version)}/tags",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def tag_stylized(
        self, name: str, version: int, *, idempotency_key: str | None = None
    ) -> PromptSetOut:
        """Tag as stylized what the site's words say, and nothing else; answered as
        `tag_prompts`. Scope: `models`.
        """
        found: PromptSetOut = self.call(
            "POST",
            f"/api/v1/prompt-sets/{self.quoted(name)}/{self.quoted(version)}/tags/stylized",
            json=None,
            key=idempotency_key or "",
        )
        return found

    def list_log_builds(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[LogBuildOut]:
        """Logs that were brought to your projects, the latest first; they go after two
        weeks. Scope: `read`.
        """
        found: Page[LogBuildOut] = self.call(
            "GET", "/api/v1/log-builds", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def start_log_build(
        self, body: LogBuildIn, *, idempotency_key: str | None = None
    ) -> LogBuildOut:
        """Let a worker build prompts from a log that was sent; the file is used up. Scope:
        `models`.
        """
        found: LogBuildOut = self.call(
            "POST", "/api/v1/log-builds", json=body, key=idempotency_key or ""
        )
        return found

    def get_log_build(self, key: int) -> LogBuildOut:
        """How far a build is, or what became of it. Scope: `read`."""
        found: LogBuildOut = self.call("GET", f"/api/v1/log-builds/{self.quoted(key)}", json=None)
        return found

    def forget_log_build(self, key: int) -> None:
        """Throw a log away with what was built from it; a set that was kept stays. Scope:
        `models`.
        """
        self.call("DELETE", f"/api/v1/log-builds/{self.quoted(key)}", json=None)

    def keep_log_build(self, key: int, body: KeepIn) -> PromptSetOut:
        """Keep what was built as a prompt set; a known name gets its next version. Scope:
        `models`.
        """
        found: PromptSetOut = self.call(
            "POST", f"/api/v1/log-builds/{self.quoted(key)}/keep", json=body
        )
        return found

    def list_collections(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[CollectionOut]:
        """Image collections of your projects and shared ones, by name. Scope: `read`."""
        found: Page[CollectionOut] = self.call(
            "GET", "/api/v1/collections", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def import_collection(
        self, body: CollectionIn, *, idempotency_key: str | None = None
    ) -> JobOut:
        """Let a worker import images; the answer is its job. Scope: `models`."""
        found: JobOut = self.call(
            "POST", "/api/v1/collections", json=body, key=idempotency_key or ""
        )
        return found

    def get_collection(self, name: str) -> CollectionOut:
        """One image collection. Scope: `read`."""
        found: CollectionOut = self.call(
            "GET", f"/api/v1/collections/{self.quoted(name)}", json=None
        )
        return found

    def list_collected_images(
        self, name: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[CollectedImageOut]:
        """Its images, in order. Scope: `read`."""
        found: Page[CollectedImageOut] = self.call(
            "GET",
            f"/api/v1/collections/{self.quoted(name)}/images",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def retire_collection(self, name: str) -> CollectionOut:
        """Let no new campaign take it; what was made with it stays. Scope: `models`."""
        found: CollectionOut = self.call(
            "POST", f"/api/v1/collections/{self.quoted(name)}/retire", json=None
        )
        return found

    def restore_collection(self, name: str) -> CollectionOut:
        """Let new campaigns take a retired collection again. Scope: `models`."""
        found: CollectionOut = self.call(
            "POST", f"/api/v1/collections/{self.quoted(name)}/restore", json=None
        )
        return found

    def list_image_imports(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ImageImportOut]:
        """Imports of images that were sent, the latest first; they go after two weeks.
        Scope: `read`.
        """
        found: Page[ImageImportOut] = self.call(
            "GET", "/api/v1/image-imports", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def start_image_import(
        self, body: ImageImportIn, *, idempotency_key: str | None = None
    ) -> ImageImportOut:
        """Let a worker import what was sent, all or none; the files are used up. Scope:
        `models`.
        """
        found: ImageImportOut = self.call(
            "POST", "/api/v1/image-imports", json=body, key=idempotency_key or ""
        )
        return found

    def get_image_import(self, key: int) -> ImageImportOut:
        """How far an import is, or what became of it. Scope: `read`."""
        found: ImageImportOut = self.call(
            "GET", f"/api/v1/image-imports/{self.quoted(key)}", json=None
        )
        return found

    def forget_image_import(self, key: int) -> None:
        """Throw away what was sent; a collection that was made of it stays. Scope:
        `models`.
        """
        self.call("DELETE", f"/api/v1/image-imports/{self.quoted(key)}", json=None)

    def repeat_image_import(self, key: int, body: SaidOfImages) -> ImageImportOut:
        """Try a failed import again with other words; nothing is sent anew. Scope:
        `models`.
        """
        found: ImageImportOut = self.call(
            "POST", f"/api/v1/image-imports/{self.quoted(key)}/again", json=body
        )
        return found

    def dry_run_campaign(self, body: ChoicesIn) -> EstimateOut:
        """What these choices would come to; nothing is stored. Scope: `read`."""
        found: EstimateOut = self.call("POST", "/api/v1/dry-run", json=body)
        return found

    def plan_study(self, body: StudyIn) -> StudyOut:
        """How many prompts, annotators and votes it takes to find a difference. Scope:
        `read`.
        """
        found: StudyOut = self.call("POST", "/api/v1/plan", json=body)
        return found

    def list_drafts(self, *, limit: int | None = None, cursor: str | None = None) -> Page[DraftOut]:
        """Drafts of your projects, the latest first. Scope: `read`."""
        found: Page[DraftOut] = self.call(
            "GET", "/api/v1/drafts", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def create_draft(self, body: DraftIn, *, idempotency_key: str | None = None) -> DraftOut:
        """Keep choices for a campaign; they may be unfinished. Scope: `campaigns`."""
        found: DraftOut = self.call("POST", "/api/v1/drafts", json=body, key=idempotency_key or "")
        return found

    def get_draft(self, number: int) -> DraftOut:
        """One draft. Scope: `read`."""
        found: DraftOut = self.call("GET", f"/api/v1/drafts/{self.quoted(number)}", json=None)
        return found

    def change_draft(self, number: int, body: DraftChange) -> DraftOut:
        """Store choices made over a version; what others changed since stays where it is
        another choice, and is 412 where it is the same. Scope: `campaigns`.
        """
        found: DraftOut = self.call("PUT", f"/api/v1/drafts/{self.quoted(number)}", json=body)
        return found

    def delete_draft(self, number: int) -> None:
        """Remove a draft; what was made of it stays. Scope: `campaigns`."""
        self.call("DELETE", f"/api/v1/drafts/{self.quoted(number)}", json=None)

    def launch(
        self, number: int, body: LaunchIn, *, idempotency_key: str | None = None
    ) -> DraftOut:
        """Make the campaign of a draft and ask the workers for its images; it does not
        open. Scope: `campaigns`.
        """
        found: DraftOut = self.call(
            "POST",
            f"/api/v1/drafts/{self.quoted(number)}/launch",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def list_campaigns(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: Literal["draft", "generating", "open", "paused", "closed"] | None = None,
        project: str | None = None,
    ) -> Page[CampaignSummaryOut]:
        """Campaigns of your projects, the latest first. Scope: `read`."""
        found: Page[CampaignSummaryOut] = self.call(
            "GET",
            "/api/v1/campaigns",
            json=None,
            query={"limit": limit, "cursor": cursor, "status": status, "project": project},
        )
        return found

    def create_campaign(
        self, body: CampaignIn, *, idempotency_key: str | None = None
    ) -> CampaignOut:
        """Create a campaign and ask the workers for its images; asked the same again, it
        goes on. Scope: `campaigns`.
        """
        found: CampaignOut = self.call(
            "POST", "/api/v1/campaigns", json=body, key=idempotency_key or ""
        )
        return found

    def get_campaign(self, slug: str) -> CampaignOut:
        """One campaign; its ETag goes with a change. Scope: `read`."""
        found: CampaignOut = self.call("GET", f"/api/v1/campaigns/{self.quoted(slug)}", json=None)
        return found

    def change_campaign(
        self, slug: str, body: CampaignChange, *, if_match: str | None = None
    ) -> CampaignOut:
        """Say anew how a run goes on; what it lets through only before it opens. Scope:
        `campaigns`.
        """
        found: CampaignOut = self.call(
            "PATCH", f"/api/v1/campaigns/{self.quoted(slug)}", json=body, if_match=if_match
        )
        return found

    def get_progress(self, slug: str) -> ProgressOut:
        """How far it is; nothing is done by asking. `ready` has its images, checked where
        asked for; `held` has more faulty ones than its rules let through, as its note
        says. Scope: `read`.
        """
        found: ProgressOut = self.call(
            "GET", f"/api/v1/campaigns/{self.quoted(slug)}/progress", json=None
        )
        return found

    def advance_campaign(self, slug: str) -> ProgressOut:
        """Bring a run as far as it can go now: samples asked for, safety checked, gold
        made. Scope: `campaigns`.
        """
        found: ProgressOut = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/advance", json=None
        )
        return found

    def open_campaign(self, slug: str, *, idempotency_key: str | None = None) -> JobOut:
        """Let a worker open a campaign whose images are there: its protocol is frozen
        then. Scope: `campaigns`.
        """
        found: JobOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/open",
            json=None,
            key=idempotency_key or "",
        )
        return found

    def add_arm(self, slug: str, body: ArmIn, *, idempotency_key: str | None = None) -> JobOut:
        """Let an arm join an open campaign: its samples are asked for, and once they are
        there, and checked where the rules want that, it joins. Until then the job is
        `queued`, its note says why. Scope: `campaigns`.
        """
        found: JobOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/arms",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def pause_campaign(self, slug: str) -> CampaignOut:
        """Lease no more items; answers to what is shown still count. Scope: `campaigns`."""
        found: CampaignOut = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/pause", json=None
        )
        return found

    def resume_campaign(self, slug: str) -> CampaignOut:
        """Open a paused campaign again. Scope: `campaigns`."""
        found: CampaignOut = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/resume", json=None
        )
        return found

    def close_campaign(self, slug: str) -> ClosedCampaignOut:
        """Take no more votes, for good, also where some are missing. Scope: `campaigns`."""
        found: ClosedCampaignOut = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/close", json=None
        )
        return found

    def get_protocol(self, slug: str) -> ProtocolOut:
        """The frozen protocol. Scope: `read`."""
        found: ProtocolOut = self.call(
            "GET", f"/api/v1/campaigns/{self.quoted(slug)}/protocol", json=None
        )
        return found

    def get_results(self, slug: str) -> dict[str, Any]:
        """The results as they stand: what results.json holds, its format named in it.
        Scope: `read`.
        """
        found: dict[str, Any] = self.call(
            "GET", f"/api/v1/campaigns/{self.quoted(slug)}/results", json=None
        )
        return found

    def stream_votes(self, slug: str) -> Iterator[dict[str, Any]]:
        """Every stored vote, streamed; memory stays flat however many there are. Scope:
        `votes`.
        """
        found: Iterator[dict[str, Any]] = self.lines(
            "GET", f"/api/v1/campaigns/{self.quoted(slug)}/votes", json=None
        )
        return found

    def stream_safety_scores(self, slug: str) -> Iterator[dict[str, Any]]:
        """What the safety detector said of every image, also of a draft whose images are
        checked. Scope: `read`.
        """
        found: Iterator[dict[str, Any]] = self.lines(
            "GET", f"/api/v1/campaigns/{self.quoted(slug)}/safety-scores", json=None
        )
        return found

    def get_gold(self, slug: str) -> GoldOut:
        """How much gold each criterion has; a recipe that is empty says that none can be
        made. Scope: `read`.
        """
        found: GoldOut = self.call("GET", f"/api/v1/campaigns/{self.quoted(slug)}/gold", json=None)
        return found

    def make_gold(self, slug: str, body: GoldIn, *, idempotency_key: str | None = None) -> JobOut:
        """Let a worker make gold before the campaign opens: of pairs that were sent, which
        are used up, and of the campaign's own samples. Scope: `campaigns`.
        """
        found: JobOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/gold",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def clear_gold(self, slug: str) -> None:
        """Remove all gold of a campaign that has not opened. Scope: `campaigns`."""
        self.call("DELETE", f"/api/v1/campaigns/{self.quoted(slug)}/gold", json=None)

    def get_gold_sheet(self, slug: str, to: Path) -> Path:
        """All gold on one page, the best image of each set first: is each clearly decided?
        Scope: `read`.
        """
        found: Path = self.keep("GET", f"/api/v1/campaigns/{self.quoted(slug)}/gold/sheet", to)
        return found

    def import_votes(self, body: VoteImportIn, *, idempotency_key: str | None = None) -> JobOut:
        """Let a worker make a closed campaign of votes, all or none; the file is used up.
        The job's result names the campaign, its note says what was left out. Scope:
        `campaigns`.
        """
        found: JobOut = self.call(
            "POST", "/api/v1/vote-imports", json=body, key=idempotency_key or ""
        )
        return found

    def list_boards(self, *, limit: int | None = None, cursor: str | None = None) -> Page[BoardOut]:
        """What campaigns of your projects may be ranked together on. Scope: `read`."""
        found: Page[BoardOut] = self.call(
            "GET", "/api/v1/boards", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def get_board(
        self,
        key: str,
        *,
        prompts: str | None = None,
        category: str | None = None,
        without: list[str] | None = None,
    ) -> BoardStandings:
        """Who stands where on a board, over the campaigns of your projects. Scope: `read`."""
        found: BoardStandings = self.call(
            "GET",
            f"/api/v1/boards/{self.quoted(key)}",
            json=None,
            query={"prompts": prompts, "category": category, "without": without},
        )
        return found

    def compare_campaigns(self, *, first: str, second: str) -> dict[str, Any]:
        """Whether the lead of A is larger in one campaign than in another, on each
        criterion that both ask: what `compare_campaigns --format json` prints, its
        format named in it. Scope: `read`.
        """
        found: dict[str, Any] = self.call(
            "GET", "/api/v1/comparison", json=None, query={"first": first, "second": second}
        )
        return found

    def list_exports(
        self, slug: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ExportOut]:
        """Exports of a campaign, the latest first, without those removed. Scope: `read`."""
        found: Page[ExportOut] = self.call(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/exports",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def create_export(
        self, slug: str, body: ExportIn, *, idempotency_key: str | None = None
    ) -> ExportOut:
        """Let a worker make an export; one that is being made with the same options is
        answered. Scope: `campaigns`.
        """
        found: ExportOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/exports",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def get_export(self, slug: str, identifier: str) -> ExportOut:
        """How far an export is, or what became of it. Scope: `read`."""
        found: ExportOut = self.call(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/exports/{self.quoted(identifier)}",
            json=None,
        )
        return found

    def delete_export(self, slug: str, identifier: str) -> None:
        """Remove its file, or stop one that is being made. Scope: `campaigns`."""
        self.call(
            "DELETE",
            f"/api/v1/campaigns/{self.quoted(slug)}/exports/{self.quoted(identifier)}",
            json=None,
        )

    def download_export(self, slug: str, identifier: str, to: Path) -> Path:
        """Its archive; a download that broke goes on by Range. Scope: `votes`."""
        found: Path = self.save(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/exports/{self.quoted(identifier)}/file",
            to,
        )
        return found

    def list_feedback_loops(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[LoopOut]:
        """Feedback loops of your projects, the latest first. Scope: `read`."""
        found: Page[LoopOut] = self.call(
            "GET", "/api/v1/feedback-loops", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def start_feedback_loop(
        self, body: LoopIn, *, idempotency_key: str | None = None
    ) -> LoopWithRoundsOut:
        """Make a loop and the ranking of its gallery, which `POST /campaigns/{slug}/open`
        opens once its images are there. Asked the same again, it goes on with what is
        there. Scope: `campaigns`.
        """
        found: LoopWithRoundsOut = self.call(
            "POST", "/api/v1/feedback-loops", json=body, key=idempotency_key or ""
        )
        return found

    def get_feedback_loop(self, name: str) -> LoopWithRoundsOut:
        """One loop, its rounds, and what each waits for. Scope: `read`."""
        found: LoopWithRoundsOut = self.call(
            "GET", f"/api/v1/feedback-loops/{self.quoted(name)}", json=None
        )
        return found

    def do_feedback_step(
        self, name: str, number: int, body: StepIn, *, idempotency_key: str | None = None
    ) -> JobOut:
        """Do a step of a round: a worker of the default queue does it, which trains for
        minutes, on its own machine. Asked again, what is done is found done, and what
        broke off goes on. Scope: `campaigns`.
        """
        found: JobOut = self.call(
            "POST",
            f"/api/v1/feedback-loops/{self.quoted(name)}/rounds/{self.quoted(number)}/steps",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def list_flows(self, *, limit: int | None = None, cursor: str | None = None) -> Page[FlowOut]:
        """Flows of your projects, the latest first. Scope: `read`."""
        found: Page[FlowOut] = self.call(
            "GET", "/api/v1/flows", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def create_flow(self, body: FlowIn, *, idempotency_key: str | None = None) -> FlowOut:
        """Make a flow: one question, one link for annotators, and as many batches as you
        ask. Scope: `campaigns`.
        """
        found: FlowOut = self.call("POST", "/api/v1/flows", json=body, key=idempotency_key or "")
        return found

    def get_flow(self, name: str) -> FlowOut:
        """One flow. Scope: `read`."""
        found: FlowOut = self.call("GET", f"/api/v1/flows/{self.quoted(name)}", json=None)
        return found

    def close_flow(self, name: str) -> FlowOut:
        """Take no more batches, and end those under way with the votes they have. Scope:
        `campaigns`.
        """
        found: FlowOut = self.call("POST", f"/api/v1/flows/{self.quoted(name)}/close", json=None)
        return found

    def send_flow_image(self, name: str, sha256: str, content: bytes) -> FlowImageOut:
        """Send an image: the body is its file, the address says its hash. Sent twice it is
        done once. One that no batch asks about within two days is removed; it counts in
        the quota. Scope: `campaigns`.
        """
        found: FlowImageOut = self.call(
            "PUT",
            f"/api/v1/flows/{self.quoted(name)}/images/{self.quoted(sha256)}",
            content=content,
        )
        return found

    def list_flow_batches(
        self, name: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[FlowBatchSummaryOut]:
        """Batches of a flow, the latest first, without what was said of them. Scope:
        `read`.
        """
        found: Page[FlowBatchSummaryOut] = self.call(
            "GET",
            f"/api/v1/flows/{self.quoted(name)}/batches",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def ask_flow(
        self, name: str, body: FlowBatchIn, *, idempotency_key: str | None = None
    ) -> FlowBatchOut:
        """Ask about panels of images that were sent; answered at once, opened by a worker.
        Scope: `campaigns`.
        """
        found: FlowBatchOut = self.call(
            "POST",
            f"/api/v1/flows/{self.quoted(name)}/batches",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def get_flow_batch(
        self, name: str, number: int, *, seen: str | None = None, wait: float | None = None
    ) -> FlowBatchOut:
        """What people said so far, also before the deadline. With `seen` and `wait`: once
        something differs from it, the batch ends or the time is over. Scope: `read`.
        """
        found: FlowBatchOut = self.call(
            "GET",
            f"/api/v1/flows/{self.quoted(name)}/batches/{self.quoted(number)}",
            json=None,
            query={"seen": seen, "wait": wait},
        )
        return found

    def close_flow_batch(self, name: str, number: int) -> FlowBatchOut:
        """End a batch early, with the votes it has. Scope: `campaigns`."""
        found: FlowBatchOut = self.call(
            "POST",
            f"/api/v1/flows/{self.quoted(name)}/batches/{self.quoted(number)}/close",
            json=None,
        )
        return found

    def list_pools(self, *, limit: int | None = None, cursor: str | None = None) -> Page[PoolOut]:
        """Pools of your projects, the latest first. Scope: `read`."""
        found: Page[PoolOut] = self.call(
            "GET", "/api/v1/pools", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def import_pool(self, body: PoolIn, *, idempotency_key: str | None = None) -> JobOut:
        """Let a worker bring a pool. Of samples that are not made yet the workers are
        asked for, and the pool is made once they are there. Until then the job is
        `queued`, its note says how far. Scope: `campaigns`.
        """
        found: JobOut = self.call("POST", "/api/v1/pools", json=body, key=idempotency_key or "")
        return found

    def get_pool(self, name: str) -> PoolDetailOut:
        """One pool: funnel, concepts, and of each stage the people, their recall and
        agreement. Scope: `read`.
        """
        found: PoolDetailOut = self.call("GET", f"/api/v1/pools/{self.quoted(name)}", json=None)
        return found

    def open_pool_stage(
        self, name: str, body: StageIn, *, idempotency_key: str | None = None
    ) -> OpenedStageOut:
        """Open a stage as a campaign; whoever is invited gets a link, told in this answer
        alone. Scope: `campaigns`.
        """
        found: OpenedStageOut = self.call(
            "POST",
            f"/api/v1/pools/{self.quoted(name)}/stages",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def close_pool_stage(
        self,
        name: str,
        kind: Literal["generalists", "specialists", "alignment", "style"],
        body: StageCloseIn,
    ) -> StageOut:
        """Close a stage: it decides what is kept. This cannot be taken back. Scope:
        `campaigns`.
        """
        found: StageOut = self.call(
            "POST", f"/api/v1/pools/{self.quoted(name)}/stages/{self.quoted(kind)}/close", json=body
        )
        return found

    def export_pool_data(
        self,
        name: str,
        to: Path,
        *,
        allow_unknown_licence: bool | None = None,
        allow_imported_captions: bool | None = None,
    ) -> Path:
        """What is kept, as the data set folder that the trainer reads, with every
        decision. Scope: `votes`.
        """
        found: Path = self.keep(
            "GET",
            f"/api/v1/pools/{self.quoted(name)}/export",
            to,
            query={
                "allow_unknown_licence": allow_unknown_licence,
                "allow_imported_captions": allow_imported_captions,
            },
        )
        return found

    def step_pool_captions(
        self, name: str, body: CaptionsIn, *, idempotency_key: str | None = None
    ) -> CaptionStepOut:
        """Take the next step of a pool's captions: have them written, have them approved
        by others, or close the round. Whoever is invited gets a link, told in this
        answer alone. Scope: `campaigns`.
        """
        found: CaptionStepOut = self.call(
            "POST",
            f"/api/v1/pools/{self.quoted(name)}/captions",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def list_scoring(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ScoringOut]:
        """What was asked to be scored in your projects, the latest first. Scope: `read`."""
        found: Page[ScoringOut] = self.call(
            "GET", "/api/v1/scoring", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def start_scoring(self, body: ScoringIn, *, idempotency_key: str | None = None) -> ScoringOut:
        """Ask the workers to score images; asked again for the same, it goes on as it is.
        Scope: `campaigns`.
        """
        found: ScoringOut = self.call(
            "POST", "/api/v1/scoring", json=body, key=idempotency_key or ""
        )
        return found

    def get_scoring(self, name: str) -> ScoringOut:
        """How far a scoring is, and what failed. Scope: `read`."""
        found: ScoringOut = self.call("GET", f"/api/v1/scoring/{self.quoted(name)}", json=None)
        return found

    def pause_scoring(self, name: str) -> ScoringOut:
        """Start no more of its jobs; images in hand are still scored. Scope: `campaigns`."""
        found: ScoringOut = self.call(
            "POST", f"/api/v1/scoring/{self.quoted(name)}/pause", json=None
        )
        return found

    def resume_scoring(self, name: str) -> ScoringOut:
        """Go on. Scope: `campaigns`."""
        found: ScoringOut = self.call(
            "POST", f"/api/v1/scoring/{self.quoted(name)}/resume", json=None
        )
        return found

    def cancel_scoring(self, name: str) -> ScoringOut:
        """Drop the jobs that are not done, for good; scores that were written are kept.
        Scope: `campaigns`.
        """
        found: ScoringOut = self.call(
            "POST", f"/api/v1/scoring/{self.quoted(name)}/cancel", json=None
        )
        return found

    def retry_scoring(self, name: str) -> ScoringOut:
        """Queue its failed jobs again. Scope: `campaigns`."""
        found: ScoringOut = self.call(
            "POST", f"/api/v1/scoring/{self.quoted(name)}/retry", json=None
        )
        return found

    def get_pay(self, slug: str) -> PayOut:
        """Median times, the hourly wage that the pay comes to, and the sums. Scope:
        `read`.
        """
        found: PayOut = self.call("GET", f"/api/v1/campaigns/{self.quoted(slug)}/pay", json=None)
        return found

    def list_payments(
        self, slug: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[PaymentOut]:
        """The list for payment, by pseudonym. Ids at a crowd platform are in `pay.csv?ids`
        of the page, for owners, and in the campaign's submissions. Scope: `votes`.
        """
        found: Page[PaymentOut] = self.call(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/payments",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def list_annotators(
        self, slug: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[AnnotatorOut]:
        """Everybody who took part, by pseudonym, with their measures. Scope: `votes`."""
        found: Page[AnnotatorOut] = self.call(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/annotators",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def exclude_annotator(self, slug: str, pseudonym: str, body: ReasonIn) -> AnnotatorOut:
        """Stop counting somebody's votes, which stay stored, and open their slots to
        others. Scope: `campaigns`.
        """
        found: AnnotatorOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/annotators/{self.quoted(pseudonym)}/exclude",
            json=body,
        )
        return found

    def reinstate_annotator(self, slug: str, pseudonym: str) -> AnnotatorOut:
        """Let their votes count again, but where somebody else has judged the item since.
        Scope: `campaigns`.
        """
        found: AnnotatorOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/annotators/{self.quoted(pseudonym)}/reinstate",
            json=None,
        )
        return found

    def release_work(self, slug: str, pseudonym: str, body: ReleaseIn) -> ReleasedOut:
        """Free what somebody who left holds unanswered, before its lease ends. Their votes
        keep counting, unless with `exclude`. Scope: `campaigns`.
        """
        found: ReleasedOut = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/annotators/{self.quoted(pseudonym)}/release",
            json=body,
        )
        return found

    def erase_annotator(self, body: EraseIn) -> ErasedOut:
        """Erase who an annotator is, in all projects: for operators. Votes stay, under the
        pseudonym. Without `erase` it only tells what would go. Scope: `admin`.
        """
        found: ErasedOut = self.call("POST", "/api/v1/annotators/erase", json=body)
        return found

    def list_invitations(
        self, slug: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[InvitationOut]:
        """The invitations of a campaign: for editors. Scope: `campaigns`."""
        found: Page[InvitationOut] = self.call(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/invitations",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def create_invitations(
        self, slug: str, body: InvitationsIn, *, idempotency_key: str | None = None
    ) -> InvitationsMade:
        """Make links that each let one person take part; they are shown this once. Scope:
        `campaigns`.
        """
        found: InvitationsMade = self.call(
            "POST",
            f"/api/v1/campaigns/{self.quoted(slug)}/invitations",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def revoke_invitations(self, slug: str, body: RevokeIn) -> Revoked:
        """Let unused invitations enrol nobody any more. Scope: `campaigns`."""
        found: Revoked = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/invitations/revoke", json=body
        )
        return found

    def list_submissions(
        self, slug: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[SubmissionOut]:
        """Prolific's submissions to a campaign, with the action suggested: for editors.
        Scope: `votes`.
        """
        found: Page[SubmissionOut] = self.call(
            "GET",
            f"/api/v1/campaigns/{self.quoted(slug)}/submissions",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def sync_campaign_submissions(self, slug: str) -> SyncOut:
        """Read from Prolific where submissions stand; who left gives work back. Scope:
        `campaigns`.
        """
        found: SyncOut = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/submissions/sync", json=None
        )
        return found

    def settle_submissions(self, slug: str, body: SettleIn) -> SettledOut:
        """Approve and pay what was decided, each thing once; without `send` count it.
        Scope: `campaigns`.
        """
        found: SettledOut = self.call(
            "POST", f"/api/v1/campaigns/{self.quoted(slug)}/submissions/settle", json=body
        )
        return found

    def list_generation(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[GenerationOut]:
        """What was asked of the workers, the latest first. Scope: `read`."""
        found: Page[GenerationOut] = self.call(
            "GET", "/api/v1/generation", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def get_generation(self, name: str) -> GenerationOut:
        """One campaign's generation; its ETag goes with a change. Scope: `read`."""
        found: GenerationOut = self.call(
            "GET", f"/api/v1/generation/{self.quoted(name)}", json=None
        )
        return found

    def change_generation(
        self, name: str, body: GenerationChange, *, if_match: str | None = None
    ) -> GenerationOut:
        """Change priority or budget; batches that run are not interrupted. Scope:
        `campaigns`.
        """
        found: GenerationOut = self.call(
            "PATCH", f"/api/v1/generation/{self.quoted(name)}", json=body, if_match=if_match
        )
        return found

    def list_batches(
        self, name: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[BatchOut]:
        """Its batches, with why one failed. Scope: `read`."""
        found: Page[BatchOut] = self.call(
            "GET",
            f"/api/v1/generation/{self.quoted(name)}/batches",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def pause_generation(self, name: str) -> GenerationOut:
        """Start no more of its batches. Scope: `campaigns`."""
        found: GenerationOut = self.call(
            "POST", f"/api/v1/generation/{self.quoted(name)}/pause", json=None
        )
        return found

    def resume_generation(self, name: str) -> GenerationOut:
        """Go on. Scope: `campaigns`."""
        found: GenerationOut = self.call(
            "POST", f"/api/v1/generation/{self.quoted(name)}/resume", json=None
        )
        return found

    def cancel_generation(self, name: str) -> GenerationOut:
        """Drop what is not made yet; samples made are kept. Scope: `campaigns`."""
        found: GenerationOut = self.call(
            "POST", f"/api/v1/generation/{self.quoted(name)}/cancel", json=None
        )
        return found

    def retry_generation(self, name: str) -> GenerationOut:
        """Queue its failed batches again. Scope: `campaigns`."""
        found: GenerationOut = self.call(
            "POST", f"/api/v1/generation/{self.quoted(name)}/retry", json=None
        )
        return found

    def list_workers(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[WorkerOut]:
        """Who makes samples now; what they do for other projects has no name. Scope:
        `read`.
        """
        found: Page[WorkerOut] = self.call(
            "GET", "/api/v1/workers", json=None, query={"limit": limit, "cursor": cursor}
        )
        return found

    def list_webhooks(
        self, project: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[WebhookOut]:
        """Whom the project tells of what. Scope: `admin`."""
        found: Page[WebhookOut] = self.call(
            "GET",
            f"/api/v1/projects/{self.quoted(project)}/webhooks",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def create_webhook(
        self, project: str, body: WebhookIn, *, idempotency_key: str | None = None
    ) -> WebhookMade:
        """Tell an address of events from now on; its secret is shown this once. Scope:
        `admin`.
        """
        found: WebhookMade = self.call(
            "POST",
            f"/api/v1/projects/{self.quoted(project)}/webhooks",
            json=body,
            key=idempotency_key or "",
        )
        return found

    def get_webhook(self, project: str, number: int) -> WebhookOut:
        """One webhook; its ETag goes with a change. Scope: `admin`."""
        found: WebhookOut = self.call(
            "GET",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}",
            json=None,
        )
        return found

    def change_webhook(
        self, project: str, number: int, body: WebhookChange, *, if_match: str | None = None
    ) -> WebhookOut:
        """Change what is told, or switch it on or off. Scope: `admin`."""
        found: WebhookOut = self.call(
            "PATCH",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}",
            json=body,
            if_match=if_match,
        )
        return found

    def delete_webhook(self, project: str, number: int) -> None:
        """Remove a webhook and its log. Scope: `admin`."""
        self.call(
            "DELETE",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}",
            json=None,
        )

    def rotate_webhook_secret(
        self, project: str, number: int, *, idempotency_key: str | None = None
    ) -> SecretOut:
        """Give it a new secret. Scope: `admin`."""
        found: SecretOut = self.call(
            "POST",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}/secret",
            json=None,
            key=idempotency_key or "",
        )
        return found

    def test_webhook(
        self, project: str, number: int, *, idempotency_key: str | None = None
    ) -> DeliveryOut:
        """Queue a message of no meaning. Scope: `admin`."""
        found: DeliveryOut = self.call(
            "POST",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}/test",
            json=None,
            key=idempotency_key or "",
        )
        return found

    def list_deliveries(
        self, project: str, number: int, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[DeliveryOut]:
        """Its messages of the last month, the latest first. Scope: `admin`."""
        found: Page[DeliveryOut] = self.call(
            "GET",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}/deliveries",
            json=None,
            query={"limit": limit, "cursor": cursor},
        )
        return found

    def redeliver_message(self, project: str, number: int, message: str) -> DeliveryOut:
        """Tell a message again, by the same id. Scope: `admin`."""
        found: DeliveryOut = self.call(
            "POST",
            f"/api/v1/projects/{self.quoted(project)}/webhooks/{self.quoted(number)}/deliveries/{self.quoted(message)}/redeliver",
            json=None,
        )
        return found
