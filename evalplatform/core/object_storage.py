"""Where images are kept: files under var/objects, or an S3-compatible store.

Object names are content hashes or random, so an object never changes: saving a name again stores
the same content under the same name, on either kind of storage.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.core.exceptions import ImproperlyConfigured

from evalplatform.core.errors import EvalPlatformError

_FORM = "s3://BUCKET/PREFIX?endpoint_url=https://HOST&region=REGION"
_PARAMETERS = ("endpoint_url", "region", "addressing_style")
_STYLES = ("auto", "path", "virtual")


class ObjectStorageError(EvalPlatformError):
    """The store of images does not answer or refuses; the text says what to check."""


class MissingObjectError(FileNotFoundError):
    """A bucket has no such object; `strerror` says which bucket, `filename` is the object."""


def storage_setting(url: str, *, directory: Path, credentials: Mapping[str, str]) -> dict[str, Any]:
    """Return the `default` entry of Django's STORAGES for OBJECT_STORAGE_URL.

    `credentials` has the values of `access_key`, `secret_key` and `security_token`; all empty,
    boto3 looks in its other places (profiles, a machine's role). Raises `ImproperlyConfigured`.
    """
    if not url:
        backend = "evalplatform.core.file_store.FileStore"
        return {"BACKEND": backend, "OPTIONS": {"location": str(directory)}}
    if bool(credentials["access_key"]) != bool(credentials["secret_key"]):
        raise ImproperlyConfigured(
            "one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set without the other; set both."
        )
    given = {name: value for name, value in credentials.items() if value}
    return {"BACKEND": "evalplatform.core.s3_store.S3Store", "OPTIONS": _s3_options(url) | given}


def _s3_options(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or ":" in parts.netloc:
        # Not repeated: whoever put a key into the address would find it in a log.
        raise ImproperlyConfigured(
            f"OBJECT_STORAGE_URL cannot be read; use {_FORM}, with credentials in "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or leave it empty to keep files."
        )
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(query) - set(_PARAMETERS))
    if unknown:
        raise ImproperlyConfigured(
            f"OBJECT_STORAGE_URL has no parameter {', '.join(unknown)}; accepted: "
            f"{', '.join(_PARAMETERS)}."
        )
    endpoint = query.get("endpoint_url", "")
    if endpoint and not (
        endpoint.startswith(("http://", "https://")) and urlsplit(endpoint).netloc
    ):
        raise ImproperlyConfigured(
            f"OBJECT_STORAGE_URL: endpoint_url={endpoint!r} is not an address; use "
            "http://HOST:PORT or https://HOST."
        )
    # Stores other than AWS rarely have a host name for each bucket.
    style = query.get("addressing_style") or ("path" if endpoint else "auto")
    if style not in _STYLES:
        raise ImproperlyConfigured(
            f"OBJECT_STORAGE_URL: addressing_style={style!r}; accepted: {', '.join(_STYLES)}."
        )
    options = {
        "bucket_name": parts.netloc,
        "location": parts.path.strip("/"),
        "endpoint_url": endpoint,
        "region_name": query.get("region", ""),
        "addressing_style": style,
    }
    return {name: value for name, value in options.items() if value}
