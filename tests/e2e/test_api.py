"""The examples of docs/api.md, as they stand there, against a running site and worker."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.tokens import create_api_token, revoke_api_token
from evalplatform.checkpoints.models import Checkpoint, Upload
from tests import factories, live
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import files_of
from tests.generation.tiny import save_tiny_pipeline
from tests.overview.test_home_and_board import judged
from tests.promptsets.test_build import ANIMALS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]


@pytest.fixture
def examples(site, rania, tmp_path):
    """Return what runs an example of docs/api.md by its number."""
    found = re.findall(
        r"```python\n(.+?)```", (Path(settings.BASE_DIR) / "docs/api.md").read_text(), re.DOTALL
    )
    scopes = ["read", "models", "campaigns"]
    token, secret = create_api_token(user=rania, label="x", scopes=scopes, now=timezone.now())
    told = {
        "TOKEN": secret, "SITE": site,
        "PYTHONPATH": str(Path(settings.BASE_DIR) / "clients/python"),
    }  # fmt: skip

    def run(number: int, *arguments: object) -> subprocess.CompletedProcess:
        script = tmp_path / f"example-{number}.py"
        script.write_text(found[number])
        return subprocess.run(
            [sys.executable, script, *map(str, arguments)], cwd=tmp_path, env=os.environ | told,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    run.token = token
    return run


def test_documented_scripts_create_a_campaign_and_upload(examples, tmp_path):
    for name in ("plain", "tuned"):
        factories.make_checkpoint(name)
    done = examples(0)
    assert done.stdout.splitlines() == [
        "rania", "2 prompts of two-prompts@1", "2 comparisons, 20 votes []",
        "plain-vs-tuned generating ['A', 'B']", "generating", "404 not-found",
    ], done.stderr  # fmt: skip
    content = files_of(save_tiny_pipeline(tmp_path / "sd", seed=1))
    content |= {"tokenizer/notes.txt": os.urandom(5 * 2**20).hex().encode()}
    with live.worker():
        done = examples(2, hostile.zipped(tmp_path / "sd.zip", content), "by-script")
        assert done.stdout.strip() == "verified by-script", done.stderr
        refused = examples(2, hostile.zipped(tmp_path / "evil.zip", {"a.py": b"import os"}), "evil")
        assert "rejected" in refused.stdout
        assert "program code" in refused.stdout
    assert Checkpoint.objects.get(name="by-script").uploads.get().created_by.username == "rania"


def test_documented_script_builds_a_set_from_a_log(examples, tmp_path):
    log = tmp_path / "asked.txt"
    log.write_text("".join(f"a {animal} in the snow\n" for animal in ANIMALS))
    with live.worker():
        done = examples(3, log)
    assert done.stdout.strip() == "asked 10", done.stderr


def test_documented_script_reads_a_leaderboard(examples):
    people = [Annotator.objects.create(pseudonym=f"p{n}") for n in range(3)]
    judged(people, "first", [factories.make_checkpoint(name) for name in ("one", "two")])
    done = examples(4)
    told = [line.rsplit(maxsplit=3)[1:] for line in done.stdout.splitlines()]
    assert sorted(name for name, _, _ in told) == ["one", "two"], done.stderr
    assert all({low, high} <= {"1", "2"} for _, low, high in told)


def test_documented_script_is_told_that_its_token_was_revoked(examples, tmp_path):
    revoke_api_token(token=examples.token, now=timezone.now())
    done = examples(2, hostile.zipped(tmp_path / "sd.zip", hostile.members()), "x")
    assert done.returncode == 1
    assert "unknown or was revoked" in done.stderr
    assert not Upload.objects.exists()
