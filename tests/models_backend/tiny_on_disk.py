"""Tiny diffusers pipelines, written by a process of its own: this one stays without torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a pipeline of `tiny_pipelines.PIPELINES`; a seed makes the weights."""
    program = [sys.executable, "-m", "tests.models_backend.tiny_pipelines"]
    arguments = [name, str(folder.absolute()), str(seed)]
    subprocess.run([*program, *arguments], check=True, cwd=ROOT, capture_output=True)
    return folder
