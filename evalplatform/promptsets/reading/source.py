"""The bytes of a prompt file, from a disk or the web."""

from pathlib import Path

import requests

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.words import shown

MAX_FILE_BYTES = 64 * 2**20


def read_source(source: str) -> bytes:
    """Return the bytes of a file or an http(s) URL, whole or not at all.

    Raises `BadInputError` when it cannot be read, is too large, or breaks off.
    """
    if source.startswith(("http://", "https://")):
        return _download(source)
    path = Path(source)
    if not path.is_file():
        raise BadInputError(f"{name_of(source)}: no such file; give a file or an http(s) URL.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadInputError(_too_large(source))
    return path.read_bytes()


def name_of(source: str) -> str:
    """Return how messages name a file: as it was given, if that can be printed."""
    return source if source.isprintable() else shown(source)


def _too_large(source: str) -> str:
    limit = MAX_FILE_BYTES // 2**20
    return f"{name_of(source)} is over {limit} MiB; prompt files are text, split it."


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
            f"{name_of(url)} could not be downloaded ({type(error).__name__}); nothing was "
            "imported: check the address and the network, then import again."
        ) from error
    if expected and not encoded and int(expected) != len(content):
        raise BadInputError(
            f"{name_of(url)} broke off after {len(content)} of {expected} bytes; nothing was "
            "imported: import it again."
        )
    return content
