"""The example of docs/api.md, as it stands there, against a running site and worker."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from evalplatform.accounts.tokens import create_api_token, revoke_api_token
from evalplatform.checkpoints.models import Checkpoint, Upload
from tests import live
from tests.checkpoints import hostile
from tests.checkpoints.hub_server import files_of
from tests.generation.tiny import save_tiny_pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.worker]


@pytest.fixture
def upload(site, rania, tmp_path):
    (example,) = re.findall(
        r"```python\n(.+?)```", (Path(settings.BASE_DIR) / "docs/api.md").read_text(), re.DOTALL
    )
    (tmp_path / "upload.py").write_text(example)
    token, secret = create_api_token(user=rania, label="example")

    def run(archive: Path, name: str = "") -> subprocess.CompletedProcess:
        command = [sys.executable, tmp_path / "upload.py", site, archive, *([name] if name else [])]
        return subprocess.run(
            command, env=os.environ | {"TOKEN": secret}, capture_output=True, text=True, timeout=120
        )

    run.token = token
    return run


def test_documented_script_uploads_and_reads_the_verdict(upload, tmp_path):
    content = files_of(save_tiny_pipeline(tmp_path / "sd", seed=1))
    content |= {"tokenizer/notes.txt": os.urandom(5 * 2**20).hex().encode()}
    with live.worker():
        done = upload(hostile.zipped(tmp_path / "sd.zip", content), "by-script")
        assert done.stdout.strip() == "verified by-script", done.stderr
        refused = upload(hostile.zipped(tmp_path / "evil.zip", {"a.py": b"import os"}))
        assert "rejected" in refused.stdout
        assert "program code" in refused.stdout
    assert Checkpoint.objects.get().uploads.get().created_by.username == "rania"


def test_documented_script_is_told_that_its_token_was_revoked(upload, tmp_path):
    revoke_api_token(token=upload.token, now=timezone.now())
    done = upload(hostile.zipped(tmp_path / "sd.zip", hostile.members()))
    assert done.returncode == 1
    assert "unknown or was revoked" in done.stderr
    assert not Upload.objects.exists()
