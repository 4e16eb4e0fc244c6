"""`pip install .`: the wheel holds all that the site needs, and its commands run it."""

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings

from tests import live

ROOT = Path(settings.BASE_DIR)
# What a clone has beside the code, by where the wheel has it.
PARTS = {
    "static": "evalplatform/files/static", "templates": "evalplatform/files/templates",
    "locale": "evalplatform/files/locale", "prompts": "evalplatform/files/prompts",
    "deploy": "evalplatform/files/deploy", "evalplatform": "evalplatform",
    "models_backend": "models_backend",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the tree as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--wheel-dir", folder, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of commands of an environment that has the wheel, and ours for what it needs."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python3*/site-packages"))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = folder / "bin/python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
         "--no-index", "--no-compile", wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "bin"


def environment(var: Path) -> dict[str, str]:
    return live.environment(EVALPLATFORM_VAR=str(var), SECRET_KEY="x" * 60, PYTHONPATH="")


def test_wheel_holds_every_file_of_the_tree_that_is_no_test_or_document(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", *PARTS], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    expected = {
        PARTS[top] + "/" + rest for top, _, rest in (each.partition("/") for each in tracked)
    }
    assert len(expected) > 500
    assert any(each.endswith("lease.sql") for each in expected)
    # A file that was removed and not yet committed is no fault of the wheel.
    gone = {each for each in tracked if not (ROOT / each).exists()}
    missing = expected - set(zipfile.ZipFile(wheel).namelist())
    assert missing - {PARTS[each.split("/")[0]] + each[each.index("/") :] for each in gone} == set()


def test_wheel_holds_nothing_that_was_written_while_it_ran(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [each for each in names if "__pycache__" in each or each.startswith("var/")] == []
    tops = {each.partition("/")[0] for each in names}
    assert {each for each in tops if not each.endswith(".dist-info")} == {
        "evalplatform", "models_backend",
    }  # fmt: skip


@contextmanager
def served(installed: Path, var: Path):
    address = f"127.0.0.1:{live.free_port()}"
    command = [installed / "python", "-m", "gunicorn", "evalplatform.wsgi:application"]
    command += ["--bind", address, "--no-control-socket"]
    command += ["--config", "python:evalplatform.core.gunicorn_config"]
    with (var / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=var, env=environment(var), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            live.wait_for(f"http://{address}/healthz", process)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.django_db(transaction=True)
def test_installed_site_serves_pages_with_their_styles(installed, tmp_path):
    with served(installed, tmp_path) as site:
        page = requests.get(f"{site}/accounts/sign-in/", timeout=30)
        assert page.status_code == 200
        assert "Sign in" in page.text
        assert requests.get(f"{site}/static/css/site.css", timeout=30).ok
        plotly = requests.get(f"{site}/static/vendor/plotly/plotly-basic.min.js", timeout=30)
        assert len(plotly.content) > 10**6


@pytest.mark.django_db(transaction=True)
def test_installed_command_names_its_release_and_writes_into_a_folder_of_the_user(
    installed, tmp_path
):
    code = (
        "from django.conf import settings; from evalplatform.core.version import code_version;"
        "import evalplatform as e; print(e.__file__, code_version(), settings.VAR_DIR, sep='|')"
    )
    env = environment(tmp_path) | {"XDG_DATA_HOME": str(tmp_path)}
    del env["EVALPLATFORM_VAR"]
    said = subprocess.run(
        [installed / "evalplatform", "shell", "--no-imports", "--command", code], env=env,
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    where, version, var = said.strip().split("|")
    assert str(installed.parent) in where
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert var == str(tmp_path / "evalplatform")
    assert (tmp_path / "evalplatform").is_dir()


def test_installed_commands_of_the_models_backend_are_there(installed, tmp_path):
    said = subprocess.run(
        [installed / "t2i-fuse", "--help"], env=environment(tmp_path), cwd=tmp_path,
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "--lora" in said
    assert {each.name for each in installed.iterdir()} >= {"t2i-train", "t2i-sample"}
