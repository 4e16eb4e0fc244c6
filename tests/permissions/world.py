"""Two projects with everything in them, and everybody who may come along."""

import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone

from evalplatform.accounts.members import create_project, set_member
from evalplatform.accounts.models import Annotator, ApiToken, Membership, Project, User
from evalplatform.accounts.tokens import Scope, create_api_token, revoke_api_token
from evalplatform.annotation.entrance.identity import COOKIE, sign_in
from evalplatform.annotation.models import Enrolment, Exclusion, Invitation, Release, Vote
from evalplatform.annotation.services import enrol, invite, open_campaign
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Campaign, ShownImage
from evalplatform.campaigns.services import pause_campaign
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.services import begin_upload
from evalplatform.curation.models import Pool, ScoringRequest, ScoringShard, Stage
from evalplatform.exports.models import Export
from evalplatform.exports.options import checked_options
from evalplatform.feedback.models import (
    CampaignReward,
    FeedbackLoop,
    FeedbackRound,
    RegisteredReward,
    ScoreRequest,
)
from evalplatform.flows.models import Flow, FlowBatch, FlowConsent, FlowImage
from evalplatform.generation.models import GenerationRequest, Sample
from evalplatform.generation.services import pause_request
from evalplatform.images.models import CollectedImage, ImageCollection, ImageImport
from evalplatform.images.services import retire_collection
from evalplatform.promptsets.models import LogBuild, PromptSet, PromptUpload
from evalplatform.promptsets.services import keep_file
from evalplatform.reports.cached import results_of
from evalplatform.runs.choices import parse_choices
from evalplatform.runs.models import Draft, DraftRevision
from evalplatform.runs.services import make_draft
from evalplatform.uploads.models import SentFile
from evalplatform.webhooks.models import WebhookDelivery, WebhookEndpoint
from evalplatform.webhooks.services import create_webhook, send_test
from tests import factories
from tests.flows.conftest import ask, new_flow, send

# The columns of the tables, in this order. Letters: [a]nonymous; an a[n]notator with their cookie;
# [v]iewer, [e]ditor, another editor [E], [o]wner of the project; [s]tranger, who owns another
# project; [m]ember of none; operator by role [r], superuser [u].
PEOPLE = "anveEosmru"
# Who sends a token and no cookie: those of viewer, editor, owner, stranger, operator; one that was
# revoked.
TOKENS = "veosrx"


# Files that the editor sent: their names here, what has arrived, and how much that is to be.
SENT = (("sent_log", b"a red fox\n", 10), ("sent_image", b"an image", 8), ("sent_part", b"", 4))


@dataclass
class World:
    """The rows that addresses and bodies name, and who comes along."""

    ours: Project
    theirs: Project
    users: dict[str, User]
    secrets: dict[str, str]
    annotator: Annotator
    rows: dict[str, Any] = field(default_factory=dict)
    at_first: dict[str, Any] = field(default_factory=dict)
    files: set[tuple[str, int, int]] = field(default_factory=set)

    def untouched(self) -> dict[str, Any]:
        """Put the files back as they were, and return the state as it was at first."""
        if not self.files or self.files != self._files():
            self._put_files_back()
            self.files = self._files()
        if not self.at_first:
            self.at_first = state()
        return self.at_first

    def _files(self) -> set[tuple[str, int, int]]:
        """Return path, size and time of what requests write to."""
        folders = (self.rows["upload"].folder.parent, self.rows["sent_part"].path.parent)
        export = Path(default_storage.path(self.rows["export"].file))
        paths = [each for folder in folders for each in (folder, *folder.rglob("*"))]
        found = [(each, each.stat()) for each in (*paths, export) if each.exists()]
        return {(str(each), stat.st_size, stat.st_mtime_ns) for each, stat in found}

    def _put_files_back(self) -> None:
        upload = self.rows["upload"]
        for each in upload.folder.parent.iterdir():
            if each != upload.folder:
                shutil.rmtree(each)
        upload.folder.mkdir(exist_ok=True)
        upload.file.write_bytes(b"")
        sent = self.rows["sent_part"].path
        for each in sent.parent.iterdir():
            if each.name not in {str(self.rows[name].pk) for name, *_ in SENT}:
                each.unlink()
        sent.write_bytes(b"")
        default_storage.save(self.rows["export"].file, ContentFile(b"an archive"))

    def client(self, who: str) -> Client:
        """Return a browser in which this person is signed in."""
        client = Client()
        if who == "n":
            invitation = self.rows["open"].invitation
            answer = sign_in(HttpRequest(), HttpResponse(), invitation, self.annotator)
            client.cookies[COOKIE] = answer.cookies[COOKIE].value
        elif who != "a":
            client.force_login(self.users[who])
        return client


def build(folder: Path) -> World:
    """Return a world of two projects."""
    users = {
        letter: User.objects.create_user(name, **made)
        for letter, name, made in [
            ("v", "vera", {}), ("e", "edith", {}), ("E", "emil", {}), ("o", "oda", {}),
            ("s", "stan", {}), ("m", "mona", {}), ("r", "rolf", {"role": "operator"}),
            ("u", "ulla", {"is_superuser": True, "is_staff": True}),
        ]
    }  # fmt: skip
    ours = create_project(name="ours-project", owner=users["o"])
    for letter, role in (("v", "viewer"), ("e", "editor"), ("E", "editor")):
        set_member(project=ours, user=users[letter], role=role)
    theirs = create_project(name="theirs", owner=users["s"])
    secrets = {
        each: create_api_token(user=users[each], label="x", scopes=Scope.values, now=timezone.now())
        for each in "veosr"
    }
    revoked, secret = create_api_token(
        user=users["o"], label="old", scopes=Scope.values, now=timezone.now()
    )
    revoke_api_token(token=revoked, now=timezone.now())
    world = World(
        ours, theirs, users,
        {each: made[1] for each, made in secrets.items()} | {"x": secret},
        Annotator.objects.create(pseudonym="ana"),
        {"token": secrets["e"][0]},
    )  # fmt: skip
    _fill(world)
    return world


def _exported(campaign: Campaign) -> Export:
    now = timezone.now()
    return Export.objects.create(
        campaign=campaign, kind="arena", state="done", asked_at=now, finished_at=now,
        options=checked_options(campaign, {"kind": "arena"}).as_json(),
        removed_after=now + timedelta(days=1), file="exports/ours.zip", file_name="ours.zip",
        size_bytes=len(b"an archive"), sha256=factories.digest("an archive"),
    )  # fmt: skip


def _fill(world: World) -> None:
    _add_campaigns(world)
    _add_files(world)
    _add_collections(world)
    _add_what_was_ended(world)
    _add_drafts(world)
    _add_webhooks(world)
    _add_feedback(world)
    _add_flow(world)
    world.rows["job"] = Job.objects.create(project=world.ours, kind="import_collection", asked={})
    world.rows["pool_job"] = Job.objects.create(
        project=world.ours, kind="import_pool",
        asked={"name": "ours-coming", "checkpoint": "baseline", "prompt_set": "ours-prompts",
               "seeds": 1, "steps": 25, "guidance": 4.0, "licence": "", "path": ""},
    )  # fmt: skip
    _keep_results()


def _keep_results() -> None:
    """Compute them once: what a request computes is taken back with all else it did."""
    for campaign in Campaign.objects.all():
        results_of(campaign)


def _add_campaigns(world: World) -> None:
    """One that is open, one that is not, and samples of prompts and models of either project."""
    rows, ours, theirs = world.rows, world.ours, world.theirs
    rows["open"] = factories.make_draft(prompts=2, slug="ours-open", project=ours)
    open_campaign(campaign=rows["open"])
    rows["open_set"] = rows["open"].image_sets.main().first()
    rows["draft"] = factories.make_draft(prompts=2, slug="ours-draft", project=ours)
    rows["export"] = _exported(rows["open"])
    rows["request"] = factories.make_request("ours-draft", project=ours)
    rows["checkpoint"] = rows["open"].contenders[0].checkpoint
    rows["latecomer"] = factories.make_checkpoint("ours-late", project=ours)
    rows["sample"] = Sample.objects.filter(checkpoint=rows["checkpoint"]).first()
    rows["baseline"] = factories.make_checkpoint("baseline", project=theirs, is_shared=True)
    hidden = factories.make_prompt_set("hidden", 1, project=theirs)
    rows["hidden_sample"] = _copy(rows["sample"], rows["baseline"], hidden.prompts.get())
    shared = factories.make_prompt_set("open-prompts", 1, project=theirs, is_shared=True)
    rows["shared_sample"] = _copy(rows["sample"], rows["baseline"], shared.prompts.get())


def _add_files(world: World) -> None:
    """What was sent to be read by a worker."""
    rows, ours = world.rows, world.ours
    rows["log_build"] = LogBuild.objects.create(
        project=ours, file_name="ours-log.txt", log="log-builds/ours", size_bytes=1, state="failed",
        error="ours-fault", dropped=rows["export"].file, dropped_bytes=len(b"an archive"),
        dropped_sha256=factories.digest("an archive"), created_at=timezone.now(),
    )  # fmt: skip
    for name, content, size in SENT:
        rows[name] = SentFile.objects.create(
            project=ours, file_name=f"ours-{name}.txt", size_bytes=size,
            created_by=world.users["e"],
        )  # fmt: skip
        rows[name].path.parent.mkdir(parents=True, exist_ok=True)
        rows[name].path.write_bytes(content)
    rows["image_import"] = ImageImport.objects.create(
        project=ours, name="ours-sent", model="m", sent="ours-sent.png", size_bytes=1,
        state="failed", error="ours-fault", beaten_at=timezone.now(), created_at=timezone.now(),
    )  # fmt: skip
    rows["prompt_upload"] = keep_file(
        project=ours, user=world.users["e"], file_name="brought.txt", content=b"a red fox\n",
        now=timezone.now(),
    )  # fmt: skip
    rows["upload"] = begin_upload(
        project=ours, file_name="m.zip", size_bytes=4, name="", role="",
        user=world.users["e"], now=timezone.now(),
    )  # fmt: skip


def _add_collections(world: World) -> None:
    """Images, a pool of them, and the scoring of one."""
    rows, ours, theirs = world.rows, world.ours, world.theirs
    rows["collection"] = _collect("ours-images", ours, False, rows["sample"])
    rows["collected"] = rows["collection"].images.get()
    rows["pool"] = Pool.objects.create(
        project=ours, name="ours-pool", origin="folder",
        collection=_collect("ours-pool", ours, False, rows["sample"]),
    )  # fmt: skip
    rows["scoring"] = ScoringRequest.objects.create(
        project=ours, name="ours-scoring", data="/hay", out="/scores", scorers=["size"],
        shard_size=9,
    )  # fmt: skip
    rows["shared_collection"] = _collect("shared-images", theirs, True, rows["sample"])


def _add_what_was_ended(world: World) -> None:
    """What was retired, paused, or lets in by invitation alone."""
    rows, ours = world.rows, world.ours
    rows["retired"] = factories.make_checkpoint(
        "ours-retired", project=ours, status="retired", retired_at=timezone.now()
    )
    rows["retired_collection"] = _collect("ours-old-images", ours, False, rows["sample"])
    retire_collection(collection=rows["retired_collection"], user=None, now=timezone.now())
    rows["paused"] = factories.make_request("ours-paused", project=ours)
    pause_request(request=rows["paused"])
    enrolment = enrol(campaign=rows["open"], annotator=world.annotator)
    Enrolment.objects.filter(pk=enrolment.pk).update(browser_hash="b" * 64)
    rows["invited"] = factories.make_draft(
        prompts=1, slug="ours-invited", project=ours, rules={"annotation": {"door": "invitations"}}
    )
    open_campaign(campaign=rows["invited"])
    invite(campaign=rows["invited"], labels=["ours-guest"], now=timezone.now())
    rows["slot"] = factories.lease(enrolment)
    rows["paused_campaign"] = factories.make_draft(prompts=1, slug="ours-held", project=ours)
    open_campaign(campaign=rows["paused_campaign"])
    pause_campaign(campaign=rows["paused_campaign"])


def _add_drafts(world: World) -> None:
    """One that could be launched, one that was, and one of the API's tests."""
    rows, ours = world.rows, world.ours
    factories.make_prompt_set("ours-prompts", 1, project=ours)
    rows["drafted"] = make_draft(
        project=ours, user=world.users["e"], choices=parse_choices(
            {"name": "ours-next", "preset": "default", "prompts": {"sets": ["ours-prompts"]},
             "arms": [arm.name for arm in rows["open"].contenders]})
    )  # fmt: skip
    rows["launched"] = make_draft(project=ours, user=world.users["e"])
    Draft.objects.filter(pk=rows["launched"].pk).update(campaign=rows["draft"])
    create_project(name="empty", owner=world.users["u"])
    rows["api_draft"] = make_draft(project=ours, user=world.users["e"])


def _add_webhooks(world: World) -> None:
    """One in each project, with a message that was given up."""
    for name, project in (("webhook", world.ours), ("their_webhook", world.theirs)):
        world.rows[name], _ = create_webhook(
            project=project, url="https://1.1.1.1/hook", events=["batch.failed"],
            description=f"{project}", user=None,
        )  # fmt: skip
    sent = send_test(endpoint=world.rows["webhook"], now=timezone.now())
    sent.status = "failed"
    sent.save(update_fields=["status"])
    world.rows["delivery"] = sent


def _add_feedback(world: World) -> None:
    """A loop that was made, and a reward model of its first round."""
    rows, ours = world.rows, world.ours
    rows["loop"] = FeedbackLoop.objects.create(
        project=ours, slug="ours-loop", gallery=["one", "two"], aspects=["visual_appeal"], k=1,
        prompt_set=rows["open"].prompt_sets.get(), verified_share=0.1, agreement_floor=0.6,
        proof_prompt_set=PromptSet.objects.get(name="ours-prompts"), sampler={},
    )  # fmt: skip
    first = FeedbackRound.objects.create(loop=rows["loop"], number=1, parent=rows["checkpoint"])
    rows["reward"] = RegisteredReward.objects.create(
        project=ours, name="ours-reward", sha256=factories.digest("reward"), round=first,
        aspects=["visual_appeal"], purpose="judge", preferences_sha256=factories.digest("votes"),
    )  # fmt: skip


def _add_flow(world: World) -> None:
    """A flow with three images that nobody asked about, and a batch that waits for a worker."""
    rows = world.rows
    rows["flow"] = new_flow("ours-flow", project=world.ours)
    rows["flow_batch"] = ask(rows["flow"], 1)
    rows["their_flow"] = new_flow("theirs-flow", project=world.theirs)
    send(rows["flow"], 1, 2, 3)


def _copy(sample: Sample, checkpoint: Checkpoint, prompt: Any) -> Sample:
    sample = Sample.objects.get(pk=sample.pk)
    sample.pk, sample.checkpoint, sample.prompt = None, checkpoint, prompt
    sample.save(force_insert=True)
    return sample


def _collect(name: str, project: Project, is_shared: bool, sample: Sample) -> ImageCollection:
    collection = ImageCollection.objects.create(
        project=project, is_shared=is_shared, name=name, model="Peer 3",
        sha256=factories.digest(name), image_count=1,
    )  # fmt: skip
    CollectedImage.objects.create(
        collection=collection, position=0, image=sample.image, image_sha256=sample.image_sha256,
        source_sha256=sample.image_sha256, pixels_sha256=sample.pixels_sha256, is_constant=False,
        width=16, height=16,
    )  # fmt: skip
    return collection


# What somebody could change; what they leave by reading is not among it (sessions, token use).
_WATCHED: list[tuple[type[Model], tuple[str, ...]]] = [
    (Project, ("name", "upload_quota_bytes")),
    (Membership, ("project_id", "user_id", "role")),
    (User, ("username", "is_active", "role", "password")),
    (ApiToken, ("user_id", "label", "revoked_at")),
    (PromptSet, ("name", "project_id", "is_shared")),
    (PromptUpload, ("file_name", "project_id")),
    (LogBuild, ("file_name", "project_id", "state")),
    (SentFile, ("file_name", "project_id", "created_by_id")),
    (ImageImport, ("name", "project_id", "state")),
    (Checkpoint, ("name", "project_id", "status", "is_shared")),
    (Upload, ("status", "project_id")),
    (FeedbackLoop, ("slug", "project_id")),
    (FeedbackRound, ("number", "child_id", "proof_id")),
    (RegisteredReward, ("name", "project_id")),
    (CampaignReward, ("campaign_id", "reward_id")),
    (ScoreRequest, ("reward_id", "error")),
    (Pool, ("name", "project_id")),
    (Stage, ("pool_id", "kind", "decisions_sha256")),
    (ScoringRequest, ("name", "project_id", "status")),
    (ScoringShard, ("request_id", "status")),
    (Flow, ("slug", "project_id", "status")),
    (FlowBatch, ("flow_id", "number", "status")),
    (FlowImage, ("flow_id", "sha256")),
    (FlowConsent, ("flow_id", "annotator_id")),
    (Job, ("kind", "project_id", "status")),
    (WebhookEndpoint, ("url", "is_active", "secret")),
    (WebhookDelivery, ("message_id", "status")),
    (ImageCollection, ("name", "project_id", "status", "is_shared")),
    (GenerationRequest, ("name", "status", "priority", "budget_seconds")),
    (Campaign, ("slug", "project_id", "status", "protocol_sha256")),
    (Enrolment, ("annotator_id", "campaign_id", "status", "browser_hash")),
    (Exclusion, ("rule", "revoked_at")),
    (Invitation, ("campaign_id", "label", "revoked_at")),
    (Export, ("campaign_id", "kind", "state")),
    (Vote, ("answer", "retracted_at")),
    (Release, ("annotator_id", "reason")),
    (ShownImage, ("image_set_id", "place")),
    (Draft, ("version", "choices::text", "campaign_id", "opening_asked_at")),
    (DraftRevision, ("draft_id", "version")),
]


def _statement() -> str:
    """One query for all: it is asked after every request."""
    parts = [
        f"'{model.__name__}', (SELECT json_agg(json_build_array(id, {', '.join(fields)}) "
        f"ORDER BY id) FROM {model._meta.db_table})"
        for model, fields in _WATCHED
    ]
    return f"SELECT json_build_object({', '.join(parts)})"


def state() -> dict[str, Any]:
    """Return all that could be changed, by table, to tell whether and what was."""
    with connection.cursor() as cursor:
        cursor.execute(_statement())
        found: dict[str, Any] = cursor.fetchone()[0]
    root = Path(settings.CHECKPOINT_DIR)
    files = sorted([*root.glob("uploads/*/*"), *root.glob("sent/*")])
    return found | {"received": [(each, each.stat().st_size) for each in files]}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the names of the tables that are not as they were."""
    return {name for name in before if before[name] != after[name]}
