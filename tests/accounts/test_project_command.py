"""`manage.py project`, and `--project` of commands that make something."""

import io

import pytest
from django.core.management import CommandError, call_command

from evalplatform.accounts.members import create_project
from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import default_project, role_of
from evalplatform.promptsets.models import PromptSet
from tests import factories

pytestmark = pytest.mark.django_db


def said(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(*arguments):
    with pytest.raises(CommandError) as refusal:
        call_command(*arguments)
    assert refusal.value.returncode == 2
    return str(refusal.value)


def test_project_is_made_with_its_owner_and_members(rania):
    vera = User.objects.create_user("vera")
    assert said("project", "add", "aurora", "--owner", "rania") == "made aurora\n"
    said("project", "let-in", "aurora", "vera", "editor")
    aurora = Project.objects.get(name="aurora")
    assert role_of(vera, aurora) == "editor"
    assert said("project", "members", "aurora") == "rania\towner\nvera\teditor\n"
    assert "last owner" in refused("project", "remove", "aurora", "rania")
    said("project", "remove", "aurora", "vera")
    assert "is not in aurora" in refused("project", "remove", "aurora", "vera")
    assert said("project", "list") == "aurora\trania\ndefault\trania\n"
    said("project", "quota", "aurora", "1000")
    aurora.refresh_from_db()
    assert aurora.upload_quota_bytes == 1000


def test_what_is_shared_by_command(rania):
    things = factories.make_prompt_set("things", 1)
    said("project", "share", "default", "prompt set", "things@1")
    things.refresh_from_db()
    assert things.is_shared
    assert "holds no checkpoint" in refused("project", "share", "default", "checkpoint", "none")


@pytest.mark.parametrize("given", [[], ["--project", "other"]])
def test_commands_make_things_in_the_project_that_is_named(tmp_path, given):
    default_project()
    create_project(name="other", owner=None)
    file = tmp_path / "prompts.tsv"
    file.write_text("Prompt\na cat\n")
    said("import_prompts", "mine", str(file), *given)
    assert PromptSet.objects.get().project.name == (given[1] if given else "default")


def test_unknown_project_is_refused_with_the_known_ones(tmp_path):
    default_project()
    file = tmp_path / "prompts.tsv"
    file.write_text("Prompt\na cat\n")
    assert "known: default" in refused("import_prompts", "mine", str(file), "--project", "none")
