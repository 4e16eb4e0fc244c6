"""The schema as OpenAPI 3.1: ninja's, with scopes, problems, and the tus routes."""

from functools import cache
from typing import Any

from evalplatform.api.api import api
from evalplatform.campaigns.criteria import PRESETS
from evalplatform.core.problems import CODES, PROBLEM

_TUS_HEADER = {
    "in": "header", "name": "Tus-Resumable", "required": True,
    "schema": {"type": "string", "const": "1.0.0"},
}  # fmt: skip
_UPLOAD = {
    "in": "path", "name": "identifier", "required": True,
    "schema": {"type": "string", "format": "uuid"},
}  # fmt: skip


@cache
def schema() -> dict[str, Any]:
    """Return the whole schema; it does not change while the site runs."""
    found: dict[str, Any] = dict(api.get_openapi_schema(path_prefix="/api/v1/"))
    components = found["components"]
    components["schemas"]["Problem"] = _problem()
    # What `runs.choices` takes besides what it keeps.
    components["schemas"]["DraftChoices"]["properties"]["preset"] = {
        "type": "string",
        "enum": list(PRESETS),
        "description": "Criteria that are shipped together, in place of `criteria`.",
    }
    components["responses"] = {
        "Problem": {
            "description": "What is wrong, as problem details (RFC 9457).",
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
        "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
    }
    for path in found["paths"].values():
        for operation in path.values():
            _finish(operation)
    found["paths"] |= _tus_paths()
    found["servers"] = [{"url": "/"}]
    found["tags"] = [{"name": name} for name in sorted(_tags(found))]
    return found


def _finish(operation: dict[str, Any]) -> None:
    scope = operation["x-scope"]
    operation["security"] = [{"token": [scope]}, {"session": []}]
    operation["description"] = f"{operation.get('description', '')}\n\nScope: `{scope}`.".strip()
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    operation["responses"] = {str(code): each for code, each in operation["responses"].items()}
    operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    for parameter in operation.get("parameters", []):
        parameter.get("schema", {}).pop("title", None)


def _tags(found: dict[str, Any]) -> set[str]:
    return {
        tag
        for path in found["paths"].values()
        for operation in path.values()
        for tag in operation.get("tags", [])
    }


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "title": "Problem",
        "description": "An error: what was given, what is accepted, what to do.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "detail": text,
            "code": {"type": "string", "enum": list(CODES)},
            "fields": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["name", "detail"],
                    "properties": {"name": text, "detail": text},
                },
            },
        },
    }  # fmt: skip


def _tus(name: str, what: str, status: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": name.replace("_", " ").capitalize(),
        "description": f"{what} (tus 1.0.0; errors are plain text).\n\nScope: `models`.",
        "tags": ["checkpoints"],
        "x-scope": "models",
        "x-tus": True,
        "security": [{"token": ["models"]}, {"session": []}],
        "parameters": [_TUS_HEADER, *more],
        "responses": {status: {"description": "Done."}, "default": {"description": "Refused."}},
    }


def _header(name: str, kind: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": True, "schema": {"type": kind}}


def _tus_paths() -> dict[str, Any]:
    """Return the routes of uploads, which speak tus and not JSON."""
    part = _tus(
        "send_part", "Send the next part", "204", _UPLOAD, _header("Upload-Offset", "integer")
    )
    part["requestBody"] = {
        "required": True,
        "content": {"application/offset+octet-stream": {"schema": {}}},
    }
    return {
        "/uploads/": {
            "post": _tus(
                "begin_upload", "Begin an upload", "201",
                _header("Upload-Length", "integer"), _header("Upload-Metadata", "string"),
            )
        },
        "/uploads/{identifier}/": {
            "head": _tus("upload_offset", "How much has arrived", "200", _UPLOAD),
            "patch": part,
            "delete": _tus("cancel_upload", "Forget an upload", "204", _UPLOAD),
        },
    }  # fmt: skip
