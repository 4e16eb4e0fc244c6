"""Which classes the installed diffusers has: read from its files, without loading it or torch."""

import ast
import functools
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path


@functools.cache
def diffusers_classes() -> frozenset[str]:
    """Return the names that diffusers exports, classes and functions."""
    tree = ast.parse((_folder() / "__init__.py").read_text(encoding="utf-8"))
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def diffusers_version() -> str:
    """Return the installed version."""
    return version("diffusers")


def has_pipeline_folder(name: str) -> bool:
    """Whether a library that model_index.json names is a folder of diffusers' own pipelines."""
    return name.isidentifier() and (_folder() / "pipelines" / name / "__init__.py").is_file()


def _folder() -> Path:
    spec = find_spec("diffusers")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("diffusers is not installed; install requirements.txt")
    return Path(spec.origin).parent
