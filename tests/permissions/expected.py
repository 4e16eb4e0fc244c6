"""What every route answers to everybody, written out.

A cell is the status; "in" is the way to the sign-in page; a "+" says that the action was done: the
tables named beside the row have changed then, and in no other cell anything has.
"""

import base64
import uuid

from tests.permissions.cases import Case, case, post
from tests.permissions.expected_api import API_CASES

TUS = {"Tus-Resumable": "1.0.0"}
BEGIN = TUS | {"Upload-Length": "4"}


def metadata(**told: str) -> str:
    """Return tus' Upload-Metadata."""
    return ",".join(f"{key} {base64.b64encode(told[key].encode()).decode()}" for key in told)


# fmt: off
#             a    n    v    e    E    o    s    m    r    u
ALL       = "200  200  200  200  200  200  200  200  200  200"
SIGNED_IN = "in   in   200  200  200  200  200  200  200  200"
# What belongs to the project of most people here.
OURS      = "in   in   200  200  200  200  404  404  200  200"
EDITS     = "in   in   403  302+ 302+ 302+ 404  404  302+ 302+"
OWNS      = "in   in   403  403  403  302+ 404  404  302+ 302+"
OWNERS    = "in   in   403  403  403  200  404  404  200  200"
EDITORS   = "in   in   403  200  200  200  404  404  200  200"
OPERATORS = "in   in   403  403  403  403  403  403  200  200"
OPERATE   = "in   in   403  403  403  403  403  403  302+ 302+"
NOBODY    = "in   in   404  404  404  404  404  404  404  404"
SWITCH    = "in   in   302  302  302  302  404  404  302  302"
# What belongs to `theirs`, of which `s` is the owner, and is shared.
SHARED    = "in   in   200  200  200  200  200  200  200  200"
ITS_OWNER = "in   in   403  403  403  403  302+ 403  302+ 302+"
# What belongs to `theirs` and is not shared.
THEIRS    = "in   in   404  404  404  404  200  404  200  200"
API_OURS  = "401  401  200  200  200  200  404  404  200  200"
#             v    e    o    s    r    x
T_OURS    = "200  200  200  404  200  401"
EXPORTS = ("votes.csv", "results.json", "checks.csv", "groups.csv", "samples.csv", "withheld.csv",
           "dashboard.html")
SOMEBODY = str(uuid.UUID(int=7))

CASES: list[Case] = [
    # Everybody's.
    case("GET", "core:home", "302  302  302  302  302  302  302  302  302  302"),
    case("GET", "core:favicon", "302  302  302  302  302  302  302  302  302  302"),
    case("GET", "core:healthz", ALL),
    case("GET", "readyz", ALL),
    case("GET", "core:styleguide", SIGNED_IN),
    case("GET", "metrics", "404  404  404  404  404  404  404  404  404  404"),

    # Campaigns.
    case("GET", "reports:campaign_list", SIGNED_IN),
    case("GET", "reports:compare", SIGNED_IN),
    *[case(method, "reports:dashboard", OURS, "open.slug") for method in ("GET", "HEAD")],
    case("GET", "reports:dashboard", OURS, "draft.slug"),
    *[case("GET", f"reports:{tab}", OURS, f"{which}.slug")
      for tab in ("results", "figures", "images", "people", "quality", "protocol")
      for which in ("open", "draft")],
    case("GET", "reports:progress", OURS, "draft.slug"),
    case("GET", "reports:progress",
         "in   in   205  205  205  205  404  404  205  205", "open.slug"),
    case("GET", "reports:state", OURS, "open.slug"),
    case("GET", "reports:image_set", OURS, "open.slug", "open_set.pk"),
    case("GET", "reports:image_set", NOBODY, "invited.slug", "open_set.pk"),
    case("GET", "reports:person", OURS, "open.slug", "ana"),
    case("GET", "reports:person", NOBODY, "invited.slug", "ana"),
    case("POST", "reports:person", EDITS, "open.slug", "ana",
         body=post(action="exclude", reason="asked to leave"), changes="Enrolment Exclusion"),
    case("POST", "reports:person", EDITS.replace("+", " "), "open.slug", "ana",
         body=post(action="exclude", reason=" ")),
    case("GET", "reports:preview", OURS, "open.slug"),
    case("GET", "reports:preview_set", OURS, "open.slug", "0"),
    case("POST", "reports:preview_set",
         "in   in   302  302  302  302  404  404  302  302", "open.slug", "0"),
    case("GET", "reports:preview_image", OURS, "open.slug", "0", "0"),
    *[case("GET", "reports:export", OURS, "open.slug", kind) for kind in EXPORTS],
    case("GET", "reports:export", NOBODY, "open.slug", "secrets.csv"),
    case("GET", "plan_campaign", SIGNED_IN),
    case("GET", "plan_campaign", SIGNED_IN, query="?pilot=ours-open"),

    *[case("POST", "reports:steer", EDITS, "open.slug", body=post(action=action),
           changes="Campaign") for action in ("pause", "close")],
    case("POST", "reports:steer", EDITS, "paused_campaign.slug", body=post(action="resume"),
         changes="Campaign"),
    *[case("POST", "reports:steer", EDITS.replace("+", " "), "open.slug",
           body=post(action=action)) for action in ("delete", "let_through")],

    # Who may join an open campaign, and asking for one: `ours-late` is no arm yet.
    case("GET", "arms:add", OURS, "open.slug"),
    case("GET", "arms:add", OURS, "open.slug", query="?arm=ours-late"),
    case("GET", "arms:add", OURS, "draft.slug"),
    case("POST", "arms:add", EDITS, "open.slug", body=post(arm="latecomer.name"),
         changes="GenerationRequest Job"),
    case("POST", "arms:add", EDITS.replace("+", " "), "open.slug",
         body=post(arm="checkpoint.name")),
    case("POST", "arms:add", EDITS.replace("+", " "), "draft.slug",
         body=post(arm="latecomer.name")),

    case("GET", "reports:invitations",
         "in   in   403  200  200  200  404  404  200  200", "invited.slug"),
    case("POST", "reports:invitations",
         "in   in   403  200+ 200+ 200+ 404  404  200+ 200+", "invited.slug",
         body=post(count="2"), changes="Invitation"),
    case("POST", "reports:revoke_invitations", EDITS, "invited.slug", body=post(number="all"),
         changes="Invitation"),

    case("GET", "reports:pay", OURS, "open.slug"),
    case("GET", "reports:pay_csv", OURS, "open.slug"),
    case("GET", "reports:pay_csv", OWNERS, "open.slug", query="?ids"),

    # Drafts. Who is editor of no project has nowhere to make one.
    case("GET", "runs:new_campaign", "in   in   403  200  200  200  200  403  200  200"),
    case("POST", "runs:new_campaign", "in   in   403  302+ 302+ 302+ 302+ 403  302+ 302+",
         body=post(preset="emu", name="another"), changes="Draft DraftRevision"),
    case("GET", "runs:drafts", SIGNED_IN),
    case("POST", "runs:copy", EDITS, body=post(campaign="open.slug"),
         changes="Draft DraftRevision"),
    *[case(method, "runs:draft", OURS, "drafted.pk") for method in ("GET", "HEAD")],
    case("GET", "runs:draft", OURS, "launched.pk"),
    case("POST", "runs:draft", EDITS, "drafted.pk", body=post(preset="emu", name="another"),
         changes="Draft DraftRevision"),
    case("POST", "runs:launch", EDITS, "drafted.pk", body=post(version="1"),
         changes="Campaign Draft GenerationRequest"),
    case("POST", "runs:launch", EDITS.replace("+", " "), "drafted.pk", body=post(version="9")),
    case("POST", "runs:open", EDITS, "launched.pk", changes="Draft"),
    case("POST", "runs:open", EDITS.replace("+", " "), "drafted.pk"),
    case("POST", "runs:delete", EDITS, "drafted.pk", changes="Draft DraftRevision"),
    case("GET", "runs:download", OURS, "drafted.pk"),
    case("GET", "runs:preview", OURS, "drafted.pk", "0"),
    case("GET", "runs:preview", NOBODY, "drafted.pk", "9"),
    case("POST", "runs:preview",
         "in   in   302  302  302  302  404  404  302  302", "drafted.pk", "0"),

    # Exports.
    *[case(method, "exports:tab", OURS, "open.slug") for method in ("GET", "HEAD")],
    case("GET", "exports:tab", OURS, "draft.slug"),
    case("POST", "exports:ask", EDITS, "open.slug", body=post(kind="csv"), changes="Export"),
    case("POST", "exports:ask",  # what cannot be had
         "in   in   403  422  422  422  404  404  422  422", "open.slug", body=post(kind="exe")),
    case("GET", "exports:download", OURS, "open.slug", "export.public_id"),
    case("GET", "exports:download", NOBODY, "draft.slug", "export.public_id"),
    case("POST", "exports:remove", EDITS, "open.slug", "export.public_id", changes="Export"),

    # Projects.
    case("GET", "projects:projects", SIGNED_IN),
    case("POST", "projects:projects", OPERATE, body=post(name="new", owner="mona"),
         changes="Project Membership"),
    case("POST", "projects:switch", SWITCH, body=post(project="ours-project")),
    case("GET", "projects:project", OURS, "ours-project"),
    case("POST", "projects:member", OWNS, "ours-project", body=post(username="mona", role="viewer"),
         changes="Membership"),
    case("POST", "projects:member", OWNS, "ours-project", body=post(username="vera", role="owner"),
         changes="Membership"),
    case("POST", "projects:member", OWNS.replace("+", " "), "ours-project",  # the last owner
         body=post(username="oda", role="viewer")),
    case("POST", "projects:remove", OWNS, "ours-project", "@v.pk", changes="Membership"),
    case("POST", "projects:remove", OWNS.replace("+", " "), "ours-project", "@o.pk"),
    case("POST", "projects:remove",  # who is not in it
         "in   in   403  403  403  404  404  404  404  404", "ours-project", "@m.pk"),
    *[case("POST", "projects:share", OWNS, "ours-project",
           body=post(kind=kind, reference=reference, shared="1"), changes=changes)
      for kind, reference, changes in [
          ("checkpoint", "checkpoint.name", "Checkpoint"),
          ("collection", "collection.name", "ImageCollection"),
          ("prompt set", "ours-prompts@1", "PromptSet")]],
    case("POST", "projects:share", OWNS.replace("+", " "), "ours-project",  # what is another's
         body=post(kind="prompt set", reference="hidden@1", shared="1")),
    case("POST", "projects:delete", OWNS.replace("+", " "), "ours-project"),  # it is not empty
    case("POST", "projects:delete",
         "in   in   404  404  404  404  404  404  302+ 302+", "empty", changes=
         "Project Membership"),

    case("GET", "webhooks:list", EDITORS, "ours-project"),
    case("POST", "webhooks:list", EDITORS.replace("200", "200+"), "ours-project",
         body=post(url="https://8.8.8.8/hook", events="campaign.opened"),
         changes="WebhookEndpoint"),
    case("POST", "webhooks:list", EDITORS.replace("200", "422"), "ours-project",  # inside
         body=post(url="https://10.0.0.1/", events="campaign.opened")),
    case("GET", "webhooks:webhook", EDITORS, "ours-project", "webhook.pk"),
    case("GET", "webhooks:webhook", EDITORS.replace("200", "404"), "ours-project",
         "their_webhook.pk"),
    *[case("POST", "webhooks:change", EDITS, "ours-project", "webhook.pk",
           body=post(action=action), changes=changes)
      for action, changes in [("pause", "WebhookEndpoint"), ("test", "WebhookDelivery"),
                              ("delete", "WebhookEndpoint WebhookDelivery")]],
    case("POST", "webhooks:change", EDITORS.replace("200", "200+"), "ours-project", "webhook.pk",
         body=post(action="secret"), changes="WebhookEndpoint"),
    case("POST", "webhooks:redeliver", EDITS, "ours-project", "webhook.pk", "delivery.message_id",
         changes="WebhookDelivery"),
    case("GET", "projects:audit", OWNERS, "ours-project"),
    case("GET", "projects:audit_csv", OWNERS, "ours-project"),
    case("GET", "projects:audit_of_all", OPERATORS),
    case("GET", "projects:audit_of_all_csv", OPERATORS),

    # The registry.
    *[case(method, "registry:list", SIGNED_IN) for method in ("GET", "HEAD")],
    case("GET", "registry:list", SIGNED_IN,
         query="?model=checkpoint:baseline&model=collection:shared-images"),
    case("GET", "registry:checkpoint", OURS, "checkpoint.name"),
    case("GET", "registry:checkpoint", SHARED, "baseline.name"),
    case("GET", "registry:samples", OURS, "checkpoint.name"),
    case("GET", "registry:samples", SHARED, "baseline.name"),
    case("GET", "registry:sample", OURS, "sample.pk"),
    case("GET", "registry:sample_thumbnail", OURS, "sample.pk"),
    case("GET", "registry:sample", SHARED, "shared_sample.pk"),
    # Of a shared checkpoint, but of a prompt that is not.
    case("GET", "registry:sample", THEIRS, "hidden_sample.pk"),
    case("GET", "registry:sample_thumbnail", THEIRS, "hidden_sample.pk"),
    case("POST", "registry:retire", EDITS, "checkpoint.name", changes="Checkpoint"),
    case("POST", "registry:retire", ITS_OWNER, "baseline.name", changes="Checkpoint"),
    case("POST", "registry:restore", EDITS, "retired.name", changes="Checkpoint"),
    case("GET", "registry:collection", OURS, "collection.name"),
    case("GET", "registry:collection", SHARED, "shared_collection.name"),
    case("GET", "registry:collection_images", OURS, "collection.name"),
    case("GET", "registry:collected", OURS, "collected.pk"),
    case("GET", "registry:collected_thumbnail", OURS, "collected.pk"),
    case("POST", "registry:retire_collection", EDITS, "collection.name",
         changes="ImageCollection"),
    case("POST", "registry:retire_collection", ITS_OWNER, "shared_collection.name",
         changes="ImageCollection"),
    case("POST", "registry:restore_collection", EDITS, "retired_collection.name",
         changes="ImageCollection"),

    # Home and the leaderboard.
    case("GET", "overview:home", SIGNED_IN),
    case("GET", "leaderboard:leaderboard", SIGNED_IN),
    case("GET", "leaderboard:leaderboard", SIGNED_IN, query="?board=x&without=y&category=z"),

    # Prompt sets.
    *[case(method, "prompts:list", SIGNED_IN) for method in ("GET", "HEAD")],
    case("GET", "curation:list", SIGNED_IN),
    case("POST", "curation:steer", EDITS, "scoring.name", body=post(action="pause"),
         changes="ScoringRequest"),
    case("GET", "asked_pools:list", SIGNED_IN),
    case("POST", "asked_pools:list", EDITS, body=post(job="pool_job.public_id", call_off=""),
         changes="Job"),
    case("POST", "asked_pools:list",  # the one that is on its way
         EDITS.replace("+", " "), body=post(job="pool_job.public_id")),
    case("GET", "asked_pools:new", SIGNED_IN),
    case("POST", "asked_pools:new", EDITS, changes="Job",
         body=post(project="ours-project", name="new-pool", checkpoint="baseline",
                   prompt_set="ours-prompts@1", seeds="1", steps="25", guidance="4")),
    case("GET", "curation:pool", OURS, "pool.name"),
    case("POST", "curation:open", EDITS.replace("302+", "400 "), "pool.name"),  # no stage chosen
    case("POST", "curation:close", EDITS.replace("+", " "), "pool.name", "style"),  # not open

    case("GET", "feedback:list", SIGNED_IN),
    case("GET", "feedback:loop", OURS, "loop.slug"),
    case("GET", "feedback:reward", OURS, "reward.name"),
    case("POST", "feedback:beside", EDITS, "open.slug",
         body=post(reward="reward.name", action="show"), changes="CampaignReward ScoreRequest"),
    case("POST", "feedback:beside", EDITS.replace("+", " "), "open.slug",
         body=post(reward="reward.name", action="hide")),  # not shown
    case("GET", "flows:list", SIGNED_IN),
    case("GET", "flows:flow", OURS, "flow.slug"),
    case("GET", "flows:flow", THEIRS, "their_flow.slug"),
    case("POST", "flows:close", EDITS, "flow.slug", changes="Flow FlowBatch"),
    case("GET", "flow:come", ALL, "flow.invitation"),
    case("POST", "flow:begin",
         "302+ 302+ 302+ 302+ 302+ 302+ 302+ 302+ 302+ 302+", "flow.invitation",
         changes="FlowConsent"),
    case("GET", "prompts:set", OURS, "ours-prompts", "1"),
    case("GET", "prompts:set", OURS, "ours-prompts", "1", query="?find=a&category=-&tag=stylized"),
    case("GET", "prompts:set", SHARED, "open-prompts", "1"),
    case("GET", "prompts:set", THEIRS, "hidden", "1"),
    case("GET", "prompts:download", OURS, "ours-prompts", "1"),
    case("GET", "prompts:download", THEIRS, "hidden", "1"),
    case("POST", "prompts:tag", EDITS, "ours-prompts", "1",
         body=post(action="give", tag="new", position="0"), changes="PromptSet"),
    case("POST", "prompts:tag", EDITS.replace("+", " "), "ours-prompts", "1",
         body=post(action="rule")),
    case("POST", "prompts:tag", ITS_OWNER, "open-prompts", "1",
         body=post(action="give", tag="new", position="0"), changes="PromptSet"),
    case("GET", "prompts:upload", SIGNED_IN),
    case("POST", "prompts:upload",  # without a file
         "in   in   403  200  200  200  404  404  200  200", body=post(project="ours-project")),
    # A file that is looked at is whose who brought it.
    case("GET", "prompts:look",
         "in   in   404  200  404  404  404  404  404  404", "prompt_upload.pk"),
    case("POST", "prompts:look",
         "in   in   404  302+ 404  404  404  404  404  404", "prompt_upload.pk",
         body=post(action="import", name="brought"), changes="PromptSet PromptUpload"),
    case("GET", "prompts:logs", SIGNED_IN),
    case("POST", "prompts:logs",  # without a file
         "in   in   403  200  200  200  404  404  200  200", body=post(project="ours-project")),
    case("POST", "prompts:logs",
         "in   in   403  302+ 200  200  404  404  302+ 302+",
         body=post(project="ours-project", sent="sent_log.pk"), changes="LogBuild SentFile"),
    # What people wrote, as they wrote it: for editors alone.
    case("GET", "prompts:log", EDITORS, "log_build.pk"),
    case("POST", "prompts:log", EDITORS.replace("200", "422"), "log_build.pk",
         body=post(action="build")),
    case("POST", "prompts:log", EDITS, "log_build.pk", body=post(action="forget"),
         changes="LogBuild"),
    case("GET", "prompts:dropped", EDITORS, "log_build.pk"),

    # Generation.
    case("GET", "generation:overview", SIGNED_IN),
    case("GET", "generation:overview", SIGNED_IN, query="?part"),
    *[case("POST", "generation:steer", EDITS, "request.name", body=post(action=action),
           changes="GenerationRequest") for action in ("pause", "cancel", "sooner", "later")],
    case("POST", "generation:steer", EDITS, "paused.name", body=post(action="resume"),
         changes="GenerationRequest"),
    case("POST", "generation:steer", EDITS.replace("+", " "), "request.name",
         body=post(action="retry")),

    # Uploads, by tus: each editor's own.
    case("OPTIONS", "checkpoints:uploads",
         "401  401  204  204  204  204  204  204  204  204",
         tokens="204  204  204  204  204  401"),
    case("POST", "checkpoints:uploads",
         "401  401  403  201+ 201+ 201+ 404  404  201+ 201+",
         headers=BEGIN | {"Upload-Metadata": metadata(filename="new.zip", project="ours-project")},
         changes="Upload received",
         tokens="403  201+ 201+ 404  201+ 401"),
    case("POST", "checkpoints:uploads",  # to the only project where they may
         "401  401  403  201+ 201+ 201+ 201+ 403  400  400",
         headers=BEGIN | {"Upload-Metadata": metadata(filename="new.zip")},
         changes="Upload received",
         tokens="403  201+ 201+ 201+ 400  401"),
    case("HEAD", "checkpoints:upload", API_OURS, "upload.pk", headers=TUS, tokens=T_OURS),
    case("PATCH", "checkpoints:upload",
         "401  401  403  204+ 403  403  404  404  204+ 204+", "upload.pk",
         headers=TUS | {"Upload-Offset": "0"}, body=lambda world: b"ab", changes="received",
         tokens="403  204+ 403  404  204+ 401"),
    case("DELETE", "checkpoints:upload",
         "401  401  403  204+ 403  204+ 404  404  204+ 204+", "upload.pk",
         headers=TUS, changes="Upload received",
         tokens="403  204+ 204+ 404  204+ 401"),
    case("GET", "checkpoints:upload_status", API_OURS, "upload.pk", tokens=T_OURS),

    # Files for a log or an import, by tus: each editor's own.
    case("OPTIONS", "uploads:files",
         "401  401  204  204  204  204  204  204  204  204",
         tokens="204  204  204  204  204  401"),
    case("POST", "uploads:files",
         "401  401  403  201+ 201+ 201+ 404  404  201+ 201+",
         headers=BEGIN | {"Upload-Metadata": metadata(filename="a/0.png", project="ours-project")},
         changes="SentFile received",
         tokens="403  201+ 201+ 404  201+ 401"),
    case("HEAD", "uploads:file", API_OURS, "sent_part.pk", headers=TUS, tokens=T_OURS),
    case("PATCH", "uploads:file",
         "401  401  403  204+ 403  403  404  404  204+ 204+", "sent_part.pk",
         headers=TUS | {"Upload-Offset": "0"}, body=lambda world: b"ab", changes="received",
         tokens="403  204+ 403  404  204+ 401"),
    case("DELETE", "uploads:file",
         "401  401  403  204+ 403  403  404  404  204+ 204+", "sent_part.pk",
         headers=TUS, changes="SentFile", tokens="403  204+ 403  404  204+ 401"),

    # Imports of images that were sent.
    case("GET", "registry:imports", SIGNED_IN),
    case("POST", "registry:imports",  # without a file
         "in   in   403  422  422  422  404  404  422  422", body=post(project="ours-project")),
    case("POST", "registry:imports",  # another's files are not known
         "in   in   403  302+ 200  200  404  404  302+ 302+",
         body=post(project="ours-project", name="new-images", model="m", sent="sent_image.pk"),
         changes="ImageImport SentFile"),
    case("GET", "registry:import", EDITORS, "image_import.pk"),
    case("POST", "registry:import", EDITS, "image_import.pk", body=post(action="forget"),
         changes="ImageImport"),
    case("POST", "registry:import", EDITS, "image_import.pk",
         body=post(action="again", name="ours-sent", model="m2"), changes="ImageImport"),

    # One's own account.
    case("GET", "accounts:api_tokens", SIGNED_IN),
    case("POST", "accounts:api_tokens",
         "in   in   200+ 200+ 200+ 200+ 200+ 200+ 200+ 200+",
         body=post(label="mine", scopes="read"), changes="ApiToken"),
    case("POST", "accounts:revoke_api_token",
         "in   in   404  302+ 404  404  404  404  404  404", "token.pk", changes="ApiToken"),

    # The annotators' pages: whose cookie counts, and nobody's sign-in.
    case("GET", "annotation:work", ALL, "open.invitation"),
    case("GET", "annotation:work",
         "404  404  404  404  404  404  404  404  404  404", "draft.invitation"),
    case("POST", "annotation:language",
         "302  302  302  302  302  302  302  302  302  302"),
    case("POST", "annotation:begin",
         "302+ 302  302+ 302+ 302+ 302+ 302+ 302+ 302+ 302+", "open.invitation",
         changes="Enrolment"),
    case("GET", "annotation:next",
         "404  200  404  404  404  404  404  404  404  404", "open.invitation"),
    case("POST", "annotation:vote",
         "404  302+ 404  404  404  404  404  404  404  404", "open.invitation",
         body=post(assignment="slot.public_id", answer="left", idempotency_key=SOMEBODY,
                   response_time_ms="900"), changes="Vote"),
    case("POST", "annotation:skip",
         "404  302+ 404  404  404  404  404  404  404  404", "open.invitation",
         body=post(assignment="slot.public_id", reason="cannot_judge"), changes="Release"),
    case("POST", "annotation:comprehension",
         "404  302  404  404  404  404  404  404  404  404", "open.invitation"),
    case("POST", "annotation:undo",
         "404  302  404  404  404  404  404  404  404  404", "open.invitation"),
    case("POST", "annotation:questionnaire",
         "404  302  404  404  404  404  404  404  404  404", "open.invitation"),
    case("GET", "annotation:elsewhere",
         "302  200  302  302  302  302  302  302  302  302", "open.invitation"),
    # Another machine's, signed; without a secret there is no such page.
    case("POST", "crowd:prolific_webhook",
         "404  404  404  404  404  404  404  404  404  404"),
    case("GET", "annotation:image",
         "404  200  404  404  404  404  404  404  404  404", "slot.public_id", "0"),
    case("GET", "annotation:example",
         "404  404  404  404  404  404  404  404  404  404", "slot.public_id", "0"),

    # What describes the API.
    case("GET", "api:openapi", ALL),
    case("GET", "api:reference", ALL),
    *API_CASES,
]
# fmt: on
