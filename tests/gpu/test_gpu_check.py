"""The check of a GPU, rehearsed on a CPU at a tiny size, and what it says of failures."""

import json
import subprocess
from pathlib import Path

import pytest

from tests import warm
from tests.gpu import bundle, check, programs

# The worker's step is `make bench-generate` again and takes as long as all the others; it is
# rehearsed by hand: python -m tests.gpu.check --cpu.
STEPS = {step.name: step for step in check.STEPS if step.name != "worker"}


def test_every_step_is_rehearsed_and_finds_what_it_is_for(tmp_path, monkeypatch):
    monkeypatch.setenv(programs.STANDING_BY, str(warm.programs_path()))
    path, well = check.run(
        list(STEPS.values()), cpu=True, out=tmp_path, logs=tmp_path / "logs", seconds=900
    )
    assert well, path.read_text()
    rehearsal = json.loads(path.read_text())
    assert set(rehearsal["steps"]) == set(STEPS)
    assert all("found" in found for found in rehearsal["steps"].values())
    assert rehearsal["card"]["name"] == "cpu"
    assert rehearsal["code_version"] != "unknown"
    assert rehearsal["rehearsal"] is True
    found = {name: step["found"] for name, step in rehearsal["steps"].items()}
    assert found["first_step"]["denoiser"]["step"] == 12
    assert found["resume"] == {"was_killed": True, "largest_difference_in_loss": 0.0}
    assert found["stream"]["denoiser-2"]["data_wait_share"] >= 0
    assert found["tune"]["candidates"] == [0, 2, 4]
    assert [rate["steps_per_s"] > 0 for rate in list(found["mfu"].values())[1:]] == [True] * 5
    assert found["sampling"]["alone_against_among_others"] <= 1
    assert found["out_of_memory"]["all GiB"]["parts"] == [2]


def test_a_step_over_its_time_stops_no_other(tmp_path):
    steps = [check.Step("training", "first_step", 0.3), check.Step("speed", "sampling", 60)]
    path, well = check.run(steps, cpu=True, out=tmp_path, logs=tmp_path / "logs", seconds=600)
    found = json.loads(path.read_text())["steps"]
    assert not well
    assert found["first_step"]["failed"].startswith("over its 1 s")
    assert found["sampling"]["found"]["images_per_s"]


def test_a_machine_without_a_gpu_is_told_in_one_line(capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert check.main([]) == 2
    said = capsys.readouterr()
    assert said.err == check.NO_GPU + "\n"
    assert not said.out


def test_results_are_named_by_the_card():
    assert check.slug("NVIDIA H200") == "h200"
    assert check.slug("NVIDIA H100 80GB HBM3") == "h100-80gb-hbm3"


def test_a_copy_without_a_repository_has_the_bundles_version(tmp_path, monkeypatch):
    (tmp_path / "code_version").write_text("abc123\n")
    monkeypatch.setenv("GPU_BUNDLE", str(tmp_path))
    monkeypatch.setattr(check, "code_version", lambda: "unknown")
    assert check.version() == "abc123"


def test_what_the_bundle_packs_is_pinned():
    assert len(bundle.pinned(list(bundle.WANTED))) == len(bundle.WANTED)
    assert "diffusers==" in " ".join(bundle.pinned(["diffusers"]))
    with pytest.raises(SystemExit, match="does not pin no-such-package"):
        bundle.pinned(["no-such-package"])


def test_the_shell_script_stands_beside_the_bundle():
    assert (
        subprocess.run(["sh", "-n", str(Path(check.__file__).with_name("run.sh"))]).returncode == 0
    )
