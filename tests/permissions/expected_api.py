"""What every route of the API answers to everybody, written out as in `expected`.

A token gets what its owner gets, where it has the scope that stands beside the route; without it
403. Whoever sends no token has a session and is anonymous or an annotator otherwise: 401.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.flows.conftest import png
from tests.permissions.cases import Case, value
from tests.permissions.world import PEOPLE, TOKENS, World

# fmt: off
#           a    n    v    e    E    o    s    m    r    u
ALL      = "401  401  200  200  200  200  200  200  200  200"
OURS     = "401  401  200  200  200  200  404  404  200  200"
EDITS    = "401  401  403  200+ 200+ 200+ 404  404  200+ 200+"
DOES     = "401  401  403  200  200  200  404  404  200  200"
MAKES    = "401  401  403  201+ 201+ 201+ 404  404  201+ 201+"
ASKS     = "401  401  403  403  403  403  404  404  403  403"  # what no operator has opened
OWNS     = "401  401  403  403  403  200+ 404  404  200+ 200+"
OWNERS   = "401  401  403  403  403  200  404  404  200  200"
REMOVES  = "401  401  403  403  403  204+ 404  404  204+ 204+"
OPERATES = "401  401  403  403  403  403  403  403  201+ 201+"
OPERATED = "401  401  403  403  403  403  404  404  200+ 200+"
OF_THEIRS = "401  401  403  403  403  403  200+ 403  200+ 200+"  # shared; `s` owns the project
ONES_OWN = "401  401  404  204+ 404  404  404  404  404  404"
EDITORS  = "401  401  403  200  200  200  404  404  200  200"
FORGETS  = "401  401  403  204+ 204+ 204+ 404  404  204+ 204+"
SENT     = "401  401  403  202+ 422  422  404  404  202+ 202+"  # a file that the editor sent
MINE     = "401  401  201+ 201+ 201+ 201+ 201+ 201+ 201+ 201+"
# fmt: on


def api(
    scope: str, method: str, route: str, people: str, *args: str,
    body: Callable[[World], Any] | None = None, changes: str = "", query: str = "",
) -> Case:  # fmt: skip
    """A case of the API: `scope` is what a token needs."""
    cells = dict(zip(PEOPLE, people.split(), strict=True)) | {"x": "401"}
    return Case(
        f"api:{route}", method, people, lambda world: [value(world, each) for each in args],
        body=body or (lambda world: {} if method in ("GET", "DELETE") else b"{}"),
        query=query, changes=frozenset(changes.split()), scope=scope,
        tokens=" ".join(cells[who] for who in TOKENS),
    )  # fmt: skip


def told(**fields: Any) -> Callable[[World], bytes]:
    """A JSON body whose texts may name rows of the world."""

    def named(world: World, given: Any) -> Any:
        return value(world, given) if isinstance(given, str) else given

    return lambda world: json.dumps(
        {name: named(world, each) for name, each in fields.items()}, default=str
    ).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file(world: World) -> dict[str, Any]:
    file = SimpleUploadedFile("new.txt", b"a thing\nanother thing\n")
    return {"name": "new", "project": "ours-project", "file": file}


P, N = "ours-project", "404  404"
API_CASES: list[Case] = [
    api("read", "GET", "get_me", ALL),

    # Projects.
    api("read", "GET", "list_projects", ALL),
    api("admin", "POST", "create_project", OPERATES, body=told(name="new", owner="mona"),
        changes="Project Membership"),
    api("read", "GET", "get_project", OURS, P),
    api("admin", "PATCH", "change_project", OPERATED, P, body=told(upload_quota_bytes=5),
        changes="Project"),
    api("admin", "DELETE", "delete_project",  # it is not empty
        "401  401  403  403  403  422  404  404  422  422", P),
    api("admin", "DELETE", "delete_project",
        "401  401  404  404  404  404  404  404  204+ 204+", "empty",
        changes="Project Membership"),
    api("read", "GET", "list_members", OURS, P),
    api("admin", "PUT", "set_member", OWNS, P, "mona", body=told(role="viewer"),
        changes="Membership"),
    api("admin", "PUT", "set_member",  # the last owner
        "401  401  403  403  403  422  404  404  422  422", P, "oda", body=told(role="viewer")),
    api("admin", "DELETE", "remove_member", REMOVES, P, "vera", changes="Membership"),
    api("admin", "DELETE", "remove_member",  # who is not in it
        "401  401  403  403  403  404  404  404  404  404", P, "mona"),
    api("admin", "POST", "share_with_all", OWNS, P,
        body=told(kind="checkpoint", reference="checkpoint.name"), changes="Checkpoint"),
    api("admin", "POST", "share_with_all",  # what is another's
        "401  401  403  403  403  422  404  404  422  422", P,
        body=told(kind="prompt set", reference="hidden@1")),
    api("admin", "GET", "list_audit_entries", OWNERS, P),

    # Tokens.
    api("admin", "GET", "list_tokens", ALL),
    api("admin", "POST", "create_token", MINE, body=told(label="mine", scopes=["read"]),
        changes="ApiToken"),
    api("admin", "POST", "create_token",  # for a project they are not in
        MINE.replace("201+ 201+ 201+ 201+ 201+ 201+ 201+ 201+",
                     "201+ 201+ 201+ 201+ 404  404  201+ 201+"),
        body=told(label="mine", scopes=["read"], project=P), changes="ApiToken"),
    api("admin", "DELETE", "revoke_token", ONES_OWN, "token.prefix", changes="ApiToken"),

    # The registry.
    api("read", "GET", "list_checkpoints", ALL),
    api("models", "POST", "register_checkpoint", ASKS, body=told(project=P, source="hub:a/b")),
    api("models", "POST", "register_checkpoint",  # made of a registered one: nothing of a disk
        MAKES.replace("201", "202"), body=told(
            project=P, base="checkpoint.name", weights="ema", name="other"), changes="Job"),
    api("read", "GET", "get_checkpoint", OURS, "checkpoint.name"),
    api("read", "GET", "get_checkpoint", ALL, "baseline.name"),
    api("models", "POST", "retire_checkpoint", EDITS, "checkpoint.name", changes="Checkpoint"),
    api("models", "POST", "retire_checkpoint", OF_THEIRS, "baseline.name", changes="Checkpoint"),
    api("models", "POST", "restore_checkpoint", EDITS, "retired.name", changes="Checkpoint"),
    api("models", "GET", "list_uploads", ALL),
    api("models", "GET", "get_upload", OURS, "upload.pk"),
    api("read", "GET", "list_jobs", ALL),
    api("read", "GET", "get_job", OURS, "job.public_id"),
    api("campaigns", "POST", "call_off_job", EDITS, "pool_job.public_id", changes="Job"),
    api("read", "GET", "list_prompt_sets", ALL),
    api("models", "POST", "import_prompt_set", MAKES, body=_file, changes="PromptSet"),
    api("read", "GET", "get_prompt_set", OURS, "ours-prompts", "1"),
    api("read", "GET", "list_prompts", OURS, "ours-prompts", "1"),
    api("read", "GET", "list_prompts", ALL, "open-prompts", "1"),
    *[api("models", "POST", "tag_prompts", people, *which, body=told(tag="new", positions=[0]),
          changes="PromptSet")
      for people, which in [(MAKES, ("ours-prompts", "1")),
                            (OF_THEIRS.replace("200", "201"), ("open-prompts", "1"))]],
    api("models", "POST", "tag_prompts",  # a prompt that there is not
        "401  401  403  422  422  422  404  404  422  422", "ours-prompts", "1",
        body=told(tag="new", positions=[9])),
    api("models", "POST", "tag_stylized",  # as they are tagged
        MAKES.replace("+", " "), "ours-prompts", "1"),
    api("read", "GET", "list_log_builds", ALL),
    api("models", "POST", "start_log_build", SENT, body=told(project=P, sent="sent_log.pk"),
        changes="LogBuild SentFile"),
    api("read", "GET", "get_log_build", EDITORS, "log_build.pk"),
    api("models", "POST", "keep_log_build", EDITORS.replace("200", "422"),  # it failed
        "log_build.pk", body=told(name="kept")),
    api("models", "DELETE", "forget_log_build", FORGETS, "log_build.pk", changes="LogBuild"),
    api("read", "GET", "list_collections", ALL),
    api("read", "GET", "list_image_imports", ALL),
    api("models", "POST", "start_image_import", SENT, changes="ImageImport SentFile",
        body=lambda world: json.dumps({"project": P, "name": "new-images", "model": "m",
                                       "sent": [str(world.rows["sent_image"].pk)]}).encode()),
    api("read", "GET", "get_image_import", EDITORS, "image_import.pk"),
    api("models", "POST", "repeat_image_import", EDITS, "image_import.pk",
        body=told(name="ours-sent", model="m2"), changes="ImageImport"),
    api("models", "DELETE", "forget_image_import", FORGETS, "image_import.pk",
        changes="ImageImport"),
    api("models", "POST", "import_collection", ASKS, body=told(
        project=P, path="/etc", name="other", model="m")),
    api("read", "GET", "get_collection", OURS, "collection.name"),
    api("read", "GET", "get_collection", ALL, "shared_collection.name"),
    api("read", "GET", "list_collected_images", OURS, "collection.name"),
    api("models", "POST", "retire_collection", EDITS, "collection.name",
        changes="ImageCollection"),
    api("models", "POST", "restore_collection", EDITS, "retired_collection.name",
        changes="ImageCollection"),

    # Planning.
    api("read", "POST", "plan_study", ALL),
    api("read", "POST", "plan_study", OURS.replace("200", "422"),  # it has no votes
        body=told(pilot="ours-open")),
    api("read", "POST", "dry_run_campaign", DOES, body=told(project=P, choices={})),
    api("read", "GET", "list_drafts", ALL),
    api("campaigns", "POST", "create_draft", MAKES, body=told(project=P, choices={}),
        changes="Draft DraftRevision"),
    api("read", "GET", "get_draft", OURS, "api_draft.pk"),
    api("campaigns", "PUT", "change_draft", EDITS, "api_draft.pk",
        body=told(version=1, choices={"seed": 5}), changes="Draft DraftRevision"),
    api("campaigns", "DELETE", "delete_draft",
        "401  401  403  204+ 204+ 204+ 404  404  204+ 204+", "api_draft.pk",
        changes="Draft DraftRevision"),
    api("campaigns", "POST", "launch",  # it is unfinished
        "401  401  403  422  422  422  404  404  422  422", "api_draft.pk", body=told(version=1)),

    # Campaigns.
    api("read", "GET", "list_campaigns", ALL),
    api("campaigns", "POST", "create_campaign",  # of things that are another project's
        "401  401  403  422  422  422  404  404  422  422",
        body=told(project=P, choices={"arms": ["none", "neither"], "prompts": {"sets": ["hidden"]},
                                      "preset": "default"})),
    api("read", "GET", "get_campaign", OURS, "open.slug"),
    api("campaigns", "PATCH", "change_campaign", EDITS, "draft.slug", body=told(allow_cut=0.5),
        changes="Campaign"),
    api("read", "GET", "get_progress", OURS, "open.slug"),
    api("campaigns", "POST", "advance_campaign", DOES, "open.slug"),
    api("campaigns", "POST", "open_campaign", MAKES.replace("201", "202"), "draft.slug",
        changes="Job"),
    api("campaigns", "POST", "add_arm",  # it is an arm already
        "401  401  403  422  422  422  404  404  422  422", "open.slug",
        body=told(arm="checkpoint.name")),
    api("campaigns", "POST", "pause_campaign", EDITS, "open.slug", changes="Campaign"),
    api("campaigns", "POST", "resume_campaign", EDITS, "paused_campaign.slug", changes="Campaign"),
    api("campaigns", "POST", "close_campaign", EDITS, "open.slug", changes="Campaign"),
    api("campaigns", "POST", "close_campaign",
        "401  401  403  409  409  409  404  404  409  409", "draft.slug"),
    api("read", "GET", "get_protocol", OURS, "open.slug"),
    api("read", "GET", "get_results", OURS, "open.slug"),
    api("votes", "GET", "stream_votes", OURS, "open.slug"),

    api("read", "GET", "stream_safety_scores", OURS.replace("200", "422"),  # without a filter
        "open.slug"),

    # Gold.
    api("read", "GET", "get_gold", OURS, "open.slug"),
    api("read", "GET", "get_gold_sheet", OURS, "open.slug"),
    api("campaigns", "POST", "make_gold", MAKES.replace("201", "202"), "draft.slug",
        changes="Job"),
    api("campaigns", "POST", "make_gold", SENT, "draft.slug", changes="Job SentFile",
        body=lambda world: json.dumps({"sent": [str(world.rows["sent_log"].pk)]}).encode()),
    api("campaigns", "POST", "make_gold",  # it has opened
        "401  401  403  409  409  409  404  404  409  409", "open.slug"),
    api("campaigns", "DELETE", "clear_gold", DOES.replace("200", "204"), "draft.slug"),  # none

    # Votes cast elsewhere.
    api("campaigns", "POST", "import_votes", SENT, changes="Job SentFile",
        body=told(project=P, sent="sent_log.pk", campaign="elsewhere")),
    api("campaigns", "POST", "import_votes",  # under a name that is taken
        "401  401  403  422  422  422  404  404  422  422",
        body=told(project=P, sent="sent_log.pk", campaign="open.slug")),

    # Over campaigns.
    api("read", "GET", "list_boards", ALL),
    api("read", "GET", "get_board", ALL.replace("200", "404"), "none"),
    api("read", "GET", "compare_campaigns", OURS.replace("200", "422"),  # it has no votes
        query="?first=ours-open&second=ours-invited"),

    # Pay.
    api("read", "GET", "get_pay", OURS, "open.slug"),
    api("votes", "GET", "list_payments", OURS, "open.slug"),

    # Exports.
    api("read", "GET", "list_exports", OURS, "open.slug"),
    api("campaigns", "POST", "create_export", MAKES.replace("201", "202"), "open.slug",
        body=told(kind="csv"), changes="Export"),
    api("campaigns", "POST", "create_export",  # what cannot be had
        "401  401  403  422  422  422  404  404  422  422", "open.slug",
        body=told(kind="arena", rows="vote")),
    api("read", "GET", "get_export", OURS, "open.slug", "export.public_id"),
    api("read", "GET", "get_export",  # of another campaign
        "401  401  404  404  404  404  404  404  404  404", "draft.slug", "export.public_id"),
    api("votes", "GET", "download_export", OURS, "open.slug", "export.public_id"),
    api("campaigns", "DELETE", "delete_export", EDITS.replace("200", "204"),
        "open.slug", "export.public_id", changes="Export"),

    # Pools.
    api("read", "GET", "list_pools", ALL),
    api("read", "GET", "get_pool", OURS, "pool.name"),
    api("campaigns", "POST", "import_pool", ASKS, body=told(
        project=P, name="other", path="/etc")),
    api("campaigns", "POST", "import_pool", MAKES.replace("201", "202"), changes="Job",
        body=told(project=P, name="other", checkpoint="checkpoint.name", prompt_set="ours-prompts",
                  seeds=1)),
    api("campaigns", "POST", "open_pool_stage",  # more than there are
        "401  401  403  422  422  422  404  404  422  422", "pool.name",
        body=told(kind="generalists", target=99)),
    api("campaigns", "POST", "open_pool_stage", ASKS, "pool.name",
        body=told(kind="generalists", gold_path="/etc")),
    api("campaigns", "POST", "step_pool_captions", DOES, "pool.name"),  # it is empty
    api("campaigns", "POST", "step_pool_captions", ASKS, "pool.name",
        body=told(people=["anna"], gold_path="/etc")),
    api("campaigns", "POST", "close_pool_stage",  # not open
        "401  401  403  404  404  404  404  404  404  404", "pool.name", "style"),
    api("votes", "GET", "export_pool_data",  # nothing is decided
        "401  401  422  422  422  422  404  404  422  422", "pool.name"),

    # Scoring.
    api("read", "GET", "list_scoring", ALL),
    api("read", "GET", "get_scoring", OURS, "scoring.name"),
    api("campaigns", "POST", "start_scoring", ASKS, body=told(
        project=P, name="other", pool="pool.name", out="/scores")),
    *[api("campaigns", "POST", f"{verb}_scoring", EDITS, "scoring.name", changes="ScoringRequest")
      for verb in ("pause", "cancel")],
    *[api("campaigns", "POST", f"{verb}_scoring", DOES, "scoring.name")  # it goes on
      for verb in ("resume", "retry")],

    # Flows.
    api("read", "GET", "list_flows", ALL),
    api("campaigns", "POST", "create_flow", MAKES, body=told(project=P, name="other"),
        changes="Flow"),
    api("campaigns", "POST", "create_flow",  # a name that is taken, in a project they do not see
        "401  401  403  422  422  422  404  404  422  422",
        body=told(project=P, name="theirs-flow")),
    api("read", "GET", "get_flow", OURS, "flow.slug"),
    api("read", "GET", "get_flow",
        "401  401  404  404  404  404  200  404  200  200", "their_flow.slug"),
    api("campaigns", "PUT", "send_flow_image", EDITS, "flow.slug", _sha256(png(9)),
        body=lambda world: png(9), changes="FlowImage"),
    api("campaigns", "PUT", "send_flow_image",  # other bytes
        "401  401  403  422  422  422  404  404  422  422", "flow.slug", _sha256(png(8)),
        body=lambda world: png(9)),
    api("read", "GET", "list_flow_batches", OURS, "flow.slug"),
    api("campaigns", "POST", "ask_flow", MAKES.replace("201", "202"), "flow.slug",
        body=told(panels=[{"prompt": "a", "images": [_sha256(png(n)) for n in (1, 2, 3)]}]),
        changes="FlowBatch"),
    api("campaigns", "POST", "ask_flow",  # about images of another flow
        "401  401  403  403  403  403  422  403  422  422".replace("403", "404"), "their_flow.slug",
        body=told(panels=[{"prompt": "a", "images": [_sha256(png(n)) for n in (1, 2, 3)]}])),
    api("read", "GET", "get_flow_batch", OURS, "flow.slug", "1"),
    api("read", "GET", "get_flow_batch",  # of another flow
        "401  401  404  404  404  404  404  404  404  404", "their_flow.slug", "1"),
    api("campaigns", "POST", "close_flow_batch", EDITS, "flow.slug", "1", changes="FlowBatch"),
    api("campaigns", "POST", "close_flow", EDITS, "flow.slug", changes="Flow FlowBatch"),

    # Feedback loops.
    api("read", "GET", "list_feedback_loops", ALL),
    api("read", "GET", "get_feedback_loop", OURS, "loop.slug"),
    api("campaigns", "POST", "start_feedback_loop",  # of models that there are none of
        "401  401  403  422  422  422  404  404  422  422",
        body=told(project=P, name="another", gallery=["a", "b"], tune="a", prompts="p",
                  proof_prompts="q", aspects=["visual_appeal"])),
    api("campaigns", "POST", "do_feedback_step", MAKES.replace("201", "202"), "loop.slug", "1",
        body=told(verb="export"), changes="Job"),
    api("campaigns", "POST", "do_feedback_step",  # a round that there is not
        "401  401  403  404  404  404  404  404  404  404", "loop.slug", "2",
        body=told(verb="export")),

    # People.
    api("votes", "GET", "list_annotators", OURS, "open.slug"),
    api("campaigns", "POST", "exclude_annotator", EDITS, "open.slug", "ana",
        body=told(reason="asked to"), changes="Exclusion Enrolment"),
    api("campaigns", "POST", "reinstate_annotator",
        "401  401  403  409  409  409  404  404  409  409", "open.slug", "ana"),
    api("campaigns", "POST", "release_work", EDITS, "open.slug", "ana", changes="Enrolment"),
    # Annotators are of no project: who runs the site erases them.
    *[api("admin", "POST", "erase_annotator", "401  401  403  403  403  403  403  403  " + cells,
          body=told(annotator="ana", erase=erase), changes=changes)
      for cells, erase, changes in [("200  200", False, ""), ("200+ 200+", True, "Enrolment")]],
    api("campaigns", "GET", "list_invitations",
        "401  401  403  200  200  200  404  404  200  200", "invited.slug"),
    api("campaigns", "POST", "create_invitations", MAKES, "invited.slug", body=told(count=2),
        changes="Invitation"),
    api("campaigns", "POST", "revoke_invitations", EDITS, "invited.slug", body=told(numbers=None),
        changes="Invitation"),
    api("votes", "GET", "list_submissions",
        "401  401  403  200  200  200  404  404  200  200", "open.slug"),
    # Nobody has come from Prolific.
    *[api(scope, method, route, "401  401  403  422  422  422  404  404  422  422", "open.slug",
          body=body)
      for scope, method, route, body in [
          ("campaigns", "POST", "sync_campaign_submissions", None),
          ("campaigns", "POST", "settle_submissions",
           told(decisions=[{"submission": "1", "approve": True}]))]],

    # Generation.
    api("read", "GET", "list_generation", ALL),
    api("read", "GET", "get_generation", OURS, "request.name"),
    api("campaigns", "PATCH", "change_generation", EDITS, "request.name", body=told(priority=3),
        changes="GenerationRequest"),
    api("read", "GET", "list_batches", OURS, "request.name"),
    *[api("campaigns", "POST", f"{verb}_generation", EDITS, name, changes="GenerationRequest")
      for verb, name in [("pause", "request.name"), ("cancel", "request.name"),
                         ("resume", "paused.name")]],
    api("campaigns", "POST", "retry_generation", DOES, "request.name"),
    api("read", "GET", "list_workers", ALL),

    # Webhooks: for editors.
    api("admin", "GET", "list_webhooks", DOES, P),
    api("admin", "POST", "create_webhook",
        MAKES, P,
        body=told(url="https://8.8.8.8/hook", events=["campaign.opened"]),
        changes="WebhookEndpoint"),
    api("admin", "POST", "create_webhook",  # inside
        "401  401  403  422  422  422  404  404  422  422", P,
        body=told(url="https://169.254.169.254/", events=["campaign.opened"])),
    api("admin", "GET", "get_webhook", DOES, P, "webhook.pk"),
    api("admin", "GET", "get_webhook",  # of another project
        "401  401  403  404  404  404  404  404  404  404", P, "their_webhook.pk"),
    api("admin", "PATCH", "change_webhook", EDITS, P, "webhook.pk", body=told(is_active=False),
        changes="WebhookEndpoint"),
    api("admin", "DELETE", "delete_webhook", EDITS.replace("200", "204"), P, "webhook.pk",
        changes="WebhookEndpoint WebhookDelivery"),
    api("admin", "POST", "rotate_webhook_secret",
        MAKES, P, "webhook.pk",
        changes="WebhookEndpoint"),
    api("admin", "POST", "test_webhook",
        MAKES.replace("201", "202"), P, "webhook.pk",
        changes="WebhookDelivery"),
    api("admin", "GET", "list_deliveries", DOES, P, "webhook.pk"),
    api("admin", "POST", "redeliver_message", EDITS, P, "webhook.pk", "delivery.message_id",
        changes="WebhookDelivery"),
]  # fmt: skip
