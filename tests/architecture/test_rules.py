"""The house's rules as tests."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Carries weights only; the package it asks for is used by none of its files.
LEFT_OUT = {"sentence-transformers"}
ROOT = Path(__file__).resolve().parents[2]
SETUP = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; "


def all_modules_after(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and return the modules it loaded."""
    code += "; import sys; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def modules_after(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and return the top-level modules it loaded."""
    return {name.split(".")[0] for name in all_modules_after(code)}


def test_web_process_never_loads_torch():
    code = SETUP + "import django; django.setup(); import evalplatform.urls, evalplatform.wsgi"
    code += "; import evalplatform.generation.tasks"
    modules = all_modules_after(code)
    loaded = {name.split(".")[0] for name in modules}
    assert "django" in loaded
    assert not {"torch", "diffusers", "transformers"} & loaded
    backend = {name for name in modules if name.startswith("models_backend.")}
    assert backend
    assert all(name.startswith("models_backend.checkpoint_format") for name in backend)
    # Only where OBJECT_STORAGE_URL asks for it.
    assert not {"boto3", "storages"} & loaded


def test_statistics_load_no_django_and_no_torch():
    loaded = modules_after("import evalplatform.stats")
    assert "numpy" in loaded
    assert not {"django", "torch", "celery"} & loaded


def test_checkpoint_format_needs_the_standard_library_alone():
    loaded = modules_after("import models_backend.checkpoint_format")
    assert "models_backend" in loaded
    assert not {"torch", "numpy", "safetensors", "django", "evalplatform"} & loaded


def test_checking_a_checkpoint_directory_loads_no_torch():
    loaded = modules_after("import evalplatform.checkpoints.layout")
    assert "models_backend" in loaded
    assert not {"torch", "diffusers", "transformers"} & loaded


def test_models_backend_loads_no_django():
    loaded = modules_after("import models_backend.sample, models_backend.train")
    assert "torch" in loaded
    assert not {"django", "celery", "evalplatform"} & loaded


def test_torchvision_is_absent():
    """A CUDA build of it breaks diffusers on a CPU, and there is no CPU build everywhere."""
    assert importlib.util.find_spec("torchvision") is None


def test_every_setting_read_from_the_environment_is_documented_once():
    files = ("settings.py", "sign_in_settings.py")
    code = "".join((ROOT / "evalplatform" / name).read_text() for name in files)
    names = set(re.findall(r'env\.(?:text|flag|integer|names)\(\s*"([A-Z_]+)"', code))
    assert len(names) > 8
    documented = (ROOT / "docs/settings.md").read_text()
    rows = [row.split("|")[1] for row in documented.splitlines() if row.startswith("| `")]
    listed = re.findall("`([A-Z_]+)`", " ".join(rows))
    assert names - set(listed) == set()
    assert {name for name in listed if listed.count(name) > 1} == set()


def test_requirements_are_pinned():
    for name in ("requirements.txt", *(f"requirements-{x}.txt" for x in ("safety", "docs", "dev"))):
        for line in (ROOT / name).read_text().splitlines():
            requirement = line.partition("#")[0].strip()
            if requirement and not requirement.startswith("-r"):
                assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][^+\s]*", requirement), requirement


def is_of_cuda_build(name: str, needed: Requirement) -> bool:
    """Whether torch needs this on a GPU alone."""
    return name == "torch" and re.match(r"cuda-|nvidia-|triton$", needed.name) is not None


def is_installed(needed: Requirement) -> bool:
    try:
        return needed.specifier.contains(metadata.version(needed.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def test_runtime_requirements_are_whole_on_this_python():
    """pip does not resolve them, so what a package needs on some Pythons only must be there too."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {
        canonicalize_name(line.split("==")[0])
        for line in lines
        if "==" in line and not line.startswith("#")
    }
    needs = {
        (name, needed)
        for name in pinned
        for needed in map(Requirement, metadata.requires(name) or [])
        if needed.marker is None or needed.marker.evaluate({"extra": ""})
    }
    # What a CUDA build of torch needs is resolved for torch alone (Makefile): it must be there.
    of_cuda = {(name, needed) for name, needed in needs if is_of_cuda_build(name, needed)}
    missing = {
        f"{name} needs {needed}"
        for name, needed in needs - of_cuda
        if canonicalize_name(needed.name) not in pinned | LEFT_OUT
    }
    assert missing == set()
    assert {needed.name for _, needed in of_cuda if not is_installed(needed)} == set()


@pytest.mark.parametrize(
    "command",
    ["import_prompts", "train", "register_checkpoint", "retire_checkpoint", "create_api_token",
     "revoke_api_token", "unlock_sign_in", "password_link", "remove_codes",
     "erase_annotator", "purge_personal_data", "erase_user",
     "import_images", "retire_collection", "run_eval",
     "simulate_annotators", "report", "compare_campaigns",
     "plan_campaign", "safety_scores", "workers", "generation",
     "close_campaign", "pause_campaign", "release_work", "list_annotators", "make_gold",
     "review_annotators", "services", "demo", "health", "backup", "restore", "tidy"],
)  # fmt: skip
def test_command_explains_itself(command):
    made = load_command_class(get_commands()[command], command)
    said = made.create_parser("manage.py", command).format_help()
    assert len(said) > 400
    assert "usage: manage.py " + command in said


def test_commands_draw_progress_on_a_terminal_alone():
    """In a log a bar is a line of its own before every message."""
    calls = [
        (path.name, ast.get_source_segment(code, node))
        for path in ROOT.glob("evalplatform/*/management/commands/*.py")
        if "tqdm" in (code := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tqdm"
    ]
    assert len(calls) > 5
    assert [each for each in calls if "disable=None" not in each[1]] == []


def test_help_needs_no_database(tmp_path):
    """Nothing is started for it, though no database runs for this installation."""
    out = subprocess.run(
        [sys.executable, "manage.py", "report", "--help"], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"EVALPLATFORM_VAR": str(tmp_path)},
    )  # fmt: skip
    assert out.returncode == 0
    assert "usage: manage.py report" in out.stdout
    assert not (tmp_path / "postgres").exists()
