"""The Python client's generated half, made of the schema: types, and one method an operation."""

import keyword
import re
import textwrap
from typing import Any

Schema = dict[str, Any]
_HEAD = '''"""Made of the API's schema by `manage.py write_api_client`; not edited by hand."""

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
'''
_CLASS = '''class Client(Transport):
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
'''
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_PAGE = re.compile(r"Page_(\w+)_$")


def client_code(schema: Schema) -> str:
    """Return the text of the generated module."""
    named = schema["components"]["schemas"]
    parts = [_HEAD]
    for name, each in sorted(named.items()):
        if not _PAGE.match(name) and name not in ("Problem", "Paging"):
            parts.append(_type(name, each))
    parts.append(_CLASS)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if not operation.get("x-tus"):
                parts.append(_method(path, method, operation))
    return "\n\n".join(part.rstrip() + "\n" for part in parts)


def _type(name: str, schema: Schema) -> str:
    """Return a TypedDict, or an alias of what is no object."""
    if "properties" not in schema:
        return f"{name} = {type_of(schema)}\n"
    required = set(schema.get("required", ()))
    lines = [f"class {name}(TypedDict):", _docstring(schema.get("description", name), 4), ""]
    for field, each in schema["properties"].items():
        kind = type_of(each)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
    return "\n".join(lines) + "\n"


def type_of(schema: Schema) -> str:
    """Return the annotation of a schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        page = _PAGE.match(name)
        return f"Page[{page[1]}]" if page else name
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    for joined in ("anyOf", "oneOf", "allOf"):
        if joined in schema:
            return " | ".join(dict.fromkeys(type_of(each) for each in schema[joined]))
    kind = schema.get("type")
    if kind == "array":
        return f"list[{type_of(schema.get('items', {}))}]"
    if kind == "object":
        more = schema.get("additionalProperties")
        return f"dict[str, {type_of(more) if isinstance(more, dict) else 'Any'}]"
    return _PLAIN.get(str(kind), "Any")


def _method(path: str, method: str, operation: Schema) -> str:
    name = operation["operationId"]
    parameters = operation.get("parameters", [])
    in_path = [each["name"] for each in parameters if each["in"] == "path"]
    in_query = [each for each in parameters if each["in"] == "query"]
    headers = {each["name"] for each in parameters if each["in"] == "header"}
    content = operation.get("requestBody", {}).get("content", {})
    kinds = {each["name"]: type_of(each["schema"]) for each in parameters}
    arguments = ["self", *(f"{_safe(each)}: {kinds[each]}" for each in in_path)]
    sent = ["json=None"]
    if "application/json" in content:
        arguments.append(f"body: {type_of(content['application/json']['schema'])}")
        sent = ["json=body"]
    named = [_query_argument(each) for each in in_query]
    if "multipart/form-data" in content:
        fields = content["multipart/form-data"]["schema"]
        arguments.append("file: Path")
        named += _form_arguments(fields)
        told = ", ".join(f'"{each}": {each}' for each in fields["properties"] if each != "file")
        sent = [f"form={{{told}}}, file=file"]
    if "application/octet-stream" in content:
        arguments.append("content: bytes")
        sent = ["content=content"]
    if in_query:
        told = ", ".join(f'"{each["name"]}": {_safe(each["name"])}' for each in in_query)
        sent.append(f"query={{{told}}}")
    if "Idempotency-Key" in headers:
        named.append("idempotency_key: str | None = None")
        sent.append('key=idempotency_key or ""')
    if "If-Match" in headers:
        named.append("if_match: str | None = None")
        sent.append("if_match=if_match")
    answer, call = _answer(operation)
    if call in ("save", "keep"):
        arguments.append("to: Path")
        sent[0] = "to"
    address = re.sub(r"{(\w+)}", lambda found: f"{{self.quoted({_safe(found[1])})}}", path)
    prefix = "f" if in_path else ""
    listed = ", ".join([*arguments, *(["*", *named] if named else [])])
    made = f'self.{call}("{method.upper()}", {prefix}"{address}", {", ".join(sent)})'
    body = [made] if answer == "None" else [f"found: {answer} = {made}", "return found"]
    lines = [
        f"def {_safe(name)}({listed}) -> {answer}:",
        _docstring(operation["description"], 4),
        *(f"    {each}" for each in body),
    ]
    return textwrap.indent("\n".join(lines), "    ") + "\n"


def _query_argument(parameter: Schema) -> str:
    name, kind = _safe(parameter["name"]), type_of(parameter["schema"])
    return f"{name}: {kind}" if parameter.get("required") else f"{name}: {_optional(kind)} = None"


def _form_arguments(fields: Schema) -> list[str]:
    required = set(fields.get("required", ()))
    return [
        f"{name}: {type_of(each)}" if name in required
        else f"{name}: {_optional(type_of(each))} = None"
        for name, each in fields["properties"].items()
        if name != "file"
    ]  # fmt: skip


def _optional(kind: str) -> str:
    return kind if kind.endswith("None") else f"{kind} | None"


# Neither its length nor its hash is known before.
_MADE_AS_SENT = {"application/x-tar", "text/html"}


def _answer(operation: Schema) -> tuple[str, str]:
    """Return the type of a success, and the transport's method that gives it."""
    status, found = next(
        (code, each) for code, each in operation["responses"].items() if code != "default"
    )
    content = found.get("content", {})
    if "application/x-ndjson" in content:
        return "Iterator[dict[str, Any]]", "lines"
    if "application/zip" in content:
        return "Path", "save"
    if _MADE_AS_SENT & content.keys():
        return "Path", "keep"
    if status == "204" or "application/json" not in content:
        return "None", "call"
    return type_of(content["application/json"]["schema"]), "call"


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in ("self", "body", "file") else name


def _docstring(text: str, indent: int) -> str:
    text = " ".join(text.split())
    lines = textwrap.wrap(text, 84 - indent)
    quoted = '"""' + "\n".join(lines) + ('\n"""' if len(lines) > 1 else '"""')
    return textwrap.indent(quoted, " " * indent)
