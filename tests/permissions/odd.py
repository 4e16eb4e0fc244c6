"""Requests that no page of ours makes: those that `expected` writes out, changed at random."""

import json
import random
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from django.apps import apps
from django.urls import reverse

from tests.permissions.expected import CASES
from tests.permissions.test_matrix import SIGNING_IN, routes
from tests.permissions.world import World

ODD_TEXTS = [
    "", " ", "\0", "a\0b", "\x1b[2J", "\u2028", "\u202e", "é", "∞", "中" * 300, "😀", "\ufeff",
    "x" * 300,
    "x" * 5_000, "9" * 5_000, "-1", "0", "1", str(2**31), str(2**63), str(2**64), "1e999",
    "nan", "-0",
    "0x10", "1_000", "١٢", "null", "true", "[]", "{}", "../../etc/passwd", "..", "%s", "%00",
    "{{7*7}}",
    "' OR 1=1 --", "<script>alert(1)</script>", "https://elsewhere.example/",
    "//elsewhere.example",
    "javascript:alert(1)", "{{%PROLIFIC_PID%}}", "0c6c1f0e-64a5-4a5e-9d43-9f0a8d1b7d11",
    "a@b.example",
    "2026-02-30", "2026-11-28T10:00:00+99:99", "left", "ours-open", "hidden@1", "ana",
]  # fmt: skip
ODD_BYTES = [b"\xff\xfe", b"\xed\xa0\x80", b"%", b"%zz", b"\xc0\xaf", b"\r\nSet-Cookie: a=b"]
ODD_HEADERS = {
    "Accept": ["", "application/json", "text/html;q=0", ";;q=x", "*/*," * 300, "\xff", "a/b/c"],
    "Accept-Language": ["", "de", "x" * 2_000, "en;q=nan", "*,;q=", "zh-Hant-TW-x-y-z" * 40],
    "Accept-Encoding": ["", "gzip;q=0, *;q=0", "br"],
    "Authorization": ["Bearer", "Bearer \0", "Bearer " + "x" * 5_000, "Basic Og==", "Bearer é",
    "x"],
    "Cookie": ["", "sessionid=" + "x" * 3_000, "annotator=a:b:c", "csrftoken=\0", "=;=;",
    "a" * 5_000],
    "Content-Type": ["", "application/json", "text/plain; charset=utf-7", "multipart/form-data",
                     "multipart/form-data; boundary=",
                     "application/x-www-form-urlencoded; charset=\x01",
                     "application/offset+octet-stream", "x"],
    "If-Modified-Since": ["x", "Thu, 01 Jan 1970 00:00:00 GMT", "9" * 400],
    "If-None-Match": ["*", '"x"', '"' * 100],
    "Range": ["bytes=0-", "bytes=-1", "bytes=9-1", "bytes=x", "bytes=" + "0-1," * 400],
    "Referer": ["", "https://elsewhere.example/\xff", "x" * 3_000],
    "Origin": ["null", "https://elsewhere.example", "x"],
    "Tus-Resumable": ["", "0.0.1", "1.0.0", "\0"],
    "Upload-Length": ["", "0", "-1", "9" * 30, "x", "1e3", "٣"],
    "Upload-Offset": ["", "-1", "9" * 30, "x", "1"],
    "Upload-Metadata": ["", "filename", "filename !", "filename AA==,filename AA==",
    "filename /w==",
                        "filename " + "QQ" * 3_000, "filename bS56aXA=,project AA==,name 7aCA"],
    "X-Requested-With": ["XMLHttpRequest"],
    "X-Forwarded-For": ["", "x", "1.2.3.4, " * 200, "::1%eth0", "\xff"],
    "X-Forwarded-Proto": ["https", "x"],
    "X-Prolific-Request-Signature": ["", "x", "é" * 40],
    "X-Prolific-Request-Timestamp": ["", "x", "9" * 30],
}  # fmt: skip
QUERY = [
    "key", "want", "next", "project", "page", "q", "status", "sort", "order", "o", "p", "all",
    "part",
    "pilot", "effect", "annotators", "votes", "for", "PROLIFIC_PID", "STUDY_ID", "SESSION_ID",
    "lang",
    "place", "before", "after", "actor", "action", "e", "_to_field", "_popup", "id__exact",
    "invitation",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
# Arguments of routes that are written as regular expressions.
ARGUMENTS = {
    "account_reset_password_from_key": {"uidb36": "1", "key": "x-y"},
    "openid_connect_login": {"provider_id": "sso"},
    "openid_connect_callback": {"provider_id": "sso"},
}
FIELDS = [
    "login", "password", "password1", "password2", "oldpassword", "code", "email", "remember",
    "next",
    "username", "role", "action", "name", "label", "answer", "assignment", "reason", "remarks",
    "idempotency_key", "response_time_ms", "viewport_width", "pixel_ratio", "zoomed", "want",
    "count",
    "days", "number", "labels", "kind", "reference", "shared", "project", "owner",
    "_selected_action",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is about to be sent; the body as fields, or as bytes."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any
    headers: dict[str, str]

    def __str__(self) -> str:
        parts = [self.method, self.path[:90], str(self.query)[:90], str(self.body)[:120]]
        return " ".join([*parts, str(self.headers)[:160]])


def of_matrix(world: World) -> list[Request]:
    """Return one request for every case of the matrix."""
    return [
        Request(
            each.method, reverse(each.route, args=each.args(world)),
            [("pilot", "ours-open")] if each.query.startswith("?pilot") else [],
            each.body(world), each.headers,
        )
        for each in CASES
    ]  # fmt: skip


def of_accounts() -> list[Request]:
    """Return a request for every page of signing in."""
    found = []
    for name, arguments in routes().items():
        if name.startswith(SIGNING_IN):
            given = ARGUMENTS.get(name, dict.fromkeys(arguments, "1"))
            for method in ("GET", "POST"):
                found.append(Request(method, reverse(name, kwargs=given), [], {}, {}))
    return found


def of_admin() -> list[Request]:
    """Return the requests for every page of the admin."""
    found = [
        Request("GET", f"/admin/{path}", [], {}, {}) for path in ("", "login/", "jsi18n/", "x/")
    ]
    for model in apps.get_models():
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        first = model._default_manager.values_list("pk", flat=True).first()
        for path in ("", "add/", f"{first}/change/", f"{first}/delete/", f"{first}/history/"):
            found.append(Request("GET", base + path, [], {}, {}))
            found.append(Request("POST", base + path, [], {"action": "delete_selected"}, {}))
    return found


# ---- ways to change a request -------------------------------------------------------------------


def odd(rng: random.Random) -> str:
    return rng.choice(ODD_TEXTS)


def another_address(rng: random.Random, request: Request) -> Request:
    parts = request.path.strip("/").split("/")
    at = rng.randrange(len(parts))
    raw = rng.choice(ODD_BYTES) if rng.random() < 0.2 else odd(rng)[:2_000].encode()
    given = quote(raw, safe="") if rng.random() < 0.9 else quote(raw)
    change = rng.choice(["replace", "insert", "append"])
    if change == "replace":
        parts[at] = given
    elif change == "insert":
        parts.insert(at, given)
    else:
        parts[at] += given
    return replace(request, path="/" + "/".join(parts) + rng.choice(["/", "/", "/", ""]))


def another_query(rng: random.Random, request: Request) -> Request:
    more = [(rng.choice([*QUERY, odd(rng)]), odd(rng)) for _ in range(rng.choice([1, 1, 2, 5]))]
    return replace(request, query=request.query + more)


def another_field(rng: random.Random, request: Request) -> Request:
    if request.method in ("GET", "HEAD"):
        return another_query(rng, request)
    if not isinstance(request.body, dict):
        return replace(request, body=odd(rng).encode())
    fields: dict[str, Any] = dict(request.body)
    name = rng.choice([*(list(fields) or FIELDS), *rng.sample(FIELDS, 3)])
    change = rng.choice(["odd", "odd", "odd", "away", "twice", "more"])
    if change == "odd":
        fields[name] = odd(rng)
    elif change == "away":
        fields.pop(name, None)
    elif change == "twice":
        fields[name] = [fields.get(name, "1"), odd(rng)]
    else:
        fields |= {each: odd(rng) for each in rng.sample(FIELDS, 5)}
    return replace(request, body=fields)


def another_header(rng: random.Random, request: Request) -> Request:
    name = rng.choice(list(ODD_HEADERS))
    return replace(request, headers=request.headers | {name: rng.choice(ODD_HEADERS[name])})


def another_body(rng: random.Random, request: Request) -> Request:
    body = rng.choice(
        [
            b"", b"\0", b"&&&===", b"answer=%", b"a=%ED%A0%80", b"\xff" * 100, b"{", b"[]" * 500,
            b'{"id": "1", "event_type": "submission.status.change"}', b"[" * 3_000,
            json.dumps({"a": "\0"}).encode(), b"--x\r\n\r\n\r\n--x--",
            urlencode({"a": "9" * 5_000}).encode(),
            b"&".join(b"f%d=1" % n for n in range(1_500)), b"remarks=" + b"x" * 2_700_000,
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="\xff\0"\r\n\r\nz\r\n--x--',
        ]
    )  # fmt: skip
    content = rng.choice(
        ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json",
         "application/x-www-form-urlencoded; charset=utf-7", "application/offset+octet-stream",
         ""]
    )  # fmt: skip
    headers = request.headers | {"Content-Type": content}
    return replace(request, body=body, headers=headers)


def another_method(rng: random.Random, request: Request) -> Request:
    return replace(request, method=rng.choice(METHODS))


# The more of a request stays as it was, the further it gets.
WAYS = {
    another_query: 4, another_field: 6, another_header: 4, another_body: 2, another_address: 2,
    another_method: 1,
}  # fmt: skip


def changed(rng: random.Random, request: Request) -> Request:
    """Return it with one to three changes."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        request = rng.choices(list(WAYS), list(WAYS.values()))[0](rng, request)
    return request
