"""The schema as the reference page shows it: operations by kind of thing, with their fields."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from evalplatform.api.client_code import type_of
from evalplatform.api.openapi import schema


@dataclass(frozen=True)
class ReadField:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True)
class ReadOperation:
    """One operation."""

    name: str
    method: str
    path: str
    scope: str
    about: str
    parameters: list[ReadField]
    body: str
    body_fields: list[ReadField]
    answer: str
    answer_fields: list[ReadField]
    curl: str


@cache
def operations_by_tag() -> dict[str, list[ReadOperation]]:
    """Return every operation, by kind of thing, in the order of the schema."""
    found: dict[str, list[ReadOperation]] = {}
    for path, operations in schema()["paths"].items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append(_read(path, method, operation))
    return dict(sorted(found.items()))


def _read(path: str, method: str, told: dict[str, Any]) -> ReadOperation:
    body = _content(told.get("requestBody", {}))
    success = next(each for code, each in told["responses"].items() if code != "default")
    answer = _content(success)
    return ReadOperation(
        name=told["operationId"], method=method.upper(), path=path, scope=told["x-scope"],
        about=told["description"].rpartition("Scope:")[0].strip(),
        parameters=[
            ReadField(
                each["name"], type_of(each["schema"]), bool(each.get("required")),
                f"{each['in']}. {each.get('description', '')}".strip(),
            )
            for each in told.get("parameters", [])
        ],
        body=type_of(body) if body else "", body_fields=_fields(body),
        answer=type_of(answer) if answer else "", answer_fields=_fields(answer),
        curl=_curl(path, method, body),
    )  # fmt: skip


def _content(told: dict[str, Any]) -> dict[str, Any]:
    for kind, each in told.get("content", {}).items():
        if kind != "application/problem+json":
            found: dict[str, Any] = each.get("schema", {})
            return found
    return {}


def _resolved(told: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in told:
        told = schema()["components"]["schemas"][told["$ref"].rpartition("/")[2]]
    return told


def _fields(told: dict[str, Any]) -> list[ReadField]:
    """Return the fields of an object; of a page, those of its entries."""
    told = _resolved(told)
    known = told.get("properties", {})
    if set(known) == {"items", "next"}:
        told = _resolved(known["items"].get("items", {}))
        known = told.get("properties", {})
    required = set(told.get("required", ()))
    return [
        ReadField(name, type_of(each), name in required, each.get("description", ""))
        for name, each in known.items()
    ]


def _curl(path: str, method: str, body: dict[str, Any]) -> str:
    parts = ["curl", "-H", '"Authorization: Bearer $TOKEN"']
    if method != "get":
        parts += ["-X", method.upper()]
    known = _resolved(body)
    if "$ref" in body:
        required = known.get("required", [])
        example = {name: _example(known["properties"][name]) for name in required}
        parts += ["--json", f"'{json.dumps(example)}'"]
    address = path.replace("{", "$").replace("}", "")
    return " ".join([*parts, f'"$SITE{address}"'])


def _example(told: dict[str, Any]) -> Any:
    told = _resolved(told)
    if "enum" in told:
        return told["enum"][0]
    if "anyOf" in told:
        return _example(told["anyOf"][0])
    kind = told.get("type")
    if kind == "array":
        return [_example(told.get("items", {}))]
    return {"integer": 1, "number": 0.5, "boolean": True, "object": {}}.get(str(kind), "…")
