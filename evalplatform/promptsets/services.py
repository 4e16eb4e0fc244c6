"""Importing prompt sets."""

import hashlib
from pathlib import Path

import requests
from django.db import transaction

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.importers import FORMATS, read_prompts
from evalplatform.promptsets.models import Prompt, PromptSet

MAX_FILE_BYTES = 64 * 2**20

# Public sets we can name. The hash is of the file as its authors released it.
KNOWN_SETS = {
    "parti": {
        "format": "tsv",
        "licence": "Apache-2.0 (google-research/parti)",
        "sha256": "fab29e41bb512a169b56acab4cf2a41dcb675e285df2efcde6640c7dd3c440eb",
    },
}


def read_source(source: str) -> bytes:
    """Return the bytes of a file or an http(s) URL, whole or not at all.

    Raises `BadInputError` when it cannot be read, is too large, or breaks off.
    """
    if source.startswith(("http://", "https://")):
        return _download(source)
    path = Path(source)
    if not path.is_file():
        raise BadInputError(f"{source}: no such file; give a file or an http(s) URL.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadInputError(_too_large(source))
    return path.read_bytes()


def _too_large(source: str) -> str:
    return f"{source} is over {MAX_FILE_BYTES // 2**20} MiB; prompt files are text, split it."


def _download(url: str) -> bytes:
    try:
        with requests.get(url, stream=True, timeout=30) as response:
            response.raise_for_status()
            content = b""
            for chunk in response.iter_content(2**16):
                content += chunk
                if len(content) > MAX_FILE_BYTES:
                    raise BadInputError(_too_large(url))
            expected = response.headers.get("Content-Length")
            encoded = "Content-Encoding" in response.headers
    except requests.RequestException as error:
        raise BadInputError(
            f"{url} could not be downloaded ({type(error).__name__}); nothing was imported: "
            "check the address and the network, then import again."
        ) from error
    if expected and not encoded and int(expected) != len(content):
        raise BadInputError(
            f"{url} broke off after {len(content)} of {expected} bytes; nothing was imported: "
            "import it again."
        )
    return content


def import_prompt_set(
    *,
    name: str,
    source: str,
    format: str | None = None,
    licence: str | None = None,
    sha256: str | None = None,
) -> tuple[PromptSet, bool]:
    """Import `source` (file or URL) as prompt set `name`; return it and whether it is new.

    The same content under the same name is stored once; changed content is the next version.
    `sha256`, where given, must be the file's.
    """
    known = KNOWN_SETS.get(name, {})
    content = read_source(source)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256.lower():
        raise BadInputError(
            f"{source} has sha256 {digest}, expected {sha256.lower()}; nothing was imported: "
            "get the file again or correct --sha256."
        )
    chosen = format or known.get("format") or _format_of(source)
    rows = read_prompts(content, format=chosen, name=source)
    with transaction.atomic():
        existing = PromptSet.objects.select_for_update().filter(name=name)
        same = existing.filter(sha256=digest).first()
        if same:
            return same, False
        latest = existing.order_by("-version").first()
        prompt_set = PromptSet.objects.create(
            name=name,
            version=latest.version + 1 if latest else 1,
            sha256=digest,
            source=source if "://" in source else Path(source).name,
            licence=licence or known.get("licence", ""),
        )
        Prompt.objects.bulk_create(
            [
                Prompt(
                    prompt_set=prompt_set,
                    position=position,
                    text=row.text,
                    category=row.category,
                    challenge=row.challenge,
                    note=row.note,
                    tags=row.tags,
                )
                for position, row in enumerate(rows)
            ],
            batch_size=1000,
        )
    return prompt_set, True


def is_released_file(prompt_set: PromptSet) -> bool | None:
    """Return whether a known set's content is the released file's; None for other names."""
    known = KNOWN_SETS.get(prompt_set.name)
    return None if known is None else prompt_set.sha256 == known["sha256"]


def _format_of(source: str) -> str:
    suffix = Path(source.partition("?")[0]).suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise BadInputError(
            f"{source}: the format cannot be told from the name; "
            f"add --format with one of {', '.join(FORMATS)}."
        )
    return suffix
