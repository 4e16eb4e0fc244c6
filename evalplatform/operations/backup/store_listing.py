"""Names of all objects of the image store, files or S3, and of those that rows name."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.core.files.storage import default_storage

from evalplatform.core.file_store import FileStore

# Made anew when somebody looks, or only while something runs.
_DERIVED = ("thumbnails/", "health/")
# The fields that hold names in object storage; a test holds the list against the models.
NAMED = (
    ("generation.Sample", "image"),
    ("images.CollectedImage", "image"),
    ("campaigns.ShownImage", "copies"),
    ("safety.SafetyRequest", "image"),
    ("feedback.ScoreRequest", "image"),
    ("flows.FlowImage", "image"),
    ("exports.Export", "file"),
    ("promptsets.LogBuild", "log"),
    ("promptsets.LogBuild", "prompts"),
    ("promptsets.LogBuild", "dropped"),
)


def object_names() -> Iterator[str]:
    """Yield every object's name, without what is derived from others."""
    for name in _from_files() if isinstance(default_storage, FileStore) else _from_s3():
        if not name.startswith(_DERIVED) and not Path(name).name.startswith("."):
            yield name


def _from_files() -> Iterator[str]:
    root = Path(default_storage.path(""))
    for folder, _, names in os.walk(root):
        for name in names:
            yield (Path(folder) / name).relative_to(root).as_posix()


def _from_s3() -> Iterator[str]:
    store: Any = default_storage
    prefix = f"{store.location}/" if store.location else ""
    for each in store.bucket.objects.filter(Prefix=prefix):
        yield each.key.removeprefix(prefix)


def named_by_rows() -> set[str]:
    """Return every object that a row of the database names, as its snapshot has them."""
    found: set[str] = set()
    for label, name in NAMED:
        model = apps.get_model(label)
        is_list = isinstance(model._meta.get_field(name), ArrayField)
        for value in model._default_manager.values_list(name, flat=True).iterator():
            found.update(value if is_list else [value])
    return found - {""}
