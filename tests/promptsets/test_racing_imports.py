"""Imports of one prompt set at once, or killed half way: each version is stored once, and whole."""

import threading

import pytest
from django.db import connection

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import default_project
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.services import importing as services

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def race(monkeypatch):
    """Do several things at once, each held until all have read their file; return what came."""

    def start(*jobs):
        ready = threading.Barrier(len(jobs), timeout=30)
        look = services.versions_of

        def together(*given):
            ready.wait()
            return look(*given)

        monkeypatch.setattr("evalplatform.promptsets.services.importing.versions_of", together)
        monkeypatch.setattr("evalplatform.imports.prompts.versions_of", together)
        came = []

        def run(job):
            try:
                came.append(job())
            except Exception as error:
                came.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=[job]) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return came

    return start


def importing(folder, word, *, count=2000, project=None, name="mine"):
    source = folder / f"{word}.txt"
    source.write_text("".join(f"{word} {number}\n" for number in range(count)))
    return lambda: services.import_prompt_set(
        project=project or default_project(), name=name, source=str(source)
    )


def test_same_file_imported_at_once_is_stored_once(tmp_path, race):
    job = importing(tmp_path, "cat")
    came = race(job, job, job)
    assert sorted(each.is_new for each in came) == [False, False, True]
    assert PromptSet.objects.get().prompts.count() == 2000


@pytest.mark.parametrize("there", [False, True], ids=["new name", "known name"])
def test_two_files_imported_at_once_are_two_versions(tmp_path, race, there):
    if there:
        importing(tmp_path, "bird")()
    came = race(importing(tmp_path, "cat"), importing(tmp_path, "dog"))
    assert [each.is_new for each in came] == [True, True]
    assert [each.version for each in PromptSet.objects.all()] == [1, 2, 3][: 2 + there]
    assert [each.prompts.count() for each in PromptSet.objects.all()] == [2000] * (2 + there)


def test_name_taken_at_once_in_two_projects_is_one_projects(tmp_path, race):
    other = Project.objects.create(name="other")
    came = race(importing(tmp_path, "cat"), importing(tmp_path, "dog", project=other))
    (refusal,) = (each for each in came if isinstance(each, Exception))
    assert isinstance(refusal, BadInputError)
    assert "taken in another project" in str(refusal)
    assert PromptSet.objects.count() == 1


def test_import_that_is_interrupted_stores_nothing_and_can_be_done_again(tmp_path, monkeypatch):
    store = services.store_prompts

    def interrupted(*given):
        store(*given)
        raise KeyboardInterrupt

    job = importing(tmp_path, "cat")
    monkeypatch.setattr(services, "store_prompts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job()
    assert not PromptSet.objects.exists()
    assert not Prompt.objects.exists()
    monkeypatch.setattr(services, "store_prompts", store)
    assert job().prompt_set.prompts.count() == 2000
