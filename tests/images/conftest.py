"""A prompt set of five, and the import in a test's words."""

import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from evalplatform.accounts.projects import default_project
from evalplatform.images.services import import_collection
from evalplatform.promptsets.models import Prompt, PromptSet
from tests import factories


@pytest.fixture(autouse=True)
def _empty_imports():
    yield
    for folder in ("imports", "objects/collections"):
        shutil.rmtree(Path(settings.VAR_DIR) / folder, ignore_errors=True)


@pytest.fixture
def things(db) -> PromptSet:
    prompt_set = PromptSet.objects.create(
        project=default_project(),
        name="things",
        version=1,
        sha256=factories.digest("things"),
        source="things.tsv",
    )
    texts = ["a red bicycle", "two  cats ", "a house", "un café", "12 eggs"]
    Prompt.objects.bulk_create(
        Prompt(prompt_set=prompt_set, position=place, text=text) for place, text in enumerate(texts)
    )
    return prompt_set


@pytest.fixture
def bring(things):
    """Import a path under a name of its own."""

    def run(path, name="brought", prompt_set=things, **options):
        return import_collection(
            project=default_project(),
            path=path,
            name=name,
            model="DALL-E 3",
            prompt_set=prompt_set,
            **options,
        )

    return run


def stored_names(name="brought") -> set[str]:
    """Return the names of all images stored for a collection."""
    found = set()
    try:
        for folder in default_storage.listdir(f"collections/{name}")[0]:
            base = f"collections/{name}/{folder}"
            found |= {f"{base}/{file}" for file in default_storage.listdir(base)[1]}
    except FileNotFoundError:
        pass
    return found
