"""Generation through a real broker and a real worker process, killed and resumed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from safetensors.numpy import load_file, save_file

from evalplatform.accounts.projects import default_project
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.generation.models import GenerationBatch, Sample
from tests import factories, live

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def registered(two_checkpoints):
    factories.make_prompt_set("things", 6)


def run_eval(**options):
    # The tiny encoders read 16 letters.
    arguments = {"prompts": ["things"], "name": "run", "steps": 2, "guidance": 2.0, "allow_cut": 1}
    call_command("run_eval", "one", "two", **(arguments | options))


def test_run_eval_generates_through_the_worker_and_opens(registered, capsys):
    with live.worker(cold=True):
        run_eval()
    campaign = Campaign.objects.get()
    assert campaign.status == "open"
    assert campaign.items.main().count() == 12
    assert Sample.objects.filter(status="ready", tokens_read=16, prompt_tokens__gt=16).count() == 12
    assert {batch.status for batch in GenerationBatch.objects.all()} == {"done"}
    out = capsys.readouterr().out
    assert "A = one: 0 of 6 prompts read in full, 6 cut (" in out
    assert "12 items, 60 votes wanted" in out
    assert f"/annotate/{campaign.invitation}/" in out
    run_eval()
    assert Sample.objects.count() == 12
    assert "run is open" in capsys.readouterr().out


def test_two_prompt_sets_make_one_campaign(registered):
    factories.make_prompt_set("more", 3)
    with live.worker():
        call_command("run_eval", "one", "two", "--prompts=things", "--prompts=more", "--limit=2",
                     "--steps=2", "--criteria=visual_appeal", "--allow-cut=1")  # fmt: skip
    campaign = Campaign.objects.get()
    names = campaign.items.main().values_list("image_set__prompt__prompt_set__name", flat=True)
    assert sorted(names) == ["more", "more", "things", "things"]


def test_killed_worker_leaves_every_sample_once_and_none_missing(registered):
    """SIGKILL in the middle of a batch; another worker takes over when the lease runs out."""
    lease = {"GENERATION_LEASE_SECONDS": "5"}
    evaluation = subprocess.Popen(
        [sys.executable, "manage.py", "run_eval", "one", "two", "--prompts", "things",
         "--name", "run", "--steps", "25", "--height", "64", "--width", "64", "--allow-cut", "1"],
        cwd=settings.BASE_DIR, env=live.environment(**lease), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with evaluation, ExitStack() as end:
        end.callback(evaluation.kill)  # or a failure here would wait for it for ever
        with live.worker(**lease) as doomed:
            wait_until(lambda: GenerationBatch.objects.filter(status="running").exists())
            os.kill(doomed.pid, signal.SIGKILL)
            doomed.wait()
        assert Sample.objects.filter(status="planned").exists()
        with live.worker(**lease):
            assert evaluation.wait(180) == 0
    assert Sample.objects.filter(status="ready").count() == Sample.objects.count() == 12
    assert Campaign.objects.get().status == "open"
    assert GenerationBatch.objects.filter(attempts__gte=2).exists()


def test_failed_generation_says_why_and_can_be_repeated(registered):
    with live.worker():
        with pytest.raises(CommandError, match="sampler 'unknown'") as raised:
            run_eval(sampler="unknown")
        assert raised.value.returncode == 2
        assert Campaign.objects.get().status == "generating"


def test_broken_weights_are_named_and_no_image_of_them_is_stored(registered, pipelines, tmp_path):
    """As a diverged run leaves them; the other checkpoint's samples are made all the same."""
    broken = tmp_path / "broken"
    shutil.copytree(pipelines[0], broken)
    weights = broken / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_in.weight"][:] = np.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    register_checkpoint(project=default_project(), source=broken, name="broken")
    with live.worker():
        with pytest.raises(
            CommandError, match=r"of broken failed: .*conv_in\.weight is not finite"
        ):
            call_command("run_eval", "two", "broken", prompts=["things"], name="run", steps=2)
        wait_until(lambda: not GenerationBatch.objects.unfinished().exists())
    ready = Sample.objects.filter(status="ready").values_list("checkpoint__name", flat=True)
    assert set(ready) == {"two"}
    assert len(ready) == 6
    (batch,) = GenerationBatch.objects.filter(status="failed")
    assert batch.attempts == 1
    assert Campaign.objects.get().status == "generating"


def wait_until(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
