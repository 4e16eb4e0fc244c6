"""What every route answers to everybody, written out.

A cell is the status; "in" is the way to the sign-in page; a "+" says that the action was done: the
tables named beside the row have changed then, and in no other cell anything has.
"""

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.permissions.world import World

Args = Callable[[World], list[Any]]
TUS = {"Tus-Resumable": "1.0.0"}
BEGIN = TUS | {"Upload-Length": "4"}


def metadata(**told: str) -> str:
    """Return tus' Upload-Metadata."""
    return ",".join(f"{key} {base64.b64encode(told[key].encode()).decode()}" for key in told)


@dataclass(frozen=True)
class Case:
    """One request and what it is answered to each of `PEOPLE`, in their order."""

    route: str
    method: str
    people: str
    args: Args = lambda world: []
    query: str = ""
    body: Callable[[World], Any] = lambda world: {}
    headers: dict[str, str] = field(default_factory=dict)
    changes: frozenset[str] = frozenset()
    tokens: str = ""  # to each of TOKENS; nothing: tokens do not count there

    def __str__(self) -> str:
        return f"{self.method} {self.route}{self.query}"


def case(method: str, route: str, people: str, *args: str, **more: Any) -> Case:
    """A case whose address names rows of the world: "open.slug", or a plain value."""
    changes = frozenset(more.pop("changes", "").split())
    return Case(
        route, method, people, lambda world: [value(world, each) for each in args],
        changes=changes, **more,
    )  # fmt: skip


def value(world: World, path: str) -> Any:
    """Return what "open.slug" names in the world; what names nothing is a plain value."""
    name, _, attribute = path.partition(".")
    row = world.users.get(name[1:]) if name.startswith("@") else world.rows.get(name)
    return getattr(row, attribute) if row is not None and attribute else path


def post(**fields: str) -> Callable[[World], dict[str, Any]]:
    """A form whose values may name rows of the world."""
    return lambda world: {name: value(world, each) for name, each in fields.items()}


# fmt: off
#             a    n    v    e    E    o    s    m    r    u
ALL       = "200  200  200  200  200  200  200  200  200  200"
SIGNED_IN = "in   in   200  200  200  200  200  200  200  200"
# What belongs to the project of most people here.
OURS      = "in   in   200  200  200  200  404  404  200  200"
EDITS     = "in   in   403  302+ 302+ 302+ 404  404  302+ 302+"
OWNS      = "in   in   403  403  403  302+ 404  404  302+ 302+"
OWNERS    = "in   in   403  403  403  200  404  404  200  200"
OPERATORS = "in   in   403  403  403  403  403  403  200  200"
OPERATE   = "in   in   403  403  403  403  403  403  302+ 302+"
NOBODY    = "in   in   404  404  404  404  404  404  404  404"
SWITCH    = "in   in   302  302  302  302  404  404  302  302"
# What belongs to `theirs`, of which `s` is the owner, and is shared.
SHARED    = "in   in   200  200  200  200  200  200  200  200"
ITS_OWNER = "in   in   403  403  403  403  302+ 403  302+ 302+"
# What belongs to `theirs` and is not shared.
THEIRS    = "in   in   404  404  404  404  200  404  200  200"
API_ALL   = "401  401  200  200  200  200  200  200  200  200"
API_OURS  = "401  401  200  200  200  200  404  404  200  200"
#             v    e    o    s    r    x
T_ALL     = "200  200  200  200  200  401"
T_OURS    = "200  200  200  404  200  401"
EXPORTS = ("votes.csv", "results.json", "checks.csv", "groups.csv", "samples.csv", "withheld.csv",
           "dashboard.html")
SOMEBODY = str(uuid.UUID(int=7))

CASES: list[Case] = [
    # Everybody's.
    case("GET", "core:home", "302  302  302  302  302  302  302  302  302  302"),
    case("GET", "core:favicon", "302  302  302  302  302  302  302  302  302  302"),
    case("GET", "core:healthz", ALL),
    case("GET", "metrics", "404  404  404  404  404  404  404  404  404  404"),

    # Campaigns.
    case("GET", "reports:campaign_list", SIGNED_IN),
    *[case(method, "reports:dashboard", OURS, "open.slug") for method in ("GET", "HEAD")],
    case("GET", "reports:dashboard", OURS, "draft.slug"),
    case("GET", "reports:progress", OURS, "draft.slug"),
    case("GET", "reports:progress",
         "in   in   205  205  205  205  404  404  205  205", "open.slug"),
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
    case("POST", "reports:steer", EDITS.replace("+", " "), "open.slug",
         body=post(action="delete")),

    case("GET", "reports:invitations",
         "in   in   403  200  200  200  404  404  200  200", "invited.slug"),
    case("POST", "reports:invitations",
         "in   in   403  200+ 200+ 200+ 404  404  200+ 200+", "invited.slug",
         body=post(count="2"), changes="Invitation"),
    case("POST", "reports:revoke_invitations", EDITS, "invited.slug", body=post(number="all"),
         changes="Invitation"),

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

    case("GET", "projects:audit", OWNERS, "ours-project"),
    case("GET", "projects:audit_csv", OWNERS, "ours-project"),
    case("GET", "projects:audit_of_all", OPERATORS),
    case("GET", "projects:audit_of_all_csv", OPERATORS),

    # The registry.
    *[case(method, "registry:list", SIGNED_IN) for method in ("GET", "HEAD")],
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
    case("GET", "api:checkpoints", API_ALL, tokens=T_ALL),
    case("GET", "api:checkpoint", API_OURS, "checkpoint.name", tokens=T_OURS),
    case("GET", "api:checkpoint", API_ALL, "baseline.name", tokens=T_ALL),

    # One's own account.
    case("GET", "accounts:api_tokens", SIGNED_IN),
    case("POST", "accounts:api_tokens",
         "in   in   200+ 200+ 200+ 200+ 200+ 200+ 200+ 200+", body=post(label="mine"),
         changes="ApiToken"),
    case("POST", "accounts:revoke_api_token",
         "in   in   404  302+ 404  404  404  404  404  404", "token.pk", changes="ApiToken"),

    # The annotators' pages: whose cookie counts, and nobody's sign-in.
    case("GET", "annotation:work", ALL, "open.invitation"),
    case("GET", "annotation:work",
         "404  404  404  404  404  404  404  404  404  404", "draft.invitation"),
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
]
# fmt: on
